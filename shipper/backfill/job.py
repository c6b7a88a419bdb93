"""Takes what readers found, lets limits judge it, and commits it together with how far the reading came.

Killed at any moment, the same command goes on where it was: what was not committed is read again, in the same order.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shipper import telemetry
from shipper.agent.judging import sendable
from shipper.backfill.tasks import Outcome
from shipper.events import Event
from shipper.matching.engine import Engine
from shipper.outbox.delivered import id_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from shipper.backfill.tasks import Orders, Part
    from shipper.events import LimitState, Loss, Unjudged
    from shipper.outbox.passes import Pass

COMMIT_EVENTS = 1000
COMMIT_SECONDS = 1.0


@dataclass(slots=True)
class Tally:
    """What was found of one rule and event name.

    Attributes:
        count: events.
        first: the earliest time of one.
        last: the latest.
    """

    count: int
    first: datetime
    last: datetime


@dataclass(slots=True)
class Progress:
    """How far a backfill is; read by whoever shows it.

    Attributes:
        files: files read to their end, or their fault, in this run.
        files_before: files that earlier runs had finished.
        binary: files that are no text, by path.
        files_total: of all that were selected.
        bytes: bytes on the disk that were taken, of `bytes_total`.
        bytes_total: bytes on the disk of all files.
        events: events found in this run, without those that had been delivered before.
        delivered_before: events left out because they had been.
        faults: what kept a file from being read to its end, by path.
        losses: bytes that were skipped, by reason.
        unjudged: records on which rules ran out of time.
        found: events found, by rule and event name.
        is_cut: whether there are more events than were asked for.
    """

    files: int = 0
    files_before: int = 0
    binary: list[str] = field(default_factory=list)
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0
    events: int = 0
    delivered_before: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    unjudged: int = 0
    found: dict[tuple[str, str], Tally] = field(default_factory=dict)
    is_cut: bool = False


class Sink(Protocol):
    """Where the events of a backfill go, with the progress they stand for.

    Attributes:
        keeps: whether what is more than was asked for waits there for the next run.
    """

    keeps: bool

    def limits(self) -> list[LimitState]:
        """Give what thresholds and throttles remembered when an earlier run ended."""

    def record(
        self,
        passes: Sequence[Pass],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        """Take events and progress, together."""


class Job:
    """One backfill.

    Attributes:
        progress: how far it is.
    """

    def __init__(
        self,
        orders: Orders,
        sink: Sink,
        *,
        known: AbstractSet[bytes] = frozenset(),
        most: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Prepare.

        Args:
            orders: what readers are told.
            sink: takes the events.
            known: ids of events that are not to be sent again.
            most: how many events are wanted; reading ends where there are as many.
            progress: is kept up to date, for somebody who shows it already.
        """
        self.progress = progress or Progress()
        self._sink = sink
        self._known = known
        self._most = most
        self._settling = _engine(orders)
        # of a pipe nothing is kept, so it is counted anew each time
        self._streaming = _engine(orders)
        self._commit_at = 0.0
        self._positions: dict[str, int] = {}
        self._events: list[Event] = []
        self._passes: list[Pass] = []
        self._losses: list[Loss] = []
        self._unjudged: list[Unjudged] = []

    def run(self, parts: Iterable[Part | None], stop: threading.Event, tick: Callable[[], None]) -> bool:
        """Take all parts; True when all were read, and False when it was stopped before, or had enough.

        Args:
            parts: from readers; None says that time has passed.
            stop: set from outside to end early, cleanly.
            tick: called often, to show `progress`.
        """
        limits = self._settling.limits
        limits.restore(self._sink.limits())
        self._take(limits.use(self._settling.rules))
        for part in parts:
            if part is not None:
                self._take_part(part)
            if len(self._events) >= COMMIT_EVENTS or time.monotonic() >= self._commit_at:
                self._commit()
            tick()
            if stop.is_set() or self.progress.is_cut:
                self._commit()
                return False
        # nothing more comes, so what throttles hold back is told
        self._take(self._settling.finish())
        self._take(self._streaming.finish())
        self._commit()
        return not self.progress.is_cut

    def _take_part(self, part: Part) -> None:
        progress = self.progress
        engine = self._streaming if part.is_stream else self._settling
        for found in part.found:
            self._take((found,) if isinstance(found, Event) else engine.settle(found))
        self._passes += part.passes
        self._losses += part.losses
        self._unjudged += part.unjudged
        for each in part.unjudged:
            telemetry.record_not_judged(each.rule, each.path, each.offset, each.length)
        for missed in part.missed:
            telemetry.record_missed(missed.rule, missed.path, missed.offset)
        for loss in part.losses:
            progress.losses[loss.reason] += loss.amount
        progress.unjudged += len(part.unjudged)
        progress.bytes += max(0, part.position - self._positions.get(part.path, 0))
        self._positions[part.path] = max(part.position, self._positions.get(part.path, 0))
        if part.fault is not None:
            progress.faults[part.path] = part.fault
        if part.outcome is not None:
            progress.files += part.outcome is Outcome.READ
            progress.files_before += part.outcome is Outcome.DONE_BEFORE
            if part.outcome is Outcome.BINARY:
                progress.binary.append(part.path)

    def _take(self, made: Sequence[Event]) -> None:
        progress = self.progress
        for event in sendable(list(made)):
            if self._known and id_of(event.id) in self._known:
                progress.delivered_before += 1
                continue
            if progress.is_cut and not self._sink.keeps:
                return
            progress.events += 1
            tally = progress.found.get((event.rule, event.name))
            if tally is None:
                progress.found[event.rule, event.name] = Tally(1, event.time, event.time)
            else:
                tally.count += 1
                tally.first, tally.last = min(tally.first, event.time), max(tally.last, event.time)
            self._events.append(event)
            progress.is_cut = self._most is not None and progress.events >= self._most

    def _commit(self) -> None:
        limits = self._settling.limits
        changes = limits.changes()
        if self._events or self._passes or self._losses or self._unjudged or changes:
            self._sink.record(self._passes, self._events, self._losses, changes, self._unjudged)
            limits.recorded()
            self._events, self._passes, self._losses, self._unjudged = [], [], [], []
        self._commit_at = time.monotonic() + COMMIT_SECONDS


def _engine(orders: Orders) -> Engine:
    return Engine(orders.rules, orders.host, orders.match_timeout, orders.group_id)
