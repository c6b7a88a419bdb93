"""`shipper test`: runs the tests that rules carry, `[[rule.test]]` (spec, sections 2 and 4)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import click
import orjson

from shipper.cli.config_option import config_option
from shipper.cli.rule_options import read_config
from shipper.cli.terminal import data, one_line, safe, say, say_problems
from shipper.errors import ShipperError
from shipper.matching.proving import prove
from shipper.matching.redaction import Redacted
from shipper.matching.rulebook import load_configured_rules, load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.matching.proving import Case, Outcome

_LINE_CHARACTERS = 400
_REDACTION_TIMEOUT = 1.0


@click.command("test", short_help="Run the tests that rules carry.")
@click.argument("rule_files", nargs=-1, type=click.Path(path_type=Path), metavar="[RULE_FILE]...")
@config_option("The configuration whose rules are tested when no file is given.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit report, for CI."
)
def command(rule_files: tuple[Path, ...], config_file: Path | None, *, as_json: bool, junit: Path | None) -> int:
    """Run the [[rule.test]] cases of rule files, or of all rules of the configuration.

    Each test judges its own rule alone. Local time is UTC, the host is called "host". Exit code 1 when one fails.

    \b
    Examples:
      shipper test rules.d/app.toml
      shipper test --junit report.xml rules.d/*.toml
      shipper test -c shipper.toml --json
    """
    if rule_files:
        config = read_config(config_file) if config_file else None
        rulebook, warnings = load_rules(rule_files, config.source if config else None)
    else:
        config = read_config(config_file)
        if config is None:
            raise click.UsageError("give rule files, or a configuration that names them with -c")
        rulebook, warnings = load_configured_rules(config)
    say_problems(warnings)
    outcomes = prove(rulebook.cases)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if junit is not None:
        _write_junit(junit, outcomes)
    if as_json:
        data().out(orjson.dumps(_json(outcomes), option=orjson.OPT_INDENT_2).decode())
    for outcome in () if as_json else failed:
        _say_failure(outcome)
    untested = len({rule.id for rule in rulebook.rules} - {case.rule.id for case in rulebook.cases})
    remark = f" ({untested} of {len(rulebook.rules)} rules carry no test)" if untested else ""
    say(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed{remark}", "red" if failed else "")
    return 1 if failed else 0


def _say_failure(outcome: Outcome) -> None:
    case = outcome.case
    say(f"FAILED {_place(case)}: rule '{case.rule.id}'", "bold red")
    for number, line in enumerate(case.lines, start=1):
        label = f"line {number}:" if case.is_sequence else "line:"
        say(f"  {label:<9} {_shortened(_shown(case, line))}")
    for difference in outcome.differences:
        say(f"  {difference.key}:")
        say(f"    expected {_shortened(difference.expected)}", "green")
        say(f"    got      {_shortened(difference.got)}", "red")


def _shown(case: Case, line: str) -> str:
    """Give a line without what its rule redacts: somebody may have pasted a real one."""
    return Redacted(line, case.rule.redact, _REDACTION_TIMEOUT).text


def _place(case: Case) -> str:
    return f"{case.file}:{case.line_number}"


def _shortened(text: str) -> str:
    return one_line(safe(text), _LINE_CHARACTERS)


def _json(outcomes: Sequence[Outcome]) -> dict[str, object]:
    tests = [
        {
            "rule": outcome.case.rule.id,
            "file": outcome.case.file,
            "line_number": outcome.case.line_number,
            "passed": outcome.passed,
            "differences": [
                {"key": each.key, "expected": each.expected, "got": each.got} for each in outcome.differences
            ],
        }
        for outcome in outcomes
    ]
    failed = sum(not outcome.passed for outcome in outcomes)
    return {"passed": len(outcomes) - failed, "failed": failed, "tests": tests}


def _write_junit(file: Path, outcomes: Sequence[Outcome]) -> None:
    """Write a suite for each rule file.

    Raises:
        ShipperError: the file cannot be written.
    """
    root = ElementTree.Element("testsuites")
    for name in dict.fromkeys(outcome.case.file for outcome in outcomes):
        cases = [outcome for outcome in outcomes if outcome.case.file == name]
        failures = sum(not outcome.passed for outcome in cases)
        counts = {"name": safe(name), "tests": str(len(cases)), "failures": str(failures)}
        suite = ElementTree.SubElement(root, "testsuite", counts)
        for outcome in cases:
            named = {"classname": safe(outcome.case.rule.id), "name": f"line {outcome.case.line_number}"}
            case = ElementTree.SubElement(suite, "testcase", named)
            if not outcome.passed:
                keys = ", ".join(each.key for each in outcome.differences)
                failure = ElementTree.SubElement(case, "failure", {"message": f"differs in {keys}"})
                # XML has no way to write control characters: they are shown escaped, as on a screen
                failure.text = safe(
                    f"{_place(outcome.case)}\n"
                    + "".join(f"line: {_shown(outcome.case, line)}\n" for line in outcome.case.lines)
                    + "\n".join(
                        f"{each.key}: expected {each.expected}\n{each.key}: got      {each.got}"
                        for each in outcome.differences
                    )
                )
    try:
        file.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    except OSError as error:
        raise ShipperError(f"--junit {file}: cannot be written: {error.strerror}") from None
