"""What was heard and not yet asked for; written by the thread that hears, taken by the one that reads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

MAX_HINTS: Final = 100_000


@dataclass(slots=True)
class Hints:
    """What was heard since the last question.

    Attributes:
        written: paths of files that were written.
        stirred: directories in which names came, went or changed, or that are listened to only since then.
        overflowed: more happened than is told here, so everything deserves a look at once (hazard 2.2).
    """

    written: set[str] = field(default_factory=set)
    stirred: set[str] = field(default_factory=set)
    overflowed: bool = False


class Notebook:
    """Collects hints; all methods may be called by any thread."""

    def __init__(self, wake: threading.Event, most: int = MAX_HINTS) -> None:
        """Begin empty.

        Args:
            wake: set whenever something is noted.
            most: how many files are told apart; if more are written, everything is to be looked at instead.
        """
        self._wake = wake
        self._most = most
        self._lock = threading.Lock()
        self._hints = Hints()
        self._ended: set[str] = set()

    def written(self, path: str) -> None:
        """Note that a file was written."""
        with self._lock:
            if len(self._hints.written) < self._most:
                self._hints.written.add(path)
            elif path not in self._hints.written:
                self._hints.overflowed = True
        self._wake.set()

    def stirred(self, directory: str) -> None:
        """Note that names in a directory came, went or changed."""
        with self._lock:
            self._hints.stirred.add(directory)
        self._wake.set()

    def ended(self, directory: str) -> None:
        """Note that nothing more will be heard of a directory: it was deleted, moved away or unmounted."""
        with self._lock:
            self._ended.add(directory)
            self._hints.stirred.add(directory)
        self._wake.set()

    def overflowed(self) -> None:
        """Note that the kernel dropped notices."""
        with self._lock:
            self._hints.overflowed = True
        self._wake.set()

    def has_ended(self, directory: str) -> bool:
        """Tell whether `ended` was noted of a directory and not taken."""
        with self._lock:
            return directory in self._ended

    def take(self) -> Hints:
        """Give the hints since the last call."""
        with self._lock:
            taken, self._hints = self._hints, Hints()
        return taken

    def take_ended(self) -> set[str]:
        """Give the directories of which `ended` was noted since the last call."""
        with self._lock:
            taken, self._ended = self._ended, set()
        return taken
