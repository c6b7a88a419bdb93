"""The sending loop's waiting: for events, between tries, and with a deadline once it is to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.agent.clock import WaitingClock


class Pauses:
    """`wake` and `drain` are called by any thread, the rest by the loop's own.

    Attributes:
        until: up to when the loop last meant to wait, monotonic: who waits on purpose does not stand still.
    """

    def __init__(self, clock: WaitingClock) -> None:
        """Begin without a deadline."""
        self._clock = clock
        self._wake = threading.Event()
        self._interrupt = threading.Event()
        self._deadline: float | None = None
        self.until = clock.monotonic()

    def wake(self) -> None:
        """Say that new events wait."""
        self._wake.set()

    def drain(self, seconds: float) -> None:
        """Say that the loop is to end once everything is sent, and in so many seconds in any case."""
        self._deadline = self._clock.monotonic() + seconds
        self._interrupt.set()
        self._wake.set()

    @property
    def draining(self) -> bool:
        """Whether the loop is to end."""
        return self._deadline is not None

    @property
    def is_late(self) -> bool:
        """Whether the time to end is over."""
        return self._deadline is not None and self._clock.monotonic() >= self._deadline

    def look(self) -> None:
        """Forget that somebody woke the loop: it looks now."""
        self._wake.clear()

    def idle(self, seconds: float) -> None:
        """Wait until somebody wakes the loop, at most so long; not at all once it is to end."""
        if self._deadline is None:
            self.until = self._clock.monotonic() + seconds
            self._clock.wait(self._wake, seconds)

    def rest(self, seconds: float) -> bool:
        """Wait; a drain that begins cuts it short once, its deadline in any case. False when the time is up."""
        self.until = self._clock.monotonic() + max(0.0, seconds)
        if self._deadline is None:
            if seconds > 0:
                self._clock.wait(self._interrupt, seconds)
            return True
        if seconds > 0:
            # nobody sets this one: a plain wait with a bound
            self._clock.wait(threading.Event(), max(0.0, min(seconds, self._deadline - self._clock.monotonic())))
        return not self.is_late
