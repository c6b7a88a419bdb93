"""`shipper explain`: what each rule makes of one record and why, and what the scanner looks for (spec, section 2)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from shipper.agent.machine import this_host
from shipper.cli.config_option import config_option
from shipper.cli.explained import as_json_text, shown, shown_plan
from shipper.cli.open_log import open_log
from shipper.cli.rule_options import RuleFilesCommand, read_rules, rules_option
from shipper.cli.sources import find_source
from shipper.cli.terminal import data
from shipper.config.model import Config, SourceTable
from shipper.errors import ShipperError
from shipper.events import Block, Origin
from shipper.matching.explaining import Explanation, explain
from shipper.matching.plan import SAMPLE_BYTES, plan_for
from shipper.matching.records import LogRecord, is_escaped, records_of
from shipper.matching.redaction import Redacted
from shipper.matching.spelling import spelling_of
from shipper.tailing.files import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Found:
    """A record, and the block that it lies in."""

    record: LogRecord
    block: Block


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first bytes of a log as a scan finds them, and whether they hold JSON strings, see `spelling_of`."""

    data: bytes = b""
    escaped: bool = False


@click.command("explain", cls=RuleFilesCommand, short_help="Say for one line what each rule makes of it, and why.")
@rules_option("Rule files; the words that follow and end in .toml are rule files too.")
@click.argument("log", required=False, type=click.Path(), metavar="[LOG]")
@click.option("--line", metavar="TEXT", help="The line.")
@click.option(
    "--line-number", type=click.IntRange(1), metavar="N", help="The record of LOG that has this line, from 1."
)
@click.option("--source", "source_name", metavar="NAME", help="Take it as a line of this source.")
@config_option("Take sources, limits and, without -r, the rules from this configuration.")
@click.option(
    "--plan", "with_plan", is_flag=True, help="Say also what the scanner looks for; planned on LOG, if given."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    rule_files: tuple[Path, ...],
    log: str | None,
    line: str | None,
    line_number: int | None,
    source_name: str | None,
    config_file: Path | None,
    *,
    with_plan: bool,
    as_json: bool,
) -> int:
    """Say for one line, for each rule: whether it matched or why not, captures, the event, and the time it took.

    The line is given with --line, or is one of a LOG. The rules' `sources` are ignored unless --source names one.

    \b
    Examples:
      shipper explain -r rules.d/app.toml --line 'ERROR disk full on /dev/sda1'
      shipper explain -r rules.d/*.toml /var/log/app/app.log --line-number 1203
      shipper explain -c shipper.toml --source app --line 'panic: out of memory'
      shipper explain -r rules.d/*.toml --plan /var/log/app/app.log
    """
    if line is not None and (log is not None or line_number is not None):
        raise click.UsageError("give --line or a LOG with --line-number, not both")
    if line_number is not None and log is None:
        raise click.UsageError("--line-number needs a LOG")
    if line is None and line_number is None and not with_plan:
        raise click.UsageError("give a line with --line, or a LOG with --line-number; or ask for the --plan")
    rulebook, config = read_rules(rule_files, config_file, source_name)
    settings = config or Config()
    source = find_source(source_name, config)
    origin = source.origin if source else Origin()
    found = _given(line, origin) if line is not None else None
    sample = _Sample()
    if log is not None:
        found, sample = _look(log, source, line_number)
    explanations: list[Explanation] = []
    if found is not None:
        cloud = settings.cloudmonitor
        explanations = list(
            explain(
                rulebook.rules,
                found.record,
                found.block,
                this_host(settings),
                settings.match_timeout,
                cloud.group_id,
                for_any_source=source_name is None,
            )
        )
    line_shown = None
    if found is not None:
        line_shown = Redacted(found.record.text, rulebook.redactions(), settings.match_timeout).text
    rules = [rule for rule in rulebook.rules if source_name is None or rule.applies_to(source_name)]
    plan = plan_for(rules, spelling_of(origin.encoding, escaped=sample.escaped), sample.data) if with_plan else None
    if as_json:
        data().out(as_json_text(line_shown, explanations, rules, plan, sample.data))
        return 0
    if line_shown is not None:
        data().print(shown(line_shown, explanations))
    if plan is not None:
        data().print(shown_plan(rules, plan, sample.data))
    return 0


def _given(line: str, origin: Origin) -> _Found:
    """Take a line from the command line: the bytes that it has in the source's encoding."""
    try:
        raw = os.fsencode(line) if origin.encoding in {"utf-8", "auto"} else line.encode(origin.encoding)
    except UnicodeEncodeError as error:
        raise ShipperError(f"--line cannot be written in the source's encoding {origin.encoding}: {error}") from None
    block = Block(origin, "-", raw, 0, raw, datetime.now(UTC), first_line=1)
    return _Found(LogRecord(raw, origin.encoding, 0, 0), block)


def _look(name: str, source: SourceTable | None, number: int | None) -> tuple[_Found | None, _Sample]:
    """Give the record of a log that has a line, when one is asked for, and the log's first bytes.

    Raises:
        ShipperError: the log cannot be read, or has no such line.
    """
    sample, last = _Sample(), None
    try:
        with open_log(name, source) as log:
            for block in log.blocks():
                sample = _more(sample, block)
                if number is None:
                    if len(sample.data) >= SAMPLE_BYTES:
                        break
                    continue
                first = block.first_line or 1
                for record in records_of(block):
                    if first + record.number > number:
                        break
                    last = _Found(record, block)
                if log.lines >= number:
                    return last, sample
            if log.fault is not None:
                raise ShipperError(f"{name}: {log.fault}")
            if number is not None:
                raise ShipperError(f"{name}: there is no line {number}; it has {log.lines}")
    except UnreadableError as error:
        raise ShipperError(f"{name}: {error}") from None
    return None, sample


def _more(sample: _Sample, block: Block) -> _Sample:
    """Add a block to a sample, as long as it lies in its file as the first one does."""
    escaped = is_escaped(block)
    if sample.data and escaped != sample.escaped:
        return sample
    return _Sample((sample.data + block.data)[:SAMPLE_BYTES], escaped)
