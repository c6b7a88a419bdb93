"""The newest events with the lines they came from, for who looks after something happened (spec, section 7).

A storm of one rule does not push out what others made: when there is no more room, the rule that holds the most gives
its oldest. Lines are kept as they may be shown: without what any rule redacts, whichever made the event.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from shipper.agent.shown import facts
from shipper.matching.records import records_at
from shipper.matching.redaction import CUT, Redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.events import Block, Event
    from shipper.matching.redaction import Redaction

KEPT = 500
OF_A_BLOCK = 20
CHARACTERS = 4096
"""Of a line, and of an event's content."""
TIMEOUT = 0.1
"""Seconds for one search of a redaction."""
LINES_TIMEOUT = 0.1
"""Seconds after which no further line of a block is looked at: reading goes on."""


class RecentEvent(NamedTuple):
    """An event: its number among all, itself, and the text of its record; None where that is not at hand."""

    number: int
    event: Event
    line: str | None


class Recent:
    """Events come from the intake's thread; any other may ask."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._kept: dict[str, deque[RecentEvent]] = {}
        self._count = self._made = 0
        self._redactions: tuple[Redaction, ...] = ()

    def use(self, redactions: tuple[Redaction, ...]) -> None:
        """Cover lines by other redactions from now on; those that are kept are let go of, for they were not."""
        with self._lock:
            if redactions == self._redactions:
                return
            self._redactions = redactions
            for rule, kept in self._kept.items():
                self._kept[rule] = deque(each._replace(line=None) for each in kept)

    def take(self, events: Sequence[Event], block: Block) -> None:
        """Keep the newest events of a block; those that tell of records before it have no line."""
        redactions = self._redactions
        newest, until = events[-OF_A_BLOCK:], time.monotonic() + LINES_TIMEOUT
        lines = [_line(block, event, redactions) if time.monotonic() < until else None for event in newest]
        with self._lock:
            if redactions is not self._redactions:
                # others came meanwhile
                lines = [None] * len(lines)
            self._made += len(events) - len(newest)
            for event, line in zip(newest, lines, strict=True):
                self._made += 1
                kept = self._kept.setdefault(event.rule, deque())
                kept.append(RecentEvent(self._made, event._replace(content=event.content[:CHARACTERS]), line))
                self._count += 1
                if self._count > KEPT:
                    self._let_go_of_one()

    def after(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """Give how many events there ever were, and of those kept the ones after a number, the newest last."""
        with self._lock:
            newer = [each for kept in self._kept.values() for each in kept if each.number > number]
            made = self._made
        newer.sort(key=attrgetter("number"))
        return made, [facts(each.event) | {"number": each.number, "line": each.line} for each in newer]

    def _let_go_of_one(self) -> None:
        rule = max(self._kept, key=lambda rule: len(self._kept[rule]))
        self._kept[rule].popleft()
        self._count -= 1
        if not self._kept[rule]:
            del self._kept[rule]


def _line(block: Block, event: Event, redactions: tuple[Redaction, ...]) -> str | None:
    at = _place_of(block, event.offset)
    if at is None:
        return None
    record = next((record for record, _ in records_at(block, [(at + 1, 0)])), None)
    if record is None or record.offset != event.offset:
        return None
    if record.cut and redactions:
        return CUT
    return Redacted(record.text, redactions, TIMEOUT).text[:CHARACTERS]


def _place_of(block: Block, offset: int) -> int | None:
    """Give where in a block's data the record lies that begins at an offset; None when it lies elsewhere."""
    if isinstance(block.records, tuple):
        at = bisect_left(block.records, offset, key=lambda record: record.offset)
        found = at < len(block.records) and block.records[at].offset == offset
        return block.records[at].start if found else None
    at = offset - block.offset
    return at if 0 <= at < len(block.data) else None
