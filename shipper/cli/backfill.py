"""`shipper backfill PATH...`: ships what matches in existing files, once, and waits until all is acknowledged."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from shipper import telemetry
from shipper.agent.machine import this_host
from shipper.agent.send_slots import Party, SendSlots
from shipper.agent.uploader import Uploader
from shipper.backfill.job import Delivery, Job
from shipper.backfill.selection import Selected, select
from shipper.cli.terminal import data, say, say_problems, talk
from shipper.cloudmonitor import batching
from shipper.cloudmonitor.connecting import connect
from shipper.config.load import default_file, load_config
from shipper.config.model import Config
from shipper.events import wire_time
from shipper.matching.engine import Engine
from shipper.matching.rulebook import Rulebook, load_configured_rules, load_rules
from shipper.outbox.lock import StateLock
from shipper.outbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from shipper.backfill.job import Progress as JobProgress
    from shipper.events import Checkpoint, Event, FileIdentity, LimitState, Loss, Unjudged

LINE_EVERY = 5.0


class Discard:
    """The sink of `--dry-run`, and of `--output`: events go to a file or nowhere, and no progress is kept."""

    def __init__(self, output: BinaryIO | None) -> None:
        self._output = output

    def known(self) -> dict[FileIdentity, Checkpoint]:
        """Give nothing: every run begins anew."""
        return {}

    def limits(self) -> list[LimitState]:
        """Give nothing, likewise."""
        return []

    def record(
        self,
        checkpoints: Sequence[Checkpoint],  # noqa: ARG002
        events: Sequence[Event],
        losses: Sequence[Loss],  # noqa: ARG002
        limits: Sequence[LimitState],  # noqa: ARG002
        unjudged: Sequence[Unjudged],  # noqa: ARG002  they are in the log
    ) -> None:
        """Write the events, a JSON line each."""
        if self._output is not None:
            for event in events:
                line = {"name": event.name, "content": event.content, "groupId": event.group_id}
                self._output.write(
                    orjson.dumps(line | {"time": wire_time(event.time)}, option=orjson.OPT_APPEND_NEWLINE)
                )


@click.command("backfill")
@click.argument("paths", nargs=-1, required=True)
@click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="The configuration.")
@click.option("--rules", "rule_files", multiple=True, type=click.Path(path_type=Path), help="Only these rule files.")
@click.option("--source", "source_name", help="Read all files as files of this source.")
@click.option("--group-id", type=click.IntRange(min=0), help="Group of events whose rule and source name none.")
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be sent.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write events here instead of sending.")
@click.option("--restart", is_flag=True, help="Forget what earlier runs have done and begin anew.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    paths: tuple[str, ...],
    config_file: Path | None,
    rule_files: tuple[Path, ...],
    source_name: str | None,
    group_id: int | None,
    dry_run: bool,
    output: Path | None,
    restart: bool,
    as_json: bool,
) -> int:
    """Ship what matches in existing files, wait until all is acknowledged, print a summary, exit.

    PATHS are files (plain, .gz, .bz2, .xz or .zst), directories and globs. Killed or stopped, the same command goes on
    where it was; files that an earlier run has finished are not read again.

    \b
    Ship last month's logs:
      shipper backfill /var/log/app/
    See first what that would send:
      shipper backfill --dry-run '/var/log/nginx/error.log*'
    """
    config = _config(config_file, needed=not (rule_files and (dry_run or output)))
    rulebook, warnings = load_rules(rule_files) if rule_files else load_configured_rules(config)
    say_problems(warnings)
    files = _select(paths, config, source_name)
    _warn_of_unused_rules(rulebook, files, source_name)
    telemetry.configure("warning", config.log_format)
    cloud = config.cloudmonitor
    engine = Engine(
        rulebook.rules, this_host(cloud.ip), config.match_timeout, cloud.group_id if group_id is None else group_id
    )
    stop = threading.Event()
    with _signals(stop) as heard:
        if dry_run or output:
            with _opened(output) as opened:
                job, settled = _run_alone(engine, Discard(opened), files, stop)
            waiting = refused = 0
        else:
            job, settled, waiting, refused = _run_delivery(config, engine, files, stop, restart=restart)
    _summarise(job.progress, as_json=as_json, sent=not (dry_run or output), waiting=waiting, refused=refused)
    if heard:
        say("Stopped. Start the same command again to go on where it was.")
        return 128 + heard[0]
    return 0 if settled and not job.progress.faults and not refused else 1


def _config(file: Path | None, *, needed: bool) -> Config:
    chosen = file or default_file()
    if file is None and not needed and not chosen.exists():
        return Config()
    config, warnings = load_config(chosen)
    say_problems(warnings)
    return config


def _select(paths: Sequence[str], config: Config, source_name: str | None) -> list[Selected]:
    forced = next((source for source in config.source if source.name == source_name), None)
    if source_name is not None and forced is None:
        names = ", ".join(source.name for source in config.source) or "none"
        raise click.UsageError(f"--source {source_name}: there is no such source; configured are: {names}")
    try:
        return select(paths, config.source, forced)
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None


def _warn_of_unused_rules(rulebook: Rulebook, files: Sequence[Selected], source_name: str | None) -> None:
    """Say which rules cannot apply, because they are for sources that no file belongs to (spec, section 2)."""
    outside = [selected.path for selected in files if selected.source is None]
    bound = [rule.id for rule in rulebook.rules if rule.sources]
    if outside and bound and source_name is None:
        shown = ", ".join(outside[:3]) + (f" and {len(outside) - 3} more" if len(outside) > 3 else "")
        say(
            f"warning: {shown} belong to no configured source; rules with `sources` do not apply there: "
            f"{', '.join(bound)}. Use --source NAME to read them as files of a source.",
            "yellow",
        )


@contextmanager
def _signals(stop: threading.Event) -> Iterator[list[int]]:
    heard: list[int] = []

    def note(number: int, _: object) -> None:
        if heard:
            # said twice: what was committed is safe, so stop at once
            os._exit(130)
        heard.append(number)
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO | None]:
    if output is None:
        yield None
        return
    try:
        opened = output.open("wb")
    except OSError as error:
        raise click.UsageError(f"--output {output}: {error.strerror}") from None
    with opened:
        yield opened


def _run_alone(engine: Engine, sink: Discard, files: Sequence[Selected], stop: threading.Event) -> tuple[Job, bool]:
    with _shown(lambda: job.progress, lambda: 0) as tick:
        job = Job(engine, sink, stop, tick)
        return job, job.run(files)


def _run_delivery(
    config: Config, engine: Engine, files: Sequence[Selected], stop: threading.Event, *, restart: bool
) -> tuple[Job, bool, int, int]:
    """Read and send; gives the job, whether all was read, and how many events still wait or were refused."""
    client = connect(config)
    lock = StateLock(config.state_path, "backfill.lock", "backfill")
    if restart:
        for part in config.state_path.glob("backfill.db*"):
            part.unlink()
    store = Store(config.state_path, batching.encode, "backfill.db")
    refused_before = store.dead_letters.count()
    uploader = Uploader(
        store,
        client,
        config.cloudmonitor,
        max_dead_letters=config.store.max_dead_letters,
        slots=SendSlots(config.state_path, Party.BACKFILL),
    )
    delivery = Delivery(store, uploader, stop)
    try:
        with _shown(lambda: job.progress, lambda: store.waiting_count) as tick:
            job = Job(engine, delivery, stop, tick)
            try:
                complete = job.run(files)
            finally:
                delivery.finish(tick, config.drain_timeout)
        return (
            job,
            complete and not store.waiting_count,
            store.waiting_count,
            store.dead_letters.count() - refused_before,
        )
    finally:
        client.close()
        store.close()
        lock.close()


@contextmanager
def _shown(progress: Callable[[], JobProgress], waiting: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """Show progress: a bar on a terminal, a line every few seconds elsewhere."""
    if talk().is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=talk()) as bar:
            task = bar.add_task("reading", total=None)

            def advance() -> None:
                now = progress()
                said = f"{now.files} files, {now.events} events, {waiting()} to send"
                bar.update(task, description=said, completed=now.bytes, total=now.bytes_total)

            yield advance
        return
    last = time.monotonic()

    def line() -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            now = progress()
            say(
                f"{now.bytes} of {now.bytes_total} bytes, {now.files} files, {now.events} events found, "
                f"{waiting()} to send"
            )

    yield line


def _summarise(progress: JobProgress, *, as_json: bool, sent: bool, waiting: int, refused: int) -> None:
    delivered = progress.events - waiting - refused if sent else 0
    if as_json:
        summary = {
            "files": progress.files,
            "files_done_before": progress.files_before,
            "bytes": progress.bytes,
            "events": progress.events,
            "delivered": max(0, delivered),
            "waiting": waiting,
            "refused": refused,
            "by_rule": progress.by_rule,
            "faults": progress.faults,
        }
        data().out(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode())
        return
    verb = "acknowledged" if sent else "found, none was sent"
    count = max(0, delivered) if sent else progress.events
    say(f"{progress.files} files read, {progress.files_before} of them had been done before. {count} events {verb}.")
    for rule, amount in sorted(progress.by_rule.items(), key=lambda item: -item[1]):
        say(f"  {amount:8}  {rule}")
    if waiting:
        say(f"{waiting} events wait in the store.", "yellow")
    if refused:
        say(f"{refused} events were refused by the service and are kept as dead letters.", "red")
    for path, fault in progress.faults.items():
        say(f"{path}: {fault}", "red")
