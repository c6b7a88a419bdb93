"""What `shipper backfill` shows: how far it is, and at the end what came of it."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from shipper.cli.terminal import data, say, talk
from shipper.cloudmonitor import batching, openapi
from shipper.events import wire_time
from shipper.printable import printable_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from shipper.backfill.job import Progress, Tally
    from shipper.backfill.running import Ended, Show
    from shipper.config.model import CloudMonitorTable

LINE_EVERY = 5.0
_MOST_NAMED = 5


@contextmanager
def shown() -> Iterator[Show]:
    """Show progress: a bar on a terminal, a line every few seconds elsewhere."""
    if not talk().is_terminal:
        yield _Lines
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(TextColumn("{task.description}"), *columns, console=talk()) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: Progress, waiting: Callable[[], int] | None) -> Callable[[], None]:
            def advance() -> None:
                said = _said(progress, waiting)
                # a pipe has no size: the bar only moves
                total = progress.bytes_total or None
                bar.update(task, description=said, completed=progress.bytes, total=total)

            return advance

        yield show


class _Lines:
    """Says a line now and then."""

    def __init__(self, progress: Progress, waiting: Callable[[], int] | None) -> None:
        self._progress = progress
        self._waiting = waiting
        self._began = self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last < LINE_EVERY:
            return
        self._last = now
        progress, seconds = self._progress, now - self._began
        rate = progress.bytes / seconds
        left = (progress.bytes_total - progress.bytes) / rate if rate else math.inf
        rest = f", {_time_of(left)} of reading left" if 0 < left < math.inf else ""
        done = f"{progress.bytes} of {progress.bytes_total} bytes, {rate / 1e6:.1f} MB/s"
        say(f"{done}, {_said(progress, self._waiting)}{rest}")


def _said(progress: Progress, waiting: Callable[[], int] | None) -> str:
    files = progress.files + progress.files_before + len(progress.binary)
    left = 0 if waiting is None else waiting()
    sent = "" if waiting is None else f", {max(0, progress.events - left)} acknowledged, {left} to send"
    return f"{files} of {progress.files_total} files, {progress.events} events found{sent}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long sending takes under the account's limit.

    Attributes:
        requests: how many are needed.
        seconds: they take when nobody else sends; 0 without pacing.
    """

    requests: int
    seconds: float


def estimate(events: int, size: int, settings: CloudMonitorTable) -> Estimate:
    """Work out how long some events take."""
    most = openapi.MAX_EVENTS if settings.transport == "openapi" else batching.MAX_EVENTS
    requests = max(math.ceil(events / most), math.ceil(size / batching.MAX_BYTES))
    rate = settings.max_requests_per_second
    return Estimate(requests, requests / rate if rate else 0.0)


def summary(progress: Progress, ended: Ended | None, takes: Estimate | None) -> dict[str, object]:
    """Give all that is told at the end, for programs."""
    by_rule: dict[str, int] = {}
    for (rule, _), tally in progress.found.items():
        by_rule[rule] = by_rule.get(rule, 0) + tally.count
    told: dict[str, object] = {
        "files": progress.files + progress.files_before,
        "files_done_before": progress.files_before,
        "files_not_text": progress.binary,
        "bytes": progress.bytes,
        "events": progress.events,
        "delivered_before": progress.delivered_before,
        "delivered": ended.delivered if ended else 0,
        "waiting": ended.waiting if ended else 0,
        "refused": ended.refused if ended else 0,
        "by_rule": by_rule,
        "by_event": [
            {"rule": rule, "event": name, "count": tally.count, "first": _iso(tally.first), "last": _iso(tally.last)}
            for (rule, name), tally in _most_first(progress)
        ],
        "faults": progress.faults,
        "bytes_lost": dict(progress.losses),
        "not_judged": progress.unjudged,
        "is_cut": progress.is_cut,
    }
    if takes is not None:
        told |= {"requests": takes.requests, "seconds_to_send": takes.seconds}
    return told


def report(
    progress: Progress, ended: Ended | None, takes: Estimate | None, *, as_json: bool, written: bool = False
) -> None:
    """Tell what came of a backfill; of one that sent nothing `ended` is None."""
    if as_json:
        told = orjson.dumps(summary(progress, ended, takes), option=orjson.OPT_INDENT_2, default=str)
        data().out(told.decode())
        return
    files = progress.files + progress.files_before
    verb = "acknowledged" if ended else "written, none was sent" if written else "found, none was sent"
    count = ended.delivered if ended else progress.events
    say(f"{files} files read, {progress.files_before} of them had been done before. {count} events {verb}.")
    for (rule, name), tally in _most_first(progress):
        when = f"{_iso(tally.first)} … {_iso(tally.last)}" if tally.count > 1 else _iso(tally.first)
        say(f"  {tally.count:8}  {rule}  {name}  {when}")
    if takes is not None and takes.requests:
        how_long = f", at least {_time_of(takes.seconds)} at the account's limit" if takes.seconds else ""
        say(f"Sending them takes {takes.requests} requests{how_long}.")
    if progress.delivered_before:
        say(f"{progress.delivered_before} events had been delivered before and were left out; --again sends them too.")
    if progress.is_cut:
        say("There may be more: --max-events ended it. The same command goes on from here.", "yellow")
    _report_troubles(progress, ended)


def _report_troubles(progress: Progress, ended: Ended | None) -> None:
    if progress.binary:
        named = ", ".join(map(printable_path, progress.binary[:_MOST_NAMED]))
        more = f" and {len(progress.binary) - _MOST_NAMED} more" if len(progress.binary) > _MOST_NAMED else ""
        say(f"No text, left out: {named}{more}. Name such a file itself to have it read.", "dim")
    for reason, amount in progress.losses.items():
        say(f"{amount} bytes were skipped: {reason}", "yellow")
    if progress.unjudged:
        say(f"{progress.unjudged} records took a rule too long and count as not matched; see the log above.", "yellow")
    if ended is not None and ended.waiting:
        say(f"{ended.waiting} events wait in the store; the same command sends them.", "yellow")
    if ended is not None and ended.refused:
        said = "were refused by the service and are kept: see `shipper dead-letters list --backfill`"
        say(f"{ended.refused} events {said}", "red")
    for path, fault in progress.faults.items():
        say(f"{printable_path(path)}: {fault}", "red")


def _most_first(progress: Progress) -> list[tuple[tuple[str, str], Tally]]:
    return sorted(progress.found.items(), key=lambda item: (-item[1].count, item[0]))


def _iso(moment: datetime) -> str:
    return wire_time(moment)


def _time_of(seconds: float) -> str:
    return str(timedelta(seconds=math.ceil(seconds)))
