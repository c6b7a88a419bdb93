"""`shipper check`: says everything that is wrong with a configuration and its rules, at once (spec, section 2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from shipper.cli.host_checks import host_problems
from shipper.cli.rule_options import RuleFilesCommand, rules_option
from shipper.cli.terminal import data, say, say_problems
from shipper.config.load import default_file, load_config, read_document
from shipper.config.model import Config
from shipper.errors import ConfigurationError, Problem
from shipper.matching.rulebook import Rulebook, find_rule_files, load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("check", cls=RuleFilesCommand, short_help="Say everything that is wrong with configuration and rules.")
@rules_option("Check only these rule files; the words that follow and end in .toml are rule files too.")
@click.option(
    "-c",
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The configuration (default: $SHIPPER_CONFIG, then /etc/shipper/shipper.toml).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def command(rule_files: tuple[Path, ...], config_file: Path | None, *, as_json: bool) -> int:
    """Check the configuration and all of its rules, or rule files alone. Nothing is started or sent.

    All problems of all files are said, each with its place. Exit code 2 when there are errors, 0 with warnings alone.

    \b
    Examples:
      shipper check
      shipper check -c ./shipper.toml
      shipper check -r rules.d/*.toml
    """
    config: Config | None = None
    problems: list[Problem] = []
    files = list(rule_files)
    if not rule_files or config_file is not None:
        chosen = config_file or default_file()
        try:
            config, warnings = load_config(chosen)
            problems += warnings
            if not rule_files:
                files, empty = find_rule_files(config)
                problems += empty
        except ConfigurationError as error:
            problems += error.problems
            if not rule_files:
                files = _rule_files_of_broken(chosen)
    rulebook = Rulebook((), (), tuple(files))
    try:
        rulebook, warnings = load_rules(files, config.source if config else None)
        problems += warnings
    except ConfigurationError as error:
        problems += error.problems
    if config is not None:
        problems += host_problems(config, rulebook)
    return _report(config, rulebook, problems, as_json=as_json)


def _rule_files_of_broken(file: Path) -> list[Path]:
    """Give the rule files of a configuration that cannot be used, so that their problems are said at once, too."""
    try:
        values = read_document(file).values
    except ConfigurationError:
        return []
    rules = values.get("rules")
    if isinstance(rules, list) and all(isinstance(each, str) for each in rules):
        return find_rule_files(Config(rules=tuple(rules), file=file.absolute()))[0]
    return [] if "rules" in values else find_rule_files(Config(file=file.absolute()))[0]


def _report(config: Config | None, rulebook: Rulebook, problems: Sequence[Problem], *, as_json: bool) -> int:
    errors = sum(not problem.warning for problem in problems)
    counts = {
        "sources": len(config.source) if config else 0,
        "rules": len(rulebook.rules),
        "files": len(rulebook.files),
        "tests": len(rulebook.cases),
    }
    if as_json:
        shown = [
            {
                "severity": "warning" if problem.warning else "error",
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "rule": problem.rule,
                "message": problem.message,
            }
            for problem in problems
        ]
        whole = {"ok": not errors, **counts, "problems": shown}
        data().out(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        say_problems(problems)
    warnings = len(problems) - errors
    if errors:
        say(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}", "bold red")
        return 2
    said = ", ".join(_count(counts[what], what[:-1]) for what in ("sources", "rules", "files", "tests"))
    said = said.replace(" file", " rule file")
    say(f"ok: {said}" + (f"; {_count(warnings, 'warning')}" if warnings else ""), "green")
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
