"""How fast requests may follow each other, and how long to wait after a failure. Time is passed in, in seconds.

The service takes 20 requests a second for a whole account, all hosts together (API reference, section 6), and agents
know nothing of each other. How many requests an agent sends follows from slow start, growth while they are accepted
and decrease when they are refused (spec, sections 3 and 6). That alone cannot share a limit that is counted by the
second: requests at random moments fill 91 % of such seconds at best. So an agent also learns *when* to send, as in
reservation ALOHA: a moment at which a request was accepted is kept and comes back after a fixed period.
What a fleet makes of it is measured by `python -m tests.fleet`.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_SHARE = 1 / 20  # of the limit: one request a second of the account's twenty
_LOWEST_SHARE = 1 / 20_000  # of the limit: half of what each of 10,000 agents may have
_MARGIN = 1.05  # spaces an agent's requests by 5 % more than the limit asks: they may arrive closer than they were sent
_FRAME = 21.0  # intervals of the limit: the period all others are a power of two of; 1.05 s, so that slots
# drift through the service's seconds, none is for ever the first in one, and a request that arrives 50 ms early fits
_SLOTS = 10.0  # slots that carry an agent's rate: what one gained or lost slot changes
_REFUSED_SHARE = 0.083  # of the requests: what growth and decrease settle at for a rate of a thousandth of the limit
_STEEPNESS = 0.2  # richer agents settle at fewer refusals, so that all end at the same rate
_DECREASE = 0.016  # of the rate, for a refused slot
_AGILITY = 9.0  # times the share of the limit: by so much more; a rich agent evens out with few others
_RICH = 2.5  # the same, more steeply, for an agent that has much of the limit: its own slots do not collide
_YIELD = 0.03  # of the rate that has no slots yet, for a refused search
_YIELD_AT_FIRST = 0.1  # the same while there is no slot at all
_NUDGE = 0.1  # seconds; how far a refused slot moves at most
_DENSE = 0.02  # of the limit: whose slots are so dense tries a refused one again at once, for the limit has room soon
_REFUSALS = 2  # in a row that a slot survives
_ROOM = 8.0  # a run of acceptances that has a chance of exp(-8) at the usual refusals: there is room
_GROWTH_WITH_ROOM = 1 / 8  # of the rate for each accepted request
_LONGEST_PAUSE = 6.0  # mean intervals after which a request goes whatever the slots say
_LATE = 1.0  # seconds after which a slot was missed
_SOON = 0.001  # seconds within which a slot is due: sums of times are rounded
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 60.0


class _Slot(NamedTuple):
    """A moment that comes back.

    Attributes:
        due: when it comes next, on the caller's clock.
        period: seconds from one to the next; 0 for a request at a random moment, which is a search for a slot.
        refusals: how often it was refused in a row.
    """

    due: float
    period: float
    refusals: int = 0

    def after(self, now: float) -> _Slot:
        """Give the same slot at its first return after `now`."""
        missed = math.ceil((now - self.due) / self.period) if self.due < now else 0
        return self._replace(due=self.due + missed * self.period)


def _never_random() -> float:
    return 0.5


class Pacer:
    """Says when the next request may go.

    The first goes at once, and each accepted request doubles the rate until one is refused. So it does after a silence
    of its own. From then on:

    - Requests go in slots, and where slots carry less than the rate, at random moments: an accepted one becomes a slot.
    - A slot that is refused moves by a random part of 0.1 s, so that slots push each other apart; the rate
      decreases by some 2 %. Refused three times in a row it is given up. An agent that has much of the limit tries
      it again after that part of 0.1 s, one that has little when it comes back.
    - A random request that is refused lowers the rate towards what the slots carry.
    - Each accepted request raises the rate so little that growth and decrease balance at 8 % of refusals for a poor
      agent and at less for a richer one. All see the same refusals, so the rich shrink and the poor grow.
    - A long run without a refusal shows that others left: then the rate grows by an eighth each time.

    Not safe for several threads: one loop sends.
    """

    def __init__(
        self, max_rate: float, *, random: Callable[[], float] = _never_random, rate: float | None = None
    ) -> None:
        """Start slowly, or from what was found before.

        Args:
            max_rate: requests a second that are never exceeded; 0 means no pacing at all.
            random: gives a number from 0 to below 1, such as `random.random`; agents need different ones.
            rate: what `rate` was when the agent last ended: it goes on from there at random moments, also if
                all agents of a fleet start at once; None when there was no earlier run.
        """
        self._max_rate = max_rate
        self._random = random
        self._top = max_rate / _MARGIN
        first = max_rate * _FIRST_SHARE if rate is None or not rate > 0 else rate
        self._rate = max(max_rate * _LOWEST_SHARE, min(first, self._top))
        self._is_slow_start = rate is None or not rate > 0
        self._slots: list[_Slot] = []  # a heap
        self._carried = 0.0  # requests a second of all slots, the one in flight included
        self._search = math.inf  # when a request goes at a random moment
        self._has_begun = False
        self._in_flight: _Slot | None = None
        self._last = -math.inf
        self._was_answered = False  # the last request; one without an answer is no silence of its own
        self._run = 0  # requests accepted in a row

    @property
    def rate(self) -> float:
        """Requests a second that are allowed at present, to be kept for the next start; infinite without pacing."""
        return self._rate if self._max_rate else math.inf

    @property
    def found_rate(self) -> float | None:
        """What others may go on with, or this one at its next start; None as long as the start only feels its way."""
        return None if self._is_slow_start and self._rate < self._top else self.rate

    @property
    def longest_wait(self) -> float:
        """Seconds that a request waits at most at the present rate; 0 without pacing."""
        return _LONGEST_PAUSE / self._rate if self._max_rate else 0.0

    def wait(self, now: float) -> float:
        """Tell how many seconds the next request has to wait; `now` is a monotonic clock's."""
        if not self._max_rate:
            return 0.0
        if not self._has_begun:
            self._begin(now)
        if self._in_flight is not None:
            self._go_on(now)
        planned = min(self._search, self._slots[0].due if self._slots else math.inf)
        if self._last > -math.inf:
            planned = min(planned, self._last + _LONGEST_PAUSE / self._rate)
        return max(0.0, planned - now, self._last + _MARGIN / self._max_rate - now)

    def sent(self, now: float) -> None:
        """Note that a request goes out now."""
        if not self._max_rate:
            return
        if not self._has_begun:
            self._begin(now)
        if self._in_flight is not None:
            self._go_on(now)
        elif self._was_answered and now - self._last > _LONGEST_PAUSE / self._rate:
            # it had less to send than it might: what others leave is to be found anew, as at the start
            self._is_slow_start = True
        self._last, self._was_answered = now, False
        if self._slots and self._slots[0].due <= min(now + _SOON, self._search):
            self._in_flight = heapq.heappop(self._slots)
        else:
            self._in_flight, self._search = _Slot(now, 0.0), math.inf
        while self._slots and self._slots[0].due < now - _LATE:  # missed on a quiet line: one request stands for all
            heapq.heapreplace(self._slots, self._slots[0].after(now))

    def adopt(self, rate: float) -> None:
        """Take over the rate that another process of this host found; slots follow as requests are answered."""
        self._rate = max(self._max_rate * _LOWEST_SHARE, min(rate, self._top))
        self._is_slow_start = False

    def accepted(self, now: float) -> None:
        """Note that the service accepted a request: its moment becomes or stays a slot, and the rate grows."""
        slot, self._in_flight = self._in_flight, None
        if slot is None:
            return
        self._was_answered = True
        self._run += 1
        self._grow()
        if not slot.period:
            slot = slot._replace(period=self._period())
            self._carried += 1 / slot.period
        is_surplus = self._slots and self._carried > self._rate * (1 + 1 / _SLOTS)
        is_tiny = slot.period * self._rate > 8 * _SLOTS
        if is_surplus or is_tiny:
            self._carried -= 1 / slot.period
        else:
            heapq.heappush(self._slots, self._returning(slot, now)._replace(refusals=0))
        self._look(now)

    def throttled(self, now: float) -> None:
        """Note that the service said "too fast": the rate decreases, and the request's slot moves or is given up."""
        slot, self._in_flight = self._in_flight, None
        if slot is None:
            return
        self._was_answered = True
        self._run = 0
        if self._is_slow_start:
            self._is_slow_start = False
            rate = self._rate / 2
        elif slot.period:
            rate = self._rate * (1 - self._decrease())
        else:
            missing = max(0.0, self._rate - self._carried)
            rate = self._rate - missing * (_YIELD if self._slots else _YIELD_AT_FIRST)
        self._rate = max(rate, self._max_rate * _LOWEST_SHARE)
        if slot.period:
            if slot.refusals < _REFUSALS and self._carried <= self._rate * (1 + 1 / _SLOTS):
                again = now if self._rate > self._max_rate * _DENSE else self._returning(slot, now).due
                heapq.heappush(self._slots, _Slot(again + self._random() * _NUDGE, slot.period, slot.refusals + 1))
            else:
                self._carried -= 1 / slot.period
        self._look(now)

    def _begin(self, now: float) -> None:
        """Plan the first request: at once, or slots at random moments for a rate that was kept."""
        self._has_begun = True
        if self._is_slow_start:
            self._search = now
        else:
            period = self._period()
            count = max(1, round(self._rate * period))
            self._slots = [_Slot(now + self._random() * period, period) for _ in range(count)]
            heapq.heapify(self._slots)
            self._carried = len(self._slots) / period

    def _go_on(self, now: float) -> None:
        """Keep to the slots after a request without an answer, so that an outage ends as quietly as it began."""
        if self._in_flight is not None and self._in_flight.period:
            self._slots.append(self._in_flight)
        self._in_flight = None
        self._slots = [slot.after(now) for slot in self._slots]
        heapq.heapify(self._slots)
        self._look(now)

    def _grow(self) -> None:
        if self._is_slow_start:
            self._rate = min(self._rate * 2, self._top)
            return
        share = self._rate / self._max_rate
        refused = _REFUSED_SHARE * (share * 1000) ** -_STEEPNESS * max(0.5, 1 - share) ** _RICH
        growth = _GROWTH_WITH_ROOM if self._run * refused > _ROOM else self._decrease() * refused
        self._rate = min(self._rate * (1 + growth), self._top)

    def _decrease(self) -> float:
        """Give the part of the rate that a refused slot costs."""
        return _DECREASE * (1 + _AGILITY * self._rate / self._max_rate)

    def _period(self) -> float:
        """Give the period of a new slot: the power of two that makes it about a tenth of the rate."""
        frame = _FRAME / self._max_rate
        doublings = math.ceil(math.log2(_SLOTS / self._rate / frame) - 1e-9)
        return float(frame * 2.0 ** max(doublings, -2))

    def _returning(self, slot: _Slot, now: float) -> _Slot:
        return slot._replace(due=slot.due + slot.period).after(now - _LATE)

    def _look(self, now: float) -> None:
        """Plan the next request at a random moment, if the slots carry noticeably less than the rate."""
        missing = self._rate - self._carried
        if missing * 2 * _SLOTS < self._rate:
            self._search = math.inf
        else:
            self._search = min(self._search, now + (0.5 + self._random()) / missing)


def backoff(attempt: int, random: Callable[[], float]) -> float:
    """Give the seconds to wait after a failure: full jitter over 0.5 s, doubling, at most 60 s.

    Args:
        attempt: failures in a row before this one, 0 for the first.
        random: gives a number from 0 to below 1, such as `random.random`.
    """
    doublings = min(max(attempt, 0), 7)  # 0.5 s doubled seven times is over the longest wait
    return float(random() * min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**doublings))
