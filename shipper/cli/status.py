"""`shipper status`: how the agent is, from itself, or from its store when it does not run (spec, section 2)."""

from __future__ import annotations

import dataclasses
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live

from shipper.agent.clock import HOST_CLOCK
from shipper.agent.control import UnansweredError, ask
from shipper.agent.last_told import read_last_told
from shipper.agent.status import Finding, Health, Queue, Status, summarise
from shipper.agent.status_json import from_json, to_json
from shipper.agent.stored import Stored, read_stored
from shipper.cli.config_option import config_option
from shipper.cli.status_shown import render
from shipper.cli.terminal import data
from shipper.config.load import default_file, load_readable
from shipper.errors import StateError
from shipper.outbox.lock import holder_of
from shipper.outbox.reader import StoreReader
from shipper.tailing import access
from shipper.tailing.condition import FileCondition, FileState
from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError
from shipper.tailing.globs import excluded, path_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.text import Text

    from shipper.config.load import Readable
    from shipper.config.model import Config, SourceTable
    from shipper.events import Checkpoint

REFRESH = 1.0
_STOPPED = "the agent does not run; `systemctl start shipper`, or `shipper run`, starts it"


@click.command("status", short_help="Say how the agent is, and why every file is or is not read.")
@config_option()
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON (with --watch one line a second).")
@click.option("--all", "everything", is_flag=True, help="List every file, also those that are read to their end.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing: the exit code says it.")
@click.argument("globs", metavar="[GLOB]...", nargs=-1)
def command(
    globs: tuple[str, ...], config_file: Path | None, *, watch: bool, as_json: bool, everything: bool, quiet: bool
) -> int:
    """Say how the agent is: its health with the reason first, then files, queue, delivery and losses.

    Asks the running agent; when none runs, says so and tells what its store and the configured globs tell.
    Exit code 0 when it is healthy or degraded, 1 when it is unhealthy or does not run.

    \b
    Examples:
      shipper status
      shipper status --watch
      shipper status --all '/var/log/app/*'
      shipper status --json
      shipper status --quiet || systemctl status shipper
    """
    if quiet and (watch or as_json or everything):
        raise click.UsageError("--quiet goes with no other option but --config")
    readable = load_readable(config_file or default_file())
    everything = everything or bool(globs)
    status = read_status(readable, globs)

    def shown(screen: Console | None = None, title: str = "") -> Text:
        link = None if status.process is None else page_link(readable.config)
        return render(status, everything=everything, link=link, screen=screen, title=title)

    def write(*, indent: bool) -> None:
        if as_json:
            data().out(to_json(status, indent=indent).decode())
        else:
            data().print(shown())
        sys.stdout.flush()

    if not watch:
        if not quiet:
            write(indent=True)
    elif sys.stdout.isatty() and not as_json:
        console = Console(highlight=False)
        with Live(console=console, auto_refresh=False, vertical_overflow="crop", screen=True) as live:
            while True:
                at = f"{HOST_CLOCK.now().astimezone():%Y-%m-%d %H:%M:%S}; Ctrl-C ends"
                live.update(shown(console, at), refresh=True)
                time.sleep(REFRESH)
                status = read_status(readable, globs)
    else:
        while True:
            write(indent=False)
            time.sleep(REFRESH)
            status = read_status(readable, globs)
    return int(status.health in {Health.UNHEALTHY, Health.STOPPED})


def page_link(config: Config) -> str | None:
    """Give the link of a running agent's page, with its token; None when there is none, or it cannot be read here."""
    if config.http.listen is None:
        return None
    from shipper.web.access import link

    try:
        return link(config)
    except StateError:
        # of an agent that others run the token is not ours to see
        return None


def read_status(readable: Readable, globs: Sequence[str]) -> Status:
    """Ask the agent of a configuration, or read its store when it does not answer; then say what is wrong in the file.

    Raises:
        StateError: the state directory or the store cannot be read.
    """
    status = _read_status(readable.config, globs)
    wrong = readable.mistakes
    if status.process is None:
        # which files there are is told by the sources as they can be read here
        wrong = tuple(dict.fromkeys((*wrong, *readable.wrong_in("source", "store"))))
    found = (Finding(Health.DEGRADED, "configuration", str(each)) for each in wrong)
    return dataclasses.replace(status, findings=(*status.findings, *found))


def _read_status(config: Config, globs: Sequence[str]) -> Status:
    directory = config.state_path
    pid = holder_of(directory)
    if pid is None:
        return _at_rest(config, globs, Finding(Health.STOPPED, "agent", _STOPPED))
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
    told = read_last_told(directory)
    chosen = (file for file in found if not globs or excluded(file.path, tuple(globs)))
    return Status(
        (finding,),
        None,
        None if told is None else told.reload,
        None if told is None else told.rules,
        summarise(chosen, HOST_CLOCK.now()) if scan else None,
        stored.queue,
        None if told is None else told.delivery,
        stored.losses,
        stored.bytes_read,
        stored.dead_letters,
        stored.unjudged,
        None if told is None else told.told_at,
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
        for path, skip in discovery.skipped.items():
            yield FileCondition(path, (source.name,), FileState.SKIPPED, skip.reason)
        for file in discovery.files.values():
            node = file.identity.node
            if node in seen:
                continue
            seen.add(node)
            try:
                LogFile.open(file.path).close()
            except UnreadableError as error:
                refused = access.open_reason(error, file.path, HOST_FILES)
                yield FileCondition(file.path, (source.name,), FileState.SKIPPED, f"for this user: {refused}")
                continue
            checkpoint = known.get(node)
            offset, reason = _start(source, file.path, file.size, checkpoint, scanned)
            yield FileCondition(
                file.path,
                (source.name,),
                FileState.CLOSED,
                reason,
                offset,
                file.size,
                file.modified / 1e9,
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
