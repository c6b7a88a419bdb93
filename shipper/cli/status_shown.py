"""How `shipper status` shows a status to people; everything that came from files is made harmless to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from shipper.agent.status import Health
from shipper.cli.terminal import counted
from shipper.cli.units import size, span, took
from shipper.printable import printable, printable_path
from shipper.tailing.condition import FileState
from shipper.telemetry import off_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console

    from shipper.agent.status import Delivery, Files, Process, Reload, RuleHits, Status

_FEW = 20
_STYLES = {Health.HEALTHY: "green", Health.DEGRADED: "yellow", Health.UNHEALTHY: "red", Health.STOPPED: "red"}
_QUIET = (FileState.IDLE, FileState.CLOSED)
_STATE_STYLES = {FileState.FAILING: "red", FileState.PAUSED: "yellow", FileState.SKIPPED: "yellow"}


class Line(NamedTuple):
    """A text, the style that it has on a terminal, and whether it is one of many that may be left out."""

    text: str
    style: str = ""
    is_one_of_many: bool = False


def render(
    status: Status, *, everything: bool, link: str | None = None, screen: Console | None = None, title: str = ""
) -> Text:
    """Give a status for people.

    Args:
        status: what is shown.
        everything: whether all files and rules are listed, also those that are quiet.
        link: of the page of a running agent, with its token.
        screen: which it has to fit: files and rules that do not are left out. None where there is no limit.
        title: stands behind the health.
    """
    text = Text()
    text.append(status.health.value, style=f"bold {_STYLES[status.health]}")
    text.append(f"  {title}" if title else "", style="dim")
    lines = [Line(printable(line.text), *line[1:]) for line in _lines(status, everything=everything)]
    if link is not None:
        lines.append(Line(f"page       {printable(link)}"))
    for line in lines if screen is None else _fitting(lines, screen):
        text.append("\n" + line.text, style=line.style)
    return text


def _fitting(lines: list[Line], screen: Console) -> list[Line]:
    """Leave out the last of many until all others have room below the first row."""
    needs = [len(Text(line.text).wrap(screen, screen.width)) for line in lines]
    too_many = sum(needs) - (screen.height - 1)
    left_out = set()
    for place in reversed(range(len(lines))):
        if too_many <= 0:
            break
        if lines[place].is_one_of_many:
            left_out.add(place)
            # and one row says so
            too_many -= needs[place] - (len(left_out) == 1)
    if not left_out:
        return lines
    said = Line(f"(no room for {counted(len(left_out), 'line')} about files and rules)", "dim")
    return [*(line for place, line in enumerate(lines) if place not in left_out), said]


def _lines(status: Status, *, everything: bool) -> Iterator[Line]:
    for finding in status.findings:
        since = f" (since {_at(finding.since)})" if finding.since else ""
        yield Line(f"  {finding.what}: {finding.reason}{since}", _STYLES[finding.health])
    if status.process is not None:
        yield Line(_process(status.process))
    elif status.told_at is not None:
        yield Line(f"agent      told last at {_at(status.told_at)} what follows of rules and delivery", "dim")
    if status.reload is not None:
        yield from _reload(status.reload)
    if status.files is None:
        yield Line("files      not known: the reading loop did not answer", "yellow")
    else:
        yield from _files(status.files, everything=everything)
    if status.rules is None:
        yield Line("rules      not known: no agent has told of them", "dim")
    else:
        yield from _rules(status.rules, everything=everything)
    yield from _queue(status)
    if status.delivery is not None:
        yield from _delivery(status.delivery)
    lost = ", ".join(f"{loss.amount} {loss.what} ({loss.reason})" for loss in status.losses)
    yield Line(f"losses     {lost or 'none'}", "yellow" if lost else "")
    more = f", and {counted(status.unjudged, 'place')} that rules did not judge" if status.unjudged else ""
    yield Line(f"dead letters  {status.dead_letters}{more}", "yellow" if status.dead_letters or more else "")


def _process(process: Process) -> str:
    return (
        f"agent      version {process.version}, pid {process.pid}, since {_at(process.started_at)}, "
        f"scanner {process.scanner}"
    )


def _reload(reload: Reload) -> Iterator[Line]:
    if reload.refused is None:
        yield Line(f"rules      {reload.rules} in force since {_at(reload.at)}, as their files are")
    else:
        refused = "what their files say now is refused"
        yield Line(f"rules      {reload.rules} in force since {_at(reload.at)}; {refused}", "yellow")


def _files(files: Files, *, everything: bool) -> Iterator[Line]:
    states = ", ".join(f"{count} {state.value}" for state, count in files.states.items())
    lag = f", lag {size(files.lag)}" + (f", {span(files.lag_seconds)}" if files.lag else "")
    yield Line(f"files      {files.count}" + (f" ({states})" if states else "") + lag)
    if files.held_deleted_bytes:
        held = f"{size(files.held_deleted_bytes)} of deleted files are held until they are read"
        yield Line(f"           {held}", "yellow")
    chosen = [f for f in files.listed if everything or f.lag or f.state not in _QUIET or files.count <= _FEW]
    for file in chosen:
        place = "" if file.offset is None else f" at {file.offset}"
        place += "" if file.size is None or file.offset is None else f" of {file.size}"
        said = f"  {file.state.value:<9} {printable_path(file.path)}{place}: {file.reason}"
        yield Line(said, _STATE_STYLES.get(file.state, ""), is_one_of_many=True)
    left = files.count - len(chosen)
    if left:
        yield Line(f"  and {left} more" + ("" if everything else "; --all lists them"), "dim")


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
            f"searched in {counted(rule.judged, 'record')}, {took(rule.seconds)}{bad}"
        )
        yield Line(said, "yellow" if rule.timed_out or rule.redaction_failed else "", is_one_of_many=True)
    if len(chosen) < len(rules):
        yield Line(f"rules      {len(rules) - len(chosen)}{' more' if chosen else ''} had nothing to judge", "dim")


def _queue(status: Status) -> Iterator[Line]:
    queue = status.queue
    yield Line(f"queue      {counted(queue.events, 'event')}, {size(queue.bytes)} of {size(queue.limit)}")
    for waiting in queue.rules:
        more = f", {waiting.folded} more folded" if waiting.folded else ""
        said = f"  {waiting.rule}: {counted(waiting.events, 'event')}, {size(waiting.bytes)}{more}"
        yield Line(said, is_one_of_many=True)


def _delivery(sent: Delivery) -> Iterator[Line]:
    last = f", last {_at(sent.accepted_at)}" if sent.accepted_at else ""
    said = (
        f"delivery   {sent.delivered} delivered{last}; {sent.refused} refused; "
        f"{sent.failed} requests failed, {sent.throttled} throttled"
    )
    yield Line(said + (f"; at most {sent.rate:.2g} requests/s" if sent.rate is not None else ""))
    if sent.last_error is not None:
        at = f" at {_at(sent.failed_at)}" if sent.failed_at else ""
        yield Line(f"  last error{at}: {sent.last_error}", "yellow")
    if sent.clock_offset:
        yield Line(f"clock      {off_by(sent.clock_offset)} the service's", "yellow")
    elif sent.accepted_at:
        yield Line("clock      within a minute of the service's")


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
