"""How fast requests may follow each other, and how long to wait after a failure. Time is passed in, in seconds.

The service takes 20 requests a second for a whole account, all hosts together (API reference, section 6), so an agent
has to find out what is left for it: slow start, additive increase, halving (spec, sections 3 and 6).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_RATE = 1.0  # requests a second: what any account has left
_LOWEST_RATE = 1 / 60  # the pace of probing; halving goes no lower
_MARGIN = 1.02  # spaces requests by 2 % more than the rate asks: they may arrive closer together than they were sent
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 60.0


class Pacer:
    """Says when the next request may go.

    The first goes at once. Each accepted request doubles the rate up to what last proved too fast, from there on the
    rate grows by one request a second each second; throttling halves it.

    Not safe for several threads: one loop sends.
    """

    def __init__(self, max_rate: float) -> None:
        """Start slowly.

        Args:
            max_rate: requests a second that are never exceeded; 0 means no pacing at all.
        """
        self._max_rate = max_rate
        self._rate = min(_FIRST_RATE, max_rate)
        self._threshold = max_rate
        self._last = -math.inf
        self._changed = -math.inf

    @property
    def rate(self) -> float:
        """Requests a second that are allowed at present; infinite without pacing."""
        return self._rate if self._max_rate else math.inf

    def wait(self, now: float) -> float:
        """Tell how many seconds the next request has to wait; `now` is a monotonic clock's."""
        if not self._max_rate:
            return 0.0
        return min(max(0.0, self._last + self._interval - now), self._interval)

    def sent(self, now: float) -> None:
        """Note that a request goes out now."""
        self._last = now

    def accepted(self, now: float) -> None:
        """Note that the service accepted a request: the rate grows."""
        if self._rate < self._threshold:
            self._rate = min(self._rate * 2, self._threshold)
        else:
            growth = min(max(0.0, now - self._changed), 1.0, self._rate)
            self._rate = min(self._rate + growth, self._max_rate)
        self._changed = now

    def throttled(self, now: float) -> None:
        """Note that the service said "too fast": the rate halves, and the next request waits from now on."""
        self._rate = max(self._rate / 2, min(_LOWEST_RATE, self._max_rate))
        self._threshold = self._rate
        self._last = self._changed = now

    @property
    def _interval(self) -> float:
        return _MARGIN / self._rate if self._max_rate else 0.0


def backoff(attempt: int, random: Callable[[], float]) -> float:
    """Give the seconds to wait after a failure: full jitter over 0.5 s, doubling, at most 60 s.

    Args:
        attempt: failures in a row before this one, 0 for the first.
        random: gives a number from 0 to below 1, such as `random.random`.
    """
    doublings = min(max(attempt, 0), 7)  # 0.5 s doubled seven times is over the longest wait
    return float(random() * min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**doublings))
