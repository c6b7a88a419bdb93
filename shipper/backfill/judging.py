"""Judges blocks by some of the rules: those that have not judged a content yet, on the events of the time asked for."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from shipper.backfill.digests import judgement_digest
from shipper.backfill.preceding import PrecedingTimes
from shipper.backfill.selection import NO_SOURCE
from shipper.matching.engine import Engine
from shipper.matching.timestamps import find_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from shipper.backfill.selection import Selected
    from shipper.backfill.tasks import Orders
    from shipper.config.model import SourceTable
    from shipper.events import Block, Event, Unjudged
    from shipper.matching.composer import Draft
    from shipper.matching.engine import Missed
    from shipper.matching.rule import Rule

    ReadTime = Callable[[str], datetime | None]


class Judging:
    """The rules of a backfill at work in one process."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._times = PrecedingTimes()
        self._engines: dict[frozenset[str], Engine] = {}
        self._digests: dict[str, dict[bytes, Rule]] = {}
        self._judging: frozenset[str] = frozenset()
        self._engine = self._engine_of(())

    def rules_of(self, selected: Selected) -> frozenset[bytes]:
        """Give the digests of the rules that judge a file."""
        return frozenset(self._rules(selected))

    def begin(self, selected: Selected, rules: Iterable[bytes], tail: bytes | Callable[[], bytes]) -> None:
        """Judge a file from now on, or the rest of one.

        Args:
            selected: the file.
            rules: digests of those that have not judged it; the others are left out.
            tail: what comes before, see `PrecedingTimes`.
        """
        known = self._rules(selected)
        wanted = [known[digest] for digest in rules]
        self._judging = frozenset(rule.id for rule in wanted)
        self._engine = self._engine_of(wanted)
        self._times.begin(tail)

    def judge(self, block: Block) -> list[Event | Draft]:
        """Give what comes of a block, before limits."""
        found = self._engine.draft(block)
        self._times.passed(block)
        if not found:
            return found
        span, judging = self._orders.span, self._judging
        return [each for each in found if each.rule in judging and each.time in span]

    def take_unjudged(self) -> list[Unjudged]:
        """Give the records on which rules ran out of time since the last call."""
        return [each for each in self._engine.take_unjudged() if each.rule in self._judging]

    def take_missed(self) -> list[Missed]:
        """Give the records that the scan had overlooked since the last call."""
        return self._engine.take_missed()

    def clocks(self, selected: Selected, rules: Iterable[bytes], reference: datetime) -> list[ReadTime] | None:
        """Give the ways in which rules read the time of a line; None where one reads it elsewhere than in the line."""
        known = self._rules(selected)
        found: dict[object, ReadTime] = {}
        for rule in map(known.__getitem__, rules):
            how = rule.time
            if how is not None and how.field is not None:
                return None
            read = find_time if how is None or how.format is None else how.format.read
            zone = (how.zone if how else None) or (selected.source or NO_SOURCE).zone
            found[read, zone] = functools.partial(_read_with, read, reference, zone)
        return list(found.values())

    def _rules(self, selected: Selected) -> dict[bytes, Rule]:
        source: SourceTable = selected.source or NO_SOURCE
        if source.name not in self._digests:
            name = None if selected.source is None else source.name
            orders = self._orders
            self._digests[source.name] = {
                judgement_digest(orders.texts[rule.id], source, orders.span, orders.again): rule
                for rule in orders.rules
                if rule.applies_to(name)
            }
        return self._digests[source.name]

    def _engine_of(self, wanted: Sequence[Rule]) -> Engine:
        """Give an engine of some rules; those that may keep a record from them are in it too, and make nothing."""
        ids = frozenset(rule.id for rule in wanted)
        if ids not in self._engines:
            rules = self._orders.rules
            last = max((place for place, rule in enumerate(rules) if rule.id in ids), default=-1)
            some = [
                rule if rule.id in ids else dataclasses.replace(rule, threshold=None, throttle=None)
                for rule in rules[: last + 1]
                if rule.id in ids or (rule.final and not rule.shadow)
            ]
            orders = self._orders
            self._engines[ids] = Engine(
                some, orders.host, orders.match_timeout, orders.group_id, drafting=True, time_before=self._times
            )
        return self._engines[ids]


def _read_with(read: Callable[..., datetime | None], reference: datetime, zone: object, text: str) -> datetime | None:
    return read(text, reference, zone)
