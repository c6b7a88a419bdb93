"""`shipper match`: a dry run of rules on logs or stdin. Sends nothing, keeps no state (spec, section 2)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipper.agent.machine import this_host
from shipper.agent.shown import shown as shown_event
from shipper.cli.config_option import config_option
from shipper.cli.dry_run import DryRun
from shipper.cli.open_log import STDIN, open_log
from shipper.cli.rule_diff import RuleDiff, shown
from shipper.cli.rule_diff import as_json as as_json_line
from shipper.cli.rule_options import DIFF_OPTION, RuleFilesCommand, read_rules, rules_option
from shipper.cli.sources import find_source
from shipper.cli.terminal import data, give_up_stdout, say_error, say_problems
from shipper.config.model import Config
from shipper.errors import ShipperError
from shipper.matching.engine import Engine
from shipper.matching.redaction import Redacted
from shipper.matching.rulebook import load_rules
from shipper.printable import printable
from shipper.tailing.files import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shipper.cli.rule_diff import Change
    from shipper.config.model import SourceTable
    from shipper.matching.records import LogRecord
    from shipper.matching.redaction import Redaction
    from shipper.matching.rule import Rule
    from shipper.tailing.open_log import OpenLog


@click.command("match", cls=RuleFilesCommand, short_help="Try rules on logs: print the events they would make.")
@rules_option("Rule files; the words that follow and end in .toml are rule files too.")
@click.argument("logs", nargs=-1, type=click.Path(), metavar="[LOG]...")
@click.option("--source", "source_name", metavar="NAME", help="Read the logs as files of this source.")
@config_option("Take sources, limits and, without -r, the rules from this configuration.")
@click.option("--summary", is_flag=True, help="Say on stderr how many lines matched, by rule, with an example each.")
@click.option(
    DIFF_OPTION,
    "old_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OLD_RULE_FILE...",
    help="Say what the rules of -r would change, compared with these.",
)
@click.option("--json", "as_json", is_flag=True, help="With --diff: print each change as a line of JSON.")
@click.option("--missed", is_flag=True, help="Print the lines that no rule wanted, instead of the events.")
def command(
    rule_files: tuple[Path, ...],
    logs: tuple[str, ...],
    source_name: str | None,
    config_file: Path | None,
    old_files: tuple[Path, ...],
    *,
    as_json: bool,
    summary: bool,
    missed: bool,
) -> int:
    """Try rules on logs: print the events that would be sent, one JSON line each. Nothing is sent.

    LOGs are files (plain or compressed) or pipes; without any, or for -, lines come from stdin. No configuration is
    needed, and the rules' `sources` are ignored unless --source names one. A line without a time gets that of its file.

    \b
    Examples:
      shipper match -r rules.d/app.toml /var/log/app/app.log
      journalctl -o short-iso | shipper match -r rules.d/*.toml --summary
      shipper match -r app.toml --missed app.log | sort | uniq -c | sort -rn | head
      shipper match -c shipper.toml --source app app.log
      shipper match -r new.toml --diff rules.d/app.toml /var/log/app/app.log
    """
    if old_files and (summary or missed):
        raise click.UsageError("--diff has a summary of its own; leave --summary and --missed out")
    if as_json and not old_files:
        raise click.UsageError("events are JSON in any case; --json belongs to --diff")
    rulebook, config = read_rules(rule_files, config_file, source_name)
    settings = config or Config()
    source = find_source(source_name, config)
    cloud, limit = settings.cloudmonitor, settings.match_timeout

    def engine(rules: Sequence[Rule]) -> Engine:
        host, any_source = this_host(settings), source_name is None
        return Engine(rules, host, limit, cloud.group_id, for_any_source=any_source, clock=time.perf_counter)

    if old_files:
        old, warnings = load_rules(old_files, config.source if config else None)
        say_problems(warnings)
        return _diff(logs, source, RuleDiff(engine(old.rules), engine(rulebook.rules)), as_json=as_json)
    hidden = Hidden(rulebook.redactions(), limit)
    run = DryRun(engine(rulebook.rules), rulebook.rules, limit, source_name)

    def take(log: OpenLog) -> None:
        _print(log, run, hidden if missed else None)

    def finish() -> None:
        told = run.finish()
        if not missed:
            _write(map(shown_event, told))

    try:
        return _each(logs, source, take, finish)
    finally:
        # also after Ctrl-C, which is how `tail -f LOG | shipper match --summary` ends
        run.say_troubles()
        if summary:
            run.say_summary()


def _diff(logs: Sequence[str], source: SourceTable | None, diff: RuleDiff, *, as_json: bool) -> int:
    """Print what is different, log by log; gives the exit code."""

    def take(log: OpenLog) -> None:
        for block in log.blocks():
            _print_changes(diff.judge(block), as_json=as_json)

    try:
        return _each(logs, source, take, lambda: _print_changes(diff.finish(), as_json=as_json))
    finally:
        diff.say_summary()


def _each(
    logs: Sequence[str], source: SourceTable | None, take: Callable[[OpenLog], None], finish: Callable[[], None]
) -> int:
    """Open log by log, or stdin; what is wrong with one keeps no other from its turn. Gives the exit code."""
    unopened = faulty = 0
    try:
        for name in logs or (STDIN,):
            try:
                with open_log(name, source) as log:
                    take(log)
                    if log.fault is not None:
                        faulty += 1
                        say_error(f"{name}: {log.fault}")
            except UnreadableError as error:
                unopened += 1
                say_error(f"{name}: {error}")
        finish()
    except BrokenPipeError:
        # the reader of our output has enough (`| head`)
        give_up_stdout()
    if unopened and unopened == len(logs):
        return 2  # nothing was started
    return 1 if unopened or faulty else 0


def _print_changes(changes: Sequence[Change], *, as_json: bool) -> None:
    if as_json:
        _write(map(as_json_line, changes))
        return
    for change in changes:
        data().print(shown(change))


class Hidden:
    """What of the lines that no rule wanted is not shown either."""

    def __init__(self, redactions: Sequence[Redaction], timeout: float) -> None:
        self._redactions = redactions
        self._timeout = timeout

    def line(self, record: LogRecord, *, for_people: bool) -> bytes:
        """Give a line as it is printed: for programs as it was read, but for what is redacted."""
        redacted = Redacted(record.text, self._redactions, self._timeout).text if self._redactions else record.text
        if for_people:
            redacted = printable(redacted)
        elif redacted == record.text:
            return record.raw + b"\n"
        return redacted.encode("utf-8", "replace") + b"\n"


def _print(log: OpenLog, run: DryRun, missed: Hidden | None) -> None:
    """Print what came of a log, or what no rule wanted of it."""
    for_people = sys.stdout.buffer.isatty()
    for block in log.blocks():
        events, missed_records = run.judge(block)
        if missed is not None:
            _write(missed.line(record, for_people=for_people) for record in missed_records)
        else:
            _write(map(shown_event, events))
    run.lose(log.take_losses())


def _write(lines: Iterable[bytes]) -> None:
    """Write to stdout.

    Raises:
        BrokenPipeError: nobody reads it any more.
        ShipperError: it cannot be written, because a disk is full, for example.
    """
    try:
        sys.stdout.buffer.writelines(lines)
        # whoever reads a live pipe wants its events now
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise ShipperError(f"the output cannot be written: {error.strerror}") from None
