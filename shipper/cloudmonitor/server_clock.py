"""The service's time, as far as this host's clock is wrong (spec, section 6).

A request whose `Date` is far off is refused, and a wrong clock is no reason to deliver nothing: what the service's
answers say of its time is used for dating and signing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipper.cloudmonitor.verdict import Answer

TOLERATED = 60.0
"""Seconds. What the upload tolerates is not documented; the RPC gateway allows 15 minutes (reference, section 2)."""


class ServerClock:
    """Gives the epoch time in seconds when it is called.

    Attributes:
        host: gives this host's time.
        offset: seconds that the service is ahead, if that is over `TOLERATED`, either way; else 0.
    """

    def __init__(self, host: Callable[[], float]) -> None:
        """Begin with the host's time."""
        self.host = host
        self.offset = 0.0

    def __call__(self) -> float:
        """Give the service's time."""
        return self.host() + self.offset

    def note(self, answer: Answer) -> None:
        """Learn from an answer; from one of the service alone, for a proxy's page tells of another clock."""
        if answer.code and answer.server_date is not None:
            offset = answer.server_date.timestamp() - self.host()
            self.offset = offset if abs(offset) > TOLERATED else 0.0
