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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask, WatchDescriptor

if TYPE_CHECKING:
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
        writes: whether writes are heard, too.
        notebook: takes what is heard.
        number: tells it from other watches of the same directory.
        descriptor: the kernel's number for the directory.
    """

    directory: str
    writes: bool
    notebook: Notebook
    number: CallbackId
    descriptor: WatchDescriptor = _NONE

    def on_event(self, event: InotifyEvent) -> None:
        """Pass a notice on; called by watchdog."""
        if event.is_modify:
            if event.name:
                self.notebook.written(os.path.join(self.directory, os.fsdecode(event.name)))
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

    @property
    def is_alive(self) -> bool:
        """Whether notices are still read."""
        return self._kernel.is_alive()

    def listen(self, directory: str, *, writes: bool, instead: Watch | None = None) -> Watch:
        """Listen to a directory, or to what a link leads to; not to what lies below it.

        Two paths of one directory share the kernel's watch: the last call says for both whether writes are heard.

        Args:
            directory: its path.
            writes: hear also of writes.
            instead: a watch of the same directory, which ends without anything being missed in between.

        Raises:
            OSError: ENOSPC, this user has no more watches; or the directory cannot be listened to.
        """
        mask = Mask(_NAMES | (InotifyConstants.IN_MODIFY if writes else 0))
        watch = Watch(directory, writes, self._notebook, CallbackId(next(self._numbers)))
        watch.descriptor = self._kernel.add_callback(os.fsencode(directory), mask, watch, watch.number)
        if watch.descriptor == _NONE:
            # what watchdog makes of a directory that may not be read
            self.forget(watch)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)
        if instead is not None:
            self.forget(instead)
        return watch

    def forget(self, watch: Watch) -> None:
        """Listen to a directory no longer; one that has ended by itself may be forgotten, too."""
        self._kernel.remove_callbacks([(watch.descriptor, watch.number)])

    def close(self) -> None:
        """End the instance and its thread."""
        self._kernel.stop()
        self._kernel.join()


def _make_sure_of_room() -> None:
    """Raise EMFILE before `InotifyFD` does, which leaks its first descriptor when there is none for its pipe."""
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_DESCRIPTORS))
    finally:
        for descriptor in opened:
            os.close(descriptor)
