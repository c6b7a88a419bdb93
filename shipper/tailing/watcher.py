"""Hints from the kernel that something changed: they only make a look come sooner, they are never facts.

Everything works without them, slower: a directory of which `hears` says no is polled (hazards 2.2, 2.3). That is so
where the limits of inotify are reached or the agent may not listen, on file systems that keep changes to themselves,
and on systems without inotify. It is tried again when the directories change, and every `RETRY` seconds.

Writes are heard only for quiet directories, since a busy one costs most of a core in notices. Whoever reads looks at
the files of those in `busy` by himself, also at the quiet ones among them. After `BUSY_FOR` it is tried whether they
still are.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shipper import telemetry
from shipper.tailing.hints import Hints, Notebook
from shipper.tailing.mounts import silent_devices

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping

    from shipper.tailing.inotify import Inotify, Watch

RETRY: Final = 600.0
BUSY_FOR: Final = 2.0
CHECKED_AT_ONCE: Final = 256


@dataclass(slots=True)
class _Heard:
    """A directory that is listened to, what its path meant then (device and inode), and since when it is busy."""

    watch: Watch
    identity: tuple[int, int]
    busy_since: float | None = None


class Watcher:
    """Listens to directories, each without what lies below it. Only the notices come in a thread of their own."""

    def __init__(
        self,
        wake: threading.Event,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        silent: Callable[[], Mapping[int, str]] = silent_devices,
        begin: Callable[[Notebook], Inotify] | None = None,
    ) -> None:
        """Prepare; nothing is listened to before `watch`.

        Args:
            wake: set whenever something is heard.
            monotonic: tells the time in seconds.
            silent: gives the devices whose file systems do not tell all changes, with their type.
            begin: makes the instance of inotify; left out: the host's.
        """
        self._monotonic = monotonic
        self._silent = silent
        self._begin = begin or _begin_inotify
        self._notebook = Notebook(wake, monotonic=monotonic)
        self._inotify: Inotify | None = None
        self._heard: dict[str, _Heard] = {}
        self._wanted: frozenset[str] = frozenset()
        self._deaf: set[str] = set()
        self._retry_at = 0.0
        self._unchecked: list[str] = []
        self._told: dict[str, str] = {}
        self._told_devices: set[int] = set()
        self._overflow_told_at = -RETRY

    def watch(self, directories: Collection[str]) -> None:
        """Listen to exactly these directories from now on.

        What was deleted, moved away or unmounted, and is there again, is listened to again. Why one cannot be listened
        to is told once, and it is left to the scans.
        """
        self._want(frozenset(directories))
        for directory in self._notebook.take_ended() | (self._heard.keys() - self._wanted):
            self._stop(directory)
        self._check_some()
        missing = sorted(self._wanted - self._heard.keys() - self._deaf)
        if missing and self._inotify is None:
            self._open()
        if self._inotify is None:
            return
        if missing:
            self._listen(self._inotify, missing)
        for directory, heard in self._heard.items():
            if not heard.watch.writes:
                self._try_again(self._inotify, directory, heard)

    def hears(self, directory: str) -> bool:
        """Tell whether hints come from a directory at all."""
        return (
            directory in self._heard
            and self._inotify is not None
            and self._inotify.is_alive
            and not self._notebook.has_ended(directory)
        )

    def busy(self) -> set[str]:
        """Give the directories that are heard, but not what is written to their files."""
        return {directory for directory, heard in self._heard.items() if not heard.watch.writes}

    def take(self) -> Hints:
        """Give what was heard since the last call."""
        hints = self._notebook.take()
        if hints.overflowed:
            now = self._monotonic()
            is_news = now - self._overflow_told_at >= RETRY
            if is_news:
                self._overflow_told_at = now
            telemetry.hints_overflowed(tell=is_news)
        return hints

    def close(self) -> None:
        """Stop listening."""
        self._heard.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _want(self, wanted: frozenset[str]) -> None:
        now = self._monotonic()
        if wanted == self._wanted and now < self._retry_at:
            return
        for directory in self._wanted - wanted:
            self._told.pop(directory, None)
        self._wanted = wanted
        self._retry_at = now + RETRY
        self._deaf.clear()

    def _check_some(self) -> None:
        """Find directories whose path means something else now: a parent was moved, or something mounted over it.

        The kernel does not tell. A few are checked at each call, so that thousands cost little (hazard 6.7).
        """
        if not self._unchecked:
            self._unchecked = list(self._heard)
        batch, self._unchecked = self._unchecked[:CHECKED_AT_ONCE], self._unchecked[CHECKED_AT_ONCE:]
        for directory in batch:
            heard = self._heard.get(directory)
            if heard is not None and heard.identity != _identity(directory):
                self._stop(directory)

    def _open(self) -> None:
        try:
            self._inotify = self._begin(self._notebook)
        except OSError as error:
            self._deaf |= self._wanted
            if self._is_news("inotify", str(error.errno)):
                telemetry.inotify_not_begun(error.strerror or str(error), _remedy(error))
            return
        self._told.pop("inotify", None)

    def _listen(self, inotify: Inotify, directories: list[str]) -> None:
        silent = self._silent()
        for number, directory in enumerate(directories):
            try:
                status = os.stat(directory)
                if status.st_dev in silent:
                    self._leave_silent(directory, status.st_dev, silent[status.st_dev])
                    continue
                watch = inotify.listen(directory)
            except (FileNotFoundError, NotADirectoryError):
                # it is listened to when it is there
                continue
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    # the others would be refused, too
                    self._deaf.update(directories[number:])
                    if self._is_news("watches", ""):
                        telemetry.watches_exhausted(directory, len(directories) - number, _remedy(error))
                    return
                self._deaf.add(directory)
                if self._is_news(directory, str(error.errno)):
                    telemetry.directory_not_watched(directory, error.strerror or str(error))
                continue
            self._told.pop(directory, None)
            self._heard[directory] = _Heard(watch, (status.st_dev, status.st_ino))
            # what came before it was listened to is found by a look (hazard 2.1)
            self._notebook.stirred(directory)
        self._told.pop("watches", None)

    def _leave_silent(self, directory: str, device: int, kind: str) -> None:
        self._deaf.add(directory)
        if device not in self._told_devices:
            self._told_devices.add(device)
            telemetry.file_system_polled(directory, kind)

    def _try_again(self, inotify: Inotify, directory: str, heard: _Heard) -> None:
        """Hear of a busy directory's writes again when it was left alone for long enough."""
        now = self._monotonic()
        if heard.busy_since is None:
            heard.busy_since = now
        if now - heard.busy_since < BUSY_FOR:
            return
        heard.busy_since = None
        try:
            inotify.hear_writes(heard.watch)
        except OSError:
            # it went this moment; the next call finds out what became of it
            self._notebook.ended(directory)

    def _stop(self, directory: str) -> None:
        heard = self._heard.pop(directory, None)
        if heard is not None and self._inotify is not None:
            self._inotify.forget(heard.watch)

    def _is_news(self, subject: str, reason: str) -> bool:
        is_news = self._told.get(subject) != reason
        self._told[subject] = reason
        return is_news


def _begin_inotify(notebook: Notebook) -> Inotify:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "this system has no inotify")
    from shipper.tailing.inotify import Inotify

    return Inotify(notebook)


def _identity(directory: str) -> tuple[int, int] | None:
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _remedy(error: OSError) -> str:
    """Say which limit to raise, and what it is now."""
    if error.errno == errno.ENOSPC:
        return f"raise it with `sysctl fs.inotify.max_user_watches=...`, now {_limit('max_user_watches')}"
    if error.errno == errno.EMFILE:
        return (
            f"raise it with `sysctl fs.inotify.max_user_instances=...`, now {_limit('max_user_instances')}, "
            "or the agent's own limit of open files, `LimitNOFILE=` of its unit"
        )
    return "nothing needs to be done"


def _limit(name: str) -> str:
    try:
        with open(f"/proc/sys/fs/inotify/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "not known"
