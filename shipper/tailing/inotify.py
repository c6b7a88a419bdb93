"""The kernel's notices about names and writes in directories: one inotify instance and one thread for all of them.

watchdog's `Observer` starts a thread for every directory, holds a file that was moved away back for half a second to
pair the move, watches a link instead of the directory that it leads to, and says nothing to its users when the kernel's
queue overflowed or a watch ended (hazard 2.2). So what it builds upon is used instead, `InotifyFD`, whose callbacks do
tell.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask, WatchDescriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.observers.inotify_c import InotifyEvent

    from shipper.tailing.hints import Notebook

# the instance, and the pipe that ends its thread
_DESCRIPTORS: Final = 3
_NONE: Final = WatchDescriptor(-1)
_ENDS: Final = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
_NAMES: Final = (
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVE
    # permission that returns makes a file readable without any name changing (hazard 2.4)
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)

# what watchdog would say in a log of its own is told by telemetry
logging.getLogger("watchdog").addHandler(logging.NullHandler())


@dataclass(slots=True)
class Watch:
    """A directory that is listened to.

    Attributes:
        directory: its path.
        notebook: takes what is heard.
        too_often: called when writes come too often to be heard.
        number: tells it from other watches of the same directory.
        descriptor: the kernel's number for the directory.
        writes: whether writes are heard, too.
    """

    directory: str
    notebook: Notebook
    too_often: Callable[[Watch], None]
    number: CallbackId
    descriptor: WatchDescriptor = _NONE
    writes: bool = True

    def on_event(self, event: InotifyEvent) -> None:
        """Pass a notice on; called by watchdog."""
        if event.is_modify:
            # what was under way when writes were to be heard no longer is left to whoever looks at its files instead
            if event.name and self.writes:
                path = os.path.join(self.directory, os.fsdecode(event.name))
                if self.notebook.written(path, self.directory):
                    self.too_often(self)
        elif event.mask & _ENDS:
            self.notebook.ended(self.directory)
        else:
            self.notebook.stirred(self.directory)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002 - watchdog's signature
        """Pass on that the kernel took the watch away; called by watchdog."""
        self.notebook.ended(self.directory)

    def on_queue_overflow(self) -> None:
        """Pass on that notices were dropped; called by watchdog for every watch."""
        self.notebook.overflowed()


class Inotify:
    """One inotify instance with its thread."""

    def __init__(self, notebook: Notebook) -> None:
        """Begin.

        Args:
            notebook: takes what is heard.

        Raises:
            OSError: EMFILE, this user has too many instances or this process too many files.
        """
        self._notebook = notebook
        _make_sure_of_room()
        self._kernel = InotifyFD()
        self._kernel.name = "inotify"
        self._kernel.start()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._watches: dict[WatchDescriptor, list[Watch]] = {}

    @property
    def is_alive(self) -> bool:
        """Whether notices are still read."""
        return self._kernel.is_alive()

    def listen(self, directory: str) -> Watch:
        """Listen to a directory, or to what a link leads to; not to what lies below it.

        Writes are heard until they come too often: the notices of a busy directory cost more than looking at its files,
        and what is heard here takes the interpreter from those who read. Two paths of one directory share that.

        Raises:
            OSError: ENOSPC, this user has no more watches; or the directory cannot be listened to.
        """
        watch = Watch(directory, self._notebook, self._hear_no_writes, CallbackId(next(self._numbers)))
        with self._lock:
            watch.descriptor = self._kernel.add_callback(
                os.fsencode(directory), _mask(writes=True), watch, watch.number
            )
            if watch.descriptor != _NONE:
                self._watches.setdefault(watch.descriptor, []).append(watch)
                return watch
        # what watchdog makes of a directory that may not be read
        self.forget(watch)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)

    def hear_writes(self, watch: Watch) -> None:
        """Hear of a directory's writes again.

        Raises:
            OSError: its path means something else now, or nothing.
        """
        self._switch(watch, writes=True)

    def forget(self, watch: Watch) -> None:
        """Listen to a directory no longer; one that has ended by itself may be forgotten, too."""
        with self._lock:
            sharing = [each for each in self._watches.pop(watch.descriptor, ()) if each is not watch]
            if sharing:
                self._watches[watch.descriptor] = sharing
            self._kernel.remove_callbacks([(watch.descriptor, watch.number)])

    def _hear_no_writes(self, watch: Watch) -> None:
        try:
            self._switch(watch, writes=False)
        except OSError:
            # it went this moment; who listens finds out what became of it
            self._notebook.ended(watch.directory)

    def _switch(self, watch: Watch, *, writes: bool) -> None:
        number = CallbackId(next(self._numbers))
        with self._lock:
            descriptor = self._kernel.add_callback(os.fsencode(watch.directory), _mask(writes=writes), watch, number)
            # what the kernel tells of the directory has changed by now; who is told stays as it was
            self._kernel.remove_callbacks([(descriptor, number)])
            if descriptor != watch.descriptor:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), watch.directory)
            for each in self._watches.get(descriptor, ()):
                each.writes = writes

    def close(self) -> None:
        """End the instance and its thread."""
        self._kernel.stop()
        self._kernel.join()


def _mask(*, writes: bool) -> Mask:
    return Mask(_NAMES | (InotifyConstants.IN_MODIFY if writes else 0))


def _make_sure_of_room() -> None:
    """Raise EMFILE before `InotifyFD` does, which leaks its first descriptor when there is none for its pipe."""
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_DESCRIPTORS))
    finally:
        for descriptor in opened:
            os.close(descriptor)
