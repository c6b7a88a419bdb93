"""`shipper test` as a user types it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from shipper.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Test = Callable[..., "Outcome"]

RULES = r"""
[[rule]]
id = "thing"
match = '(?<when>\S+) (?<what>.*)'
event = "Thing"
group_id = "{what}"
content = "{what}"

  [[rule.test]]
  line = "x 12"
  expect = { event = "Thing", content = "1*", group_id = 12 }

  [[rule.test]]
  line = "2026-01-02T00:00:00Z abc\u0001<&\u001b[2J"
  expect = { event = "Other", content = "ab", group_id = 7, time = 2026-01-02T00:00:01Z }

  [[rule.test]]
  line = "x y"
  expect = "no match"

[[rule]]
id = "untested"
match = "x"
event = "X"
"""
PASSING = '[[rule]]\nid = "p"\nmatch = "x"\nevent = "X"\n[[rule.test]]\nline = "x"\nexpect = { event = "X" }\n'


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def prove(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Test:
    """Run `shipper test` in a directory with two rule files."""
    monkeypatch.delenv("SHIPPER_CONFIG", raising=False)
    monkeypatch.setattr("shipper.config.load.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.setattr("shipper.cli.rule_options.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.toml").write_text(RULES)
    (tmp_path / "passing.toml").write_text(PASSING)

    def run(*arguments: str) -> Outcome:
        code = app.main(["test", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run


def test_all_pass(prove: Test) -> None:
    """The count, and 0."""
    done = prove("passing.toml")

    assert (done.code, done.out, done.err) == (0, "", "1 passed, 0 failed\n")


def test_a_failure_is_shown_with_its_place_line_and_differences(prove: Test) -> None:
    """What was expected and what came, for each key that differs; exit code 1; nothing steers the terminal."""
    done = prove("failing.toml", "passing.toml")

    assert (done.code, done.out) == (1, "")
    shown = [line.strip() for line in done.err.splitlines()]
    start = shown.index("FAILED failing.toml:13: rule 'thing'")
    assert shown[start : start + 14] == [
        "FAILED failing.toml:13: rule 'thing'",
        r"line:     2026-01-02T00:00:00Z abc\x01<&\x1b[2J",
        "event:",
        "expected Other",
        "got      Thing",
        "content:",
        "expected ab",
        r"got      abc\x01<&\x1b[2J",
        "group_id:",
        "expected 7",
        "got      0",
        "time:",
        "expected 2026-01-02T00:00:01+00:00",
        "got      20260102T000000.000+0000",
    ]
    assert shown[start + 14] == "FAILED failing.toml:17: rule 'thing'"
    assert shown[-1] == "2 passed, 2 failed (1 of 3 rules carry no test)"


def test_json_has_every_test(prove: Test) -> None:
    """On stdout, with the differences."""
    done = prove("--json", "failing.toml")

    report = json.loads(done.out)
    assert (done.code, report["passed"], report["failed"]) == (1, 1, 2)
    assert [test["line_number"] for test in report["tests"]] == [9, 13, 17]
    assert report["tests"][0] == {
        "rule": "thing",
        "file": "failing.toml",
        "line_number": 9,
        "passed": True,
        "differences": [],
    }
    assert {"key": "event", "expected": "Other", "got": "Thing"} in report["tests"][1]["differences"]


def test_a_junit_report_is_xml_whatever_the_lines_hold(prove: Test, tmp_path: Path) -> None:
    """For CI: a suite for each file; control characters, which XML cannot hold, are escaped."""
    done = prove("--junit", "report.xml", "failing.toml", "passing.toml")

    assert done.code == 1
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("failing.toml", "3", "2"),
        ("passing.toml", "1", "0"),
    ]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert r"content: got      abc\x01<&\x1b[2J" in failure.text


def test_a_report_that_cannot_be_written_is_said(prove: Test) -> None:
    """The work failed: 1, with the reason."""
    done = prove("--junit", "no/such/report.xml", "passing.toml")

    assert done.code == 1
    assert "error: --junit no/such/report.xml: cannot be written: No such file or directory" in done.err


def test_without_files_those_of_the_configuration_are_tested(prove: Test, tmp_path: Path) -> None:
    """Found relative to the configuration; with neither, it is said what to give."""
    (tmp_path / "c.toml").write_text('rules = ["pass*.toml"]\n')

    done = prove("-c", str(tmp_path / "c.toml"))
    nothing = prove()

    assert (done.code, done.err) == (0, "1 passed, 0 failed\n")
    assert nothing.code == 2
    assert "give rule files, or a configuration that names them with -c" in nothing.err


def test_broken_rules_are_not_tested(prove: Test, tmp_path: Path) -> None:
    """Exit code 2, with the problem's place."""
    (tmp_path / "bad.toml").write_text('[[rule]]\nid = "b"\nmatch = "("\nevent = "E"\n')

    done = prove("bad.toml")

    assert done.code == 2
    assert "error: bad.toml:3:1: rule 'b': 'match' is not a valid pattern" in done.err
