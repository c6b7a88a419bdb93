"""Storms: rules of which more events wait than `storm_backlog` (spec, section 3 `[store]`).

They are told, and with `storm = "fold"` their further events become one that carries the exact count, until half of
the backlog is sent.
Others are not held up by a storm: rules take turns in batches, and a full queue pauses the files that fill it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.matching.folding import FOLD, Folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.agent.clock import Clock
    from shipper.config.model import StoreTable
    from shipper.events import Event, LimitState
    from shipper.outbox.store import Store

TOLD_EVERY = 600.0
"""Seconds; folding lets a storm end and begin again every few seconds while it lasts, which nobody wants to read."""


class Storms:
    """Belongs to the intake's thread."""

    def __init__(self, store: Store, limits: StoreTable, clock: Clock) -> None:
        """Go on with the storms that the store tells of.

        Args:
            store: holds the queue, and what was folded.
            limits: when it is a storm, and what becomes of it.
            clock: tells the time.
        """
        self._store = store
        self._backlog = limits.storm_backlog
        self._is_folding = limits.storm == "fold"
        self._clock = clock
        self._folds = Folds(store.limits(FOLD))
        self._stormy = set(self._folds.rules)
        self._taken: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    @property
    def are_on(self) -> bool:
        """Whether there is one."""
        return bool(self._stormy)

    def take(self, events: list[Event]) -> list[Event]:
        """Give those of some events that go to the queue; the others are folded."""
        if not self._is_folding or not events:
            return events
        passed = []
        for event in events:
            if self._is_stormy(event.rule):
                self._folds.add(event)
            else:
                self._taken[event.rule] += 1
                passed.append(event)
        return passed

    def look(self) -> list[Event]:
        """Tell of storms that begin and end; gives the events that tell of what was folded."""
        if not self._is_folding and self._store.waiting_count > self._backlog:
            for rule in self._store.rules_over(self._backlog):
                self._begin(rule)
        events: list[Event] = []
        for rule in [rule for rule in self._stormy if self._is_over(rule)]:
            self._stormy.discard(rule)
            closing = self._folds.close(rule)
            self._taken[rule] += len(closing)
            events += closing
        return events

    def changes(self) -> Sequence[LimitState]:
        """Give what is to be committed with the offsets at hand."""
        return self._folds.changes()

    def recorded(self) -> None:
        """Note that what `take`, `look` and `changes` gave is durable."""
        self._folds.recorded()
        self._taken.clear()

    def _is_stormy(self, rule: str) -> bool:
        if rule not in self._stormy and self._waiting(rule) >= self._backlog:
            self._begin(rule)
        return rule in self._stormy

    def _is_over(self, rule: str) -> bool:
        return self._waiting(rule) <= self._backlog // 2

    def _waiting(self, rule: str) -> int:
        return self._store.waiting_of(rule) + self._taken[rule]

    def _begin(self, rule: str) -> None:
        if rule in self._stormy:
            return
        self._stormy.add(rule)
        now = self._clock.monotonic()
        told = now - self._told_at.get(rule, float("-inf")) < TOLD_EVERY
        if not told:
            self._told_at[rule] = now
        telemetry.storm_began(rule, self._backlog, folds=self._is_folding, told=told)
