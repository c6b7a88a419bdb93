"""What was heard and not yet asked for; written by the thread that hears, taken by the one that reads."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HINTS: Final = 100_000
MOST_NOTICES: Final = 50
"""Of writes within `WINDOW`, of all directories together, that are worth a wake-up each."""
WINDOW: Final = 0.1


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

    def __init__(
        self, wake: threading.Event, most: int = MAX_HINTS, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin empty.

        Args:
            wake: set whenever something is noted.
            most: how many files are told apart; if more are written, everything is to be looked at instead.
            monotonic: tells the time in seconds.
        """
        self._wake = wake
        self._most = most
        self._lock = threading.Lock()
        self._hints = Hints()
        self._ended: set[str] = set()
        self._monotonic = monotonic
        self._window_ends = 0.0
        self._notices: dict[str, int] = {}

    def written(self, path: str, directory: str) -> bool:
        """Note that a file was written; tells whether its directory is written too often to be heard of each time.

        The more directories are written at once the less often each may be; once within `WINDOW` is never too often.
        """
        with self._lock:
            if len(self._hints.written) < self._most:
                self._hints.written.add(path)
            elif path not in self._hints.written:
                self._hints.overflowed = True
            now = self._monotonic()
            if now >= self._window_ends:
                self._window_ends = now + WINDOW
                self._notices.clear()
            count = self._notices[directory] = self._notices.get(directory, 0) + 1
            too_often = count > max(1, MOST_NOTICES // len(self._notices))
        self._wake.set()
        return too_often

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
