"""`shipper status`: how the agent is, from itself, or from its store when it does not run (spec, section 2)."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import click
from rich.live import Live
from rich.text import Text

from shipper.agent.control import UnansweredError, ask
from shipper.agent.status import Finding, Health, Queue, Status, printable_path, summarise
from shipper.agent.status_json import from_json, to_json
from shipper.agent.stored import Stored, read_stored
from shipper.cli.config_option import config_option
from shipper.cli.terminal import data
from shipper.config.load import default_file, load_config
from shipper.outbox.lock import holder_of
from shipper.outbox.reader import StoreReader
from shipper.tailing.condition import FileCondition, FileState
from shipper.tailing.discovery import discover
from shipper.tailing.globs import excluded, path_pattern
from shipper.telemetry import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shipper.config.model import Config, SourceTable
    from shipper.events import Checkpoint

REFRESH = 1.0
_FEW = 20
_STYLES = {Health.HEALTHY: "green", Health.DEGRADED: "yellow", Health.UNHEALTHY: "red", Health.STOPPED: "red"}
_QUIET = (FileState.IDLE, FileState.CLOSED)


@click.command("status", short_help="Say how the agent is, and why every file is or is not read.")
@config_option()
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON (with --watch one line a second).")
@click.option("--all", "everything", is_flag=True, help="List every file, also those that are read to their end.")
@click.argument("globs", metavar="[GLOB]...", nargs=-1)
def command(globs: tuple[str, ...], config_file: Path | None, *, watch: bool, as_json: bool, everything: bool) -> int:
    """Say how the agent is: its health with the reason first, then files, queue, delivery and losses.

    Asks the running agent; when none runs, says so and tells what its store and the configured globs tell.
    Exit code 0 when it is healthy or degraded, 1 when it is unhealthy or does not run.

    \b
    Examples:
      shipper status
      shipper status --watch
      shipper status --all '/var/log/app/*'
      shipper status --json
    """
    config, _ = load_config(config_file or default_file())
    status = read_status(config, globs)
    if not watch:
        if as_json:
            data().out(to_json(status, indent=True).decode())
        else:
            data().print(render(status, everything=everything or bool(globs)))
    elif sys.stdout.isatty() and not as_json:
        with Live(render(status, everything=everything), console=data(), auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH)
                status = read_status(config, globs)
                live.update(render(status, everything=everything or bool(globs)), refresh=True)
    else:
        while True:
            if as_json:
                data().out(to_json(status).decode())
            else:
                data().print(render(status, everything=everything or bool(globs)))
            sys.stdout.flush()
            time.sleep(REFRESH)
            status = read_status(config, globs)
    return int(status.health in {Health.UNHEALTHY, Health.STOPPED})


def read_status(config: Config, globs: Sequence[str]) -> Status:
    """Ask the agent of a configuration, or read its store when it does not answer.

    Raises:
        StateError: the state directory or the store cannot be read.
    """
    directory = config.state_path
    pid = holder_of(directory)
    if pid is None:
        return _at_rest(config, globs, Finding(Health.STOPPED, "agent", "the agent does not run"))
    try:
        return from_json(ask(directory, {"ask": "status", "globs": list(globs)}))
    except UnansweredError as error:
        reason = f"the agent (pid {pid}) does not answer: {error}"
    except ValueError:
        reason = f"the agent (pid {pid}) is of another version; restart it"
    return _at_rest(config, globs, Finding(Health.UNHEALTHY, "agent", reason), scan=False)


def _at_rest(config: Config, globs: Sequence[str], finding: Finding, *, scan: bool = True) -> Status:
    directory = config.state_path
    stored = Stored(Queue(0, 0, config.store.max_queue_bytes, ()))
    checkpoints: list[Checkpoint] = []
    scanned: dict[str, tuple[str, ...]] = {}
    if (directory / "shipper.db").exists():
        with closing(StoreReader(directory)) as reader:
            stored = read_stored(reader, config.store.max_queue_bytes)
            checkpoints, scanned = reader.checkpoints(), reader.scanned_sources()
    found = list(_found(config, checkpoints, scanned)) if scan else []
    chosen = (file for file in found if not globs or excluded(file.path, tuple(globs)))
    return Status(
        (finding,),
        None,
        None,
        summarise(chosen) if scan else None,
        stored.queue,
        None,
        stored.losses,
        stored.bytes_read,
        stored.dead_letters,
        stored.unjudged,
    )


def _found(
    config: Config, checkpoints: Sequence[Checkpoint], scanned: dict[str, tuple[str, ...]]
) -> Iterator[FileCondition]:
    """Tell what an agent that is started now would do with each file."""
    known = {checkpoint.identity.node: checkpoint for checkpoint in checkpoints}
    seen = set()
    own = frozenset({str(config.state_path)})
    for source in config.source:
        discovery = discover(source.paths, source.exclude, own=own)
        for path, reason in discovery.skipped.items():
            yield FileCondition(path, (source.name,), FileState.SKIPPED, reason)
        for file in discovery.files.values():
            node = file.identity.node
            if node in seen:
                continue
            seen.add(node)
            checkpoint = known.get(node)
            offset, reason = _start(source, file.path, file.size, checkpoint, scanned)
            yield FileCondition(
                file.path,
                (source.name,),
                FileState.CLOSED,
                reason,
                offset,
                file.size,
                identity=checkpoint.identity if checkpoint else file.identity,
            )
    for checkpoint in checkpoints:
        if checkpoint.identity.node not in seen:
            reason = "its position is known; no source finds it now"
            where = checkpoint.path, (checkpoint.source,)
            yield FileCondition(*where, FileState.CLOSED, reason, checkpoint.offset, identity=checkpoint.identity)


def _start(
    source: SourceTable, path: str, size: int, checkpoint: Checkpoint | None, scanned: dict[str, tuple[str, ...]]
) -> tuple[int, str]:
    if checkpoint is not None:
        return checkpoint.offset, f"would be read on from {checkpoint.offset}"
    before = any(path_pattern(glob).fullmatch(path) for glob in scanned.get(source.name, ()))
    if source.start_at == "end" and not before:
        return size, "would be read from its end (start_at)"
    return 0, "would be read from its beginning"


def render(status: Status, *, everything: bool) -> Text:
    """Give a status for people; everything that came from files is made harmless to the terminal."""
    text = Text(status.health.value, style=f"bold {_STYLES[status.health]}")
    for finding in status.findings:
        since = f" (since {finding.since.astimezone():%Y-%m-%d %H:%M:%S})" if finding.since else ""
        text.append(f"\n  {finding.what}: {printable(finding.reason)}{since}", style=_STYLES[finding.health])
    if status.process is not None:
        process = status.process
        text.append(
            f"\nagent      version {process.version}, pid {process.pid}, since "
            f"{process.started_at.astimezone():%Y-%m-%d %H:%M:%S}, scanner {process.scanner}"
        )
    for line in (*_files(status, everything=everything), *_rules(status, everything=everything), *_totals(status)):
        text.append("\n" + printable(line))
    return text


def _files(status: Status, *, everything: bool) -> Iterator[str]:
    files = status.files
    if files is None:
        yield "files      not known: the reading loop did not answer"
        return
    states = ", ".join(f"{count} {state.value}" for state, count in files.states.items())
    yield f"files      {files.count}" + (f" ({states})" if states else "") + f", lag {files.lag} bytes"
    if files.held_deleted_bytes:
        yield f"           {files.held_deleted_bytes} bytes of deleted files are held until they are read"
    chosen = [f for f in files.listed if everything or f.lag or f.state not in _QUIET or files.count <= _FEW]
    for file in chosen:
        place = "" if file.offset is None else f" at {file.offset}"
        place += "" if file.size is None or file.offset is None else f" of {file.size}"
        yield f"  {file.state.value:<9} {printable_path(file.path)}{place}: {file.reason}"
    left = files.count - len(chosen)
    if left:
        yield f"  and {left} more" + ("" if everything else "; --all lists them")


def _rules(status: Status, *, everything: bool) -> Iterator[str]:
    """Show the rules that cost or found something, the costliest first."""
    rules = sorted(status.rules or (), key=lambda rule: -rule.seconds)
    chosen = [rule for rule in rules if everything or rule.judged or rule.every_line]
    for rule in chosen:
        shadow = " (shadow: nothing is sent)" if rule.shadow else ""
        counts = {
            "ignored": rule.ignored,
            "timed out": rule.timed_out,
            "below the threshold": rule.below,
            "held back by the throttle": rule.held,
            "redactions failed": rule.redaction_failed,
        }
        rest = "".join(f", {count} {what}" for what, count in counts.items() if count)
        bad = "; judges every line: no text is certain, and rare, in what it finds" if rule.every_line else ""
        yield (
            f"rule       {rule.id}{shadow}: {rule.matched} matched{rest}; "
            f"searched in {rule.judged} records, {rule.seconds:.3g} s{bad}"
        )
    if len(chosen) < len(rules):
        yield f"rules      {len(rules) - len(chosen)}{' more' if chosen else ''} had nothing to judge"


def _totals(status: Status) -> Iterator[str]:
    queue = status.queue
    yield f"queue      {queue.events} events, {queue.bytes} of {queue.limit} bytes"
    for waiting in queue.rules:
        more = f", {waiting.folded} more folded" if waiting.folded else ""
        yield f"  {waiting.rule}: {waiting.events} events, {waiting.bytes} bytes{more}"
    if status.delivery is not None:
        sent = status.delivery
        last = f", last {sent.accepted_at.astimezone():%Y-%m-%d %H:%M:%S}" if sent.accepted_at else ""
        yield (
            f"delivery   {sent.delivered} delivered{last}; {sent.refused} refused; "
            f"{sent.failed} requests failed, {sent.throttled} throttled"
            + (f"; at most {sent.rate:.2g} requests/s" if sent.rate is not None else "")
        )
    lost = ", ".join(f"{loss.amount} {loss.what} ({loss.reason})" for loss in status.losses)
    yield f"losses     {lost or 'none'}"
    more = f", and {status.unjudged} places that rules did not judge" if status.unjudged else ""
    yield f"dead letters  {status.dead_letters}{more}"
