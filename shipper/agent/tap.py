"""Shows the events of a running agent as they are made, to whoever asks again and again (`shipper tap`).

While nobody asks, nothing is kept. A ring of the newest events waits for those who do; what was overwritten before it
was asked for is counted and said, and is sent all the same: a tap only looks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from shipper.agent.shown import shown
from shipper.errors import ShipperError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shipper.events import Event

KEPT = 1000
OPEN_FOR = 10.0
"""Seconds since the last question."""
MOST_OPEN = 16


class _Ring:
    """The newest events of one rule, or of all; how many there ever were, and until when somebody is there to ask."""

    def __init__(self) -> None:
        self.newest: deque[Event] = deque(maxlen=KEPT)
        self.made = 0
        self.open_until = 0.0


class Tap:
    """Events come from the intake's thread; any other may ask."""

    def __init__(self) -> None:
        """Begin closed."""
        self._lock = threading.Lock()
        # a ring of its own for each rule that is asked for: the storm of another must not hide its events
        self._rings: dict[str | None, _Ring] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Keep events for those who ask, if somebody does."""
        if not events or not self._rings:
            return
        with self._lock:
            self._close_idle()
            for rule, ring in self._rings.items():
                chosen = events if rule is None else [event for event in events if event.rule == rule]
                ring.newest.extend(chosen)
                ring.made += len(chosen)

    def answer(self, question: Mapping[str, Any]) -> bytes:
        """Answer `{"ask": "tap", "after": NUMBER or null, "rule": ID or null}`.

        The answer is `{"after": ..., "missed": ..., "events": [...]}`: what to ask with the next time, how many events
        were made since and are not shown, and the events. The first question, with null, opens the tap. Whoever asks on
        after it was closed again is told null for the number of those that are not shown.

        Raises:
            ShipperError: the question is put wrongly, or too many ask for different rules.
        """
        after, rule = question.get("after"), question.get("rule")
        if not (after is None or (isinstance(after, int) and after >= 0)) or not isinstance(rule, str | None):
            raise ShipperError("'after' must be the number of the last answer or null, 'rule' a rule's id or null")
        with self._lock:
            self._close_idle()
            was_closed = rule not in self._rings
            if was_closed and len(self._rings) >= MOST_OPEN:
                raise ShipperError(f"{MOST_OPEN} rules are being tapped already")
            ring = self._rings.setdefault(rule, _Ring())
            ring.open_until = time.monotonic() + OPEN_FOR
            new = 0 if after is None else max(0, ring.made - after)
            kept = min(new, len(ring.newest))
            made, events = ring.made, list(islice(ring.newest, len(ring.newest) - kept, None))
        missed = b"null" if was_closed and after is not None else b"%d" % (new - kept)
        return b'{"after":%d,"missed":%s,"events":[%s]}' % (made, missed, b",".join(map(shown, events)))

    def _close_idle(self) -> None:
        now = time.monotonic()
        for rule in [rule for rule, ring in self._rings.items() if now > ring.open_until]:
            del self._rings[rule]
