"""The seam through which the loops learn the time: monotonic for intervals, the wall clock for stamps (hazard 9.3)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


class Clock(Protocol):
    """What tells the time."""

    def monotonic(self) -> float:
        """Give seconds since any moment; they never go back."""

    def now(self) -> datetime:
        """Give the wall clock, aware."""


class WaitingClock(Clock, Protocol):
    """What also lets time pass."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until an event is set, at most so long; tells whether it is."""


class HostClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        """Give the kernel's monotonic clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """Give the wall clock in UTC."""
        return datetime.now(UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for real."""
        return event.wait(seconds)


HOST_CLOCK = HostClock()
