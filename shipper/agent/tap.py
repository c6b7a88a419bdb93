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


class Tap:
    """Events come from the intake's thread; any other may ask."""

    def __init__(self) -> None:
        """Begin closed."""
        self._lock = threading.Lock()
        self._open_until = float("-inf")
        self._newest: deque[Event] = deque(maxlen=KEPT)
        self._made = 0

    def take(self, events: Sequence[Event]) -> None:
        """Keep events for those who ask, if somebody does."""
        if not events or time.monotonic() > self._open_until:
            return
        with self._lock:
            self._newest.extend(events)
            self._made += len(events)

    def answer(self, question: Mapping[str, Any]) -> bytes:
        """Answer `{"ask": "tap", "after": NUMBER or null, "rule": ID or null}`.

        The answer is `{"after": ..., "missed": ..., "events": [...]}`: what to ask with the next time, how many events
        were made since and are not shown, and the events. The first question, with null, opens the tap.

        Raises:
            ShipperError: the question is put wrongly.
        """
        after, rule = question.get("after"), question.get("rule")
        if not (after is None or (isinstance(after, int) and after >= 0)) or not isinstance(rule, str | None):
            raise ShipperError("'after' must be the number of the last answer or null, 'rule' a rule's id or null")
        with self._lock:
            now = time.monotonic()
            if now > self._open_until:
                self._newest.clear()
            self._open_until = now + OPEN_FOR
            made = self._made
            new = 0 if after is None else max(0, made - after)
            kept = min(new, len(self._newest))
            events = list(islice(self._newest, len(self._newest) - kept, None))
        lines = [shown(event) for event in events if rule is None or event.rule == rule]
        return b'{"after":%d,"missed":%d,"events":[%s]}' % (made, new - kept, b",".join(lines))
