"""Runs backfills in this process, with a sink that keeps everything in memory."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from shipper.backfill.digests import rule_texts
from shipper.backfill.job import Job
from shipper.backfill.planning import plan
from shipper.backfill.reading import Reader
from shipper.backfill.selection import families, select
from shipper.backfill.span import Span
from shipper.backfill.tasks import Orders
from shipper.backfill.workers import read_here, read_with_workers
from shipper.config.model import SourceTable
from shipper.events import Event, LimitState, Loss, Unjudged
from shipper.matching.composer import Host
from shipper.outbox.passes import Pass
from tests.matching.writing import load

HOST = Host("h", "192.0.2.1")
NUMBERED = "[[rule]]\nid = 'e'\nmatch = 'ERROR (?<n>[0-9]+)'\nevent = 'E'\ncontent = '{n}'\n"


class Kept:
    """A sink that keeps everything in memory, and may stop the job after some events."""

    keeps = True

    def __init__(self) -> None:
        self.passes: list[Pass] = []
        self.events: list[Event] = []
        self.on_record: Callable[[], object] = lambda: None
        self._limits: dict[tuple[str, str, bytes], LimitState] = {}

    def limits(self) -> list[LimitState]:
        return list(self._limits.values())

    def record(
        self,
        passes: Sequence[Pass],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        for each in passes:
            key = each.rules, each.checkpoint.identity
            self.passes = [p for p in self.passes if p.number not in each.replaces]
            self.passes = [p for p in self.passes if (p.rules, p.checkpoint.identity) != key]
            number = max((p.number or 0 for p in self.passes), default=0) + 1
            self.passes.append(dataclasses.replace(each, number=number))
        for state in limits:
            self._limits.pop(state[:3], None)
            if state.state is not None:
                self._limits[state[:3]] = state
        self.events += events
        self.on_record()

    def numbers(self) -> list[int]:
        return [int(event.content) for event in self.events]


def orders_of(directory: Path, rules: str, span: Span | None = None, *, again: int = 0) -> Orders:
    """What readers are told, of the text of a rule file."""
    rulebook = load(directory, rules)
    return Orders(rulebook.rules, rule_texts(rulebook), HOST, 5.0, 0, span or Span(), again)


def run(
    orders: Orders,
    kept: Kept,
    paths: Sequence[Path],
    *,
    source: SourceTable | None = None,
    stop: threading.Event | None = None,
    jobs: int = 1,
) -> tuple[bool, Job]:
    """Read files as one more run of the same backfill."""
    orders = dataclasses.replace(orders, passes=tuple(kept.passes))
    tasks = plan(families(select([str(path) for path in paths], (), source)))
    job = Job(orders, kept)
    parts = read_here(Reader(orders), tasks) if jobs == 1 else read_with_workers(orders, tasks, jobs, keep_order=True)
    try:
        return job.run(parts, stop or threading.Event(), lambda: None), job
    finally:
        parts.close()
