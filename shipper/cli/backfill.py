"""`shipper backfill PATH...`: ships what matches in existing files, once, and waits until all is acknowledged."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipper import telemetry
from shipper.agent.machine import this_host
from shipper.backfill.digests import rule_texts
from shipper.backfill.running import Earlier, Wishes, deliver, look_back, rehearse
from shipper.backfill.selection import Selected, select
from shipper.backfill.sinks import Written
from shipper.backfill.span import Span, parse_moment
from shipper.backfill.tasks import Orders
from shipper.cli.backfill_report import estimate, report, shown
from shipper.cli.terminal import say, say_problems
from shipper.cloudmonitor import batching
from shipper.config.load import default_file, load_config
from shipper.config.model import Config
from shipper.config.reader import suggestion
from shipper.matching.rulebook import Rulebook, load_configured_rules, load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO


@click.command("backfill")
@click.argument("paths", nargs=-1, required=True)
@click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="The configuration.")
@click.option("--since", help="Only events from this time on: 2026-11-23, 2026-11-23T10:00:00+08:00, 2h, yesterday.")
@click.option("--until", help="Only events before this time; a date or day means its end.")
@click.option("--rules", "rule_files", multiple=True, type=click.Path(path_type=Path), help="Only these rule files.")
@click.option("--source", "source_name", help="Read all files as files of this source.")
@click.option("--group-id", type=click.IntRange(min=0), help="Group of events whose rule and source name none.")
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be sent, and how long that takes.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write events here instead of sending.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after so many events; the next run goes on.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that read (default: the processors, if worth it).")
@click.option("--again", is_flag=True, help="Send also what was delivered before.")
@click.option("--restart", is_flag=True, help="Forget what earlier backfills have done and begin anew.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    paths: tuple[str, ...],
    config_file: Path | None,
    since: str | None,
    until: str | None,
    rule_files: tuple[Path, ...],
    source_name: str | None,
    group_id: int | None,
    dry_run: bool,
    output: Path | None,
    max_events: int | None,
    jobs: int | None,
    again: bool,
    restart: bool,
    as_json: bool,
) -> int:
    """Ship what matches in existing files, wait until all is acknowledged, print a summary, exit.

    PATHS are files (plain, .gz, .bz2, .xz or .zst, told by their content), directories, globs, and `-` for stdin.
    Rotated files of one log are read in the order of time. Killed or stopped, the same command goes on where it was.
    What earlier runs have judged is not judged again, whatever its name is now; after a rule was added or changed, that
    rule's events are sent. Events that were delivered already, also by the agent, are left out.

    \b
    Ship last month's logs:
      shipper backfill /var/log/app/
    See first what that would send, and how long it takes:
      shipper backfill --dry-run --since 7d '/var/log/nginx/error.log*'
    Ask a new rule about old logs, without an account:
      shipper backfill --rules new.toml --output events.jsonl /var/log/app/
    Take what another program prints:
      journalctl -o short-iso --since yesterday | shipper backfill -
    """
    config = _config(config_file, needed=not (rule_files and (dry_run or output)))
    rulebook, warnings = load_rules(rule_files) if rule_files else load_configured_rules(config)
    say_problems(warnings)
    files = _select(paths, config, source_name)
    _warn_of_unused_rules(rulebook, files, source_name)
    telemetry.configure("warning", config.log_format)
    cloud = config.cloudmonitor
    orders = Orders(
        rulebook.rules,
        rule_texts(rulebook),
        this_host(config),
        config.match_timeout,
        cloud.group_id if group_id is None else group_id,
        _span(since, until),
        int(again),
    )
    wishes = Wishes(files, orders, jobs, max_events, restart)
    stop = threading.Event()
    with _signals(stop) as heard:
        if dry_run or output:
            is_complete, faults = _rehearse(config, wishes, stop, output, as_json=as_json)
            refused = 0
        else:
            with shown() as show:
                job, ended, unreadable = deliver(config, wishes, stop, show)
            _warn(unreadable)
            report(job.progress, ended, None, as_json=as_json)
            is_complete, faults, refused = ended.is_complete, bool(job.progress.faults), ended.refused
    if heard:
        say("Stopped. Start the same command again to go on where it was.")
        return 128 + heard[0]
    return 0 if is_complete and not faults and not refused else 1


def _rehearse(
    config: Config, wishes: Wishes, stop: threading.Event, output: Path | None, *, as_json: bool
) -> tuple[bool, bool]:
    """Read and send nothing; tells whether all was read, and whether some of it could not be."""
    # a file of events is to hold all of them, whatever was sent
    is_anew = output is not None or wishes.restart or config.file is None
    earlier = Earlier(wishes.orders) if is_anew else look_back(config, wishes.orders)
    _warn(earlier.unreadable)
    with _opened(output) as opened, shown() as show:
        sink = Written(opened, batching.encode, earlier.limits)
        job, is_complete = rehearse(wishes, sink, earlier, stop, show)
    takes = estimate(job.progress.events, sink.size, config.cloudmonitor)
    report(job.progress, None, takes, as_json=as_json, written=output is not None)
    return is_complete, bool(job.progress.faults)


def _warn(said: Sequence[str]) -> None:
    for each in said:
        say(f"warning: {each}", "yellow")


def _span(since: str | None, until: str | None) -> Span:
    now = datetime.now().astimezone()
    moments = []
    for option, text in (("--since", since), ("--until", until)):
        try:
            moments.append(None if text is None else parse_moment(text, now, is_end=option == "--until"))
        except ValueError as error:
            raise click.UsageError(f"{option}: {error}") from None
    first, last = moments
    if first is not None and last is not None and first >= last:
        raise click.UsageError(f"--since {since} is not before --until {until}: no event is in between")
    return Span(first, last)


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
        names = [source.name for source in config.source]
        known = ", ".join(names) or "none"
        hint = suggestion(source_name, names)
        raise click.UsageError(f"--source {source_name}: there is no such source{hint}; configured are: {known}")
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
