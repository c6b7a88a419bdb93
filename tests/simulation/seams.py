"""What the agent of a simulated host is given for the real things: a store, a clock, and somebody who hints."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from shipper.errors import StateError
from shipper.outbox.store import Store
from shipper.tailing.hints import Hints

FORGETFUL = 3


class Killed(Exception):  # noqa: N818  what happened, not what went wrong
    """The process is gone."""


class FragileStore(Store):
    """A real store whose commits can fail, and at each of whose effects the process can die.

    Attributes:
        failures: how many commits fail from now on.
        dies: at which point the process dies.
        is_durable: whether a power loss would undo nothing.
    """

    failures = 0
    dies: str | None = None
    is_durable = True

    def record(self, checkpoints: Any, events: Any = (), **others: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StateError("no space left on device")
        self._point("before record")
        super().record(checkpoints, events, **others)
        self.is_durable = False
        self._point("after record")

    def sync(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StateError("input/output error")
        self._point("before sync")
        super().sync()
        self.is_durable = True
        self._point("after sync")

    def _point(self, name: str) -> None:
        if self.dies == name:
            raise Killed


POINTS = ("before record", "after record", "before sync", "after sync")


class SimulatedClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.wall = datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall


class ForgetfulWatcher:
    """Hints that come, but not all of them; and a queue that overflows (hazard 2.2)."""

    def __init__(self) -> None:
        self._hints = Hints()
        self._heard = 0

    def hear(self, path: str, directory: str | None) -> None:
        """Note that a file was written, or that the names in a directory changed; some notes are lost."""
        self._heard += 1
        if self._heard % FORGETFUL:
            if directory is None:
                self._hints.written.add(path)
            else:
                self._hints.stirred.add(directory)

    def overflow(self) -> None:
        self._hints = Hints(overflowed=True)

    def take(self) -> Hints:
        hints, self._hints = self._hints, Hints()
        return hints

    def hears(self, directory: str) -> bool:
        return True

    def busy(self) -> set[str]:
        return set()

    def watch(self, directories: Collection[str]) -> None:
        """Everything is heard of anyway."""
