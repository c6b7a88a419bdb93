"""How `shipper status` shows a status to people; everything that came from files is made harmless to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from shipper.agent.status import Health
from shipper.printable import printable, printable_path
from shipper.tailing.condition import FileState
from shipper.telemetry import off_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from shipper.agent.status import Delivery, Files, Process, Reload, RuleHits, Status

_FEW = 20
_STYLES = {Health.HEALTHY: "green", Health.DEGRADED: "yellow", Health.UNHEALTHY: "red", Health.STOPPED: "red"}
_QUIET = (FileState.IDLE, FileState.CLOSED)
_STATE_STYLES = {FileState.FAILING: "red", FileState.PAUSED: "yellow", FileState.SKIPPED: "yellow"}
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))

Line = tuple[str, str]
"""A text and the style that it has on a terminal."""


def render(status: Status, *, everything: bool, link: str | None = None) -> Text:
    """Give a status for people.

    Args:
        status: what is shown.
        everything: whether all files and rules are listed, also those that are quiet.
        link: of the page of a running agent, with its token.
    """
    text = Text(status.health.value, style=f"bold {_STYLES[status.health]}")
    for line, style in _lines(status, everything=everything):
        text.append("\n" + printable(line), style=style)
    if link is not None:
        text.append(f"\npage       {printable(link)}")
    return text


def _lines(status: Status, *, everything: bool) -> Iterator[Line]:
    for finding in status.findings:
        since = f" (since {_at(finding.since)})" if finding.since else ""
        yield f"  {finding.what}: {finding.reason}{since}", _STYLES[finding.health]
    if status.process is not None:
        yield _process(status.process), ""
    elif status.told_at is not None:
        yield f"agent      told last at {_at(status.told_at)} what follows of rules and delivery", "dim"
    if status.reload is not None:
        yield from _reload(status.reload)
    if status.files is None:
        yield "files      not known: the reading loop did not answer", "yellow"
    else:
        yield from _files(status.files, everything=everything)
    if status.rules is None:
        yield "rules      not known: no agent has told of them", "dim"
    else:
        yield from _rules(status.rules, everything=everything)
    yield from _queue(status)
    if status.delivery is not None:
        yield from _delivery(status.delivery)
    lost = ", ".join(f"{loss.amount} {loss.what} ({loss.reason})" for loss in status.losses)
    yield f"losses     {lost or 'none'}", "yellow" if lost else ""
    more = f", and {status.unjudged} places that rules did not judge" if status.unjudged else ""
    yield f"dead letters  {status.dead_letters}{more}", "yellow" if status.dead_letters or more else ""


def _process(process: Process) -> str:
    return (
        f"agent      version {process.version}, pid {process.pid}, since {_at(process.started_at)}, "
        f"scanner {process.scanner}"
    )


def _reload(reload: Reload) -> Iterator[Line]:
    if reload.refused is None:
        yield f"rules      {reload.rules} in force since {_at(reload.at)}, as their files are", ""
    else:
        yield (
            f"rules      {reload.rules} in force since {_at(reload.at)}; what their files say now is refused",
            "yellow",
        )


def _files(files: Files, *, everything: bool) -> Iterator[Line]:
    states = ", ".join(f"{count} {state.value}" for state, count in files.states.items())
    lag = f", lag {files.lag} bytes" + (f", {_span(files.lag_seconds)}" if files.lag else "")
    yield f"files      {files.count}" + (f" ({states})" if states else "") + lag, ""
    if files.held_deleted_bytes:
        yield f"           {files.held_deleted_bytes} bytes of deleted files are held until they are read", "yellow"
    chosen = [f for f in files.listed if everything or f.lag or f.state not in _QUIET or files.count <= _FEW]
    for file in chosen:
        place = "" if file.offset is None else f" at {file.offset}"
        place += "" if file.size is None or file.offset is None else f" of {file.size}"
        said = f"  {file.state.value:<9} {printable_path(file.path)}{place}: {file.reason}"
        yield said, _STATE_STYLES.get(file.state, "")
    left = files.count - len(chosen)
    if left:
        yield f"  and {left} more" + ("" if everything else "; --all lists them"), "dim"


def _rules(rules: tuple[RuleHits, ...], *, everything: bool) -> Iterator[Line]:
    """Show the rules that cost or found something, the costliest first."""
    chosen = [rule for rule in rules if everything or rule.judged or rule.every_line]
    for rule in sorted(chosen, key=lambda rule: -rule.seconds):
        shadow = " (shadow: nothing is sent)" if rule.shadow else ""
        counts = {
            "ignored": rule.ignored,
            "timed out": rule.timed_out,
            "below the threshold": rule.below,
            "held back by the throttle": rule.held,
            "redactions failed": rule.redaction_failed,
        }
        last = f", last {_at(rule.last)}" if rule.last else ""
        rest = "".join(f", {count} {what}" for what, count in counts.items() if count)
        bad = "; judges every line: no text is certain, and rare, in what it finds" if rule.every_line else ""
        said = (
            f"rule       {rule.id}{shadow}: {rule.matched} matched{last}{rest}; "
            f"searched in {rule.judged} records, {rule.seconds:.3g} s{bad}"
        )
        yield said, "yellow" if rule.timed_out or rule.redaction_failed else ""
    if len(chosen) < len(rules):
        yield f"rules      {len(rules) - len(chosen)}{' more' if chosen else ''} had nothing to judge", "dim"


def _queue(status: Status) -> Iterator[Line]:
    queue = status.queue
    yield f"queue      {queue.events} events, {queue.bytes} of {queue.limit} bytes", ""
    for waiting in queue.rules:
        more = f", {waiting.folded} more folded" if waiting.folded else ""
        yield f"  {waiting.rule}: {waiting.events} events, {waiting.bytes} bytes{more}", ""


def _delivery(sent: Delivery) -> Iterator[Line]:
    last = f", last {_at(sent.accepted_at)}" if sent.accepted_at else ""
    said = (
        f"delivery   {sent.delivered} delivered{last}; {sent.refused} refused; "
        f"{sent.failed} requests failed, {sent.throttled} throttled"
    )
    yield said + (f"; at most {sent.rate:.2g} requests/s" if sent.rate is not None else ""), ""
    if sent.last_error is not None:
        yield f"  last error{f' at {_at(sent.failed_at)}' if sent.failed_at else ''}: {sent.last_error}", "yellow"
    if sent.clock_offset:
        yield f"clock      {off_by(sent.clock_offset)} the service's", "yellow"
    elif sent.accepted_at:
        yield "clock      within a minute of the service's", ""


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _span(seconds: float) -> str:
    """Give a time span in the largest unit that it fills."""
    for length, name in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.0f} s"
