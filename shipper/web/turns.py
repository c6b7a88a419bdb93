"""Few at a time, a few more wait, and all others are told at once: so that those get through who cost nothing."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shipper.errors import ShipperError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_EVERY = 0.1


class BusyError(ShipperError):
    """Too many are at it or wait."""


class Turns:
    """Any thread may ask."""

    def __init__(self, most: int, most_waiting: int, patience: float) -> None:
        """Let `most` be at it at once, and `most_waiting` wait for `patience` seconds."""
        self._turns = threading.BoundedSemaphore(most)
        self._room = threading.BoundedSemaphore(most + most_waiting)
        self._patience = patience

    @contextmanager
    def take(self, what: str, is_gone: Callable[[], bool] = bool) -> Iterator[None]:
        """Wait for a turn, and have it until the end of the block.

        Args:
            what: of what there are too many, for people.
            is_gone: tells whether nobody waits for the answer any more.

        Raises:
            BusyError: too many wait already, or it took too long.
            ShipperError: nobody waits for the answer any more.
        """
        too_many = BusyError(f"too many {what} at this moment; try again")
        if not self._room.acquire(blocking=False):
            raise too_many
        try:
            until = time.monotonic() + self._patience
            while not self._turns.acquire(timeout=LOOK_EVERY):
                go_on(until, is_gone, too_many)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._room.release()


def go_on(until: float, is_gone: Callable[[], bool], too_late: ShipperError) -> None:
    """Raise when it is too late, or nobody waits any more; `until` in monotonic seconds."""
    if is_gone():
        raise ShipperError("nobody waits for the answer any more")
    if time.monotonic() > until:
        raise too_late
