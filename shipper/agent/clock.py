"""The seam through which the loops learn the time: monotonic for intervals, the wall clock for stamps (hazard 9.3)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def monotonic(self) -> float:
        """Give seconds since any moment; they never go back."""

    def now(self) -> datetime:
        """Give the wall clock, aware."""


class HostClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        """Give the kernel's monotonic clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """Give the wall clock in UTC."""
        return datetime.now(UTC)


HOST_CLOCK = HostClock()
