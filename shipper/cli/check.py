"""`shipper check`: says everything that is wrong with a configuration and its rules, at once (spec, section 2)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click
import orjson

from shipper.cli.checking import examine
from shipper.cli.config_option import config_option
from shipper.cli.online_checks import online_steps
from shipper.cli.rule_options import RuleFilesCommand, rules_option
from shipper.cli.terminal import counted, data, say, say_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shipper.cli.checking import Checked
    from shipper.cloudmonitor.walk import Step


@click.command("check", cls=RuleFilesCommand, short_help="Say everything that is wrong with configuration and rules.")
@rules_option("Check only these rule files; the words that follow and end in .toml are rule files too.")
@config_option()
@click.option("--online", is_flag=True, help="Walk the way to the service too, and report one event ShipperCheck.")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def command(rule_files: tuple[Path, ...], config_file: Path | None, *, online: bool, as_json: bool) -> int:
    """Check the configuration and all of its rules, or rule files alone. Nothing is started, nor sent without --online.

    All problems of all files are said, each with its place. Exit code 2 when there are errors, 0 with warnings alone.
    With --online the way to the service is walked step by step: DNS, TCP, TLS, credentials, clock, signature,
    permission; exit code 1 when a step fails. The last step reports one event ShipperCheck.

    \b
    Examples:
      shipper check
      shipper check -c ./shipper.toml
      shipper check --online
      shipper check -r rules.d/*.toml
    """
    checked = examine(rule_files, config_file)
    config = checked.config
    steps = None
    if online:
        if config is None and not checked.errors:
            raise click.UsageError("--online needs the configuration: name it with -c")
        steps = list(online_steps(config, checked.problems, show=not as_json)) if config is not None else []
    return _report(checked, steps, as_json=as_json)


def _report(checked: Checked, steps: Sequence[Step] | None, *, as_json: bool) -> int:
    problems, errors = checked.problems, checked.errors
    counts = {
        "sources": len(checked.config.source) if checked.config else 0,
        "rules": len(checked.rulebook.rules),
        "files": len(checked.files),
        "tests": len(checked.rulebook.cases),
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
        if steps is not None:
            whole["online"] = [dataclasses.asdict(step) for step in steps]
            whole["ok"] = not errors and all(step.ok for step in steps)
        data().out(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        say_problems(problems)
    warnings = len(problems) - errors
    if errors:
        say(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}", "bold red")
        return 2
    if steps is not None and not (steps and steps[-1].ok):
        say("the service cannot be reached as it is configured; see the last step", "bold red")
        return 1
    said = ", ".join(counted(counts[what], what[:-1]) for what in ("sources", "rules", "files", "tests"))
    said = said.replace(" file", " rule file")
    say(f"ok: {said}" + (f"; {counted(warnings, 'warning')}" if warnings else ""), "green")
    return 0
