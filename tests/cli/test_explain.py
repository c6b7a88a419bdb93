"""`shipper explain` as a user types it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shipper.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Explain = Callable[..., "Outcome"]

RULES = r"""
[[rule]]
id = "disk"
match = 'disk (?<device>\w+) is (?:full|(?<nearly>nearly) full)'
ignore = ["test", "drill"]
event = "DiskFull"
content = "{device}: {line}"
group_id = 7
final = true

[[rule]]
id = "app-only"
sources = ["app"]
match = '(?i)error|\d{9}'
event = "Error"

[[rule]]
id = "slow"
match = 'stuck: (a|aa)+!?$'
event = "Slow"
"""
HARD = "a" * 60


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str

    def rule(self, name: str) -> dict[str, Any]:
        """Give what the JSON says of a rule."""
        (found,) = [each for each in json.loads(self.out)["rules"] if each["rule"] == name]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def explain(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Explain:
    """Run `shipper explain -r rules.toml` in a directory of its own."""
    monkeypatch.delenv("SHIPPER_CONFIG", raising=False)
    monkeypatch.setattr("shipper.config.load.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.setattr("shipper.cli.rule_options.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text(RULES)

    def run(*arguments: str) -> Outcome:
        code = app.main(["explain", "-r", "rules.toml", *arguments])
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, " ".join(captured.err.split()))

    return run


def test_a_match_has_its_captures_its_event_and_its_time(explain: Explain) -> None:
    """What came of a line, and what it took (spec, section 2 "explain")."""
    done = explain("--line", "disk sda is full", "--json")

    disk = done.rule("disk")
    assert done.code == 0
    assert disk["outcome"] == "matched"
    assert disk["captures"] == {"device": "sda", "nearly": None}
    assert disk["event"]["name"] == "DiskFull"
    assert disk["event"]["content"] == "sda: disk sda is full"
    assert disk["event"]["groupId"] == 7
    assert disk["seconds"] > 0


def test_people_see_the_same(explain: Explain) -> None:
    """One line a rule, with captures and the event below."""
    done = explain("--line", "disk sda is full")

    assert "matched" in done.out
    assert "device = sda" in done.out
    assert "nearly = (took no part)" in done.out
    assert "event: DiskFull | group 7 | " in done.out


def test_why_a_rule_did_not_match(explain: Explain) -> None:
    """A text that the pattern needs and the line has not is named, the longest one; else it is the whole pattern."""
    done = explain("--line", "disk ", "--json")

    assert done.rule("disk")["outcome"] == "no match"
    assert done.rule("disk")["reason"] == "it needs ' is full' or ' is nearly full', which is not there"
    assert explain("--line", "disk  is full", "--json").rule("disk")["reason"] == "'match' is found nowhere in it"


def test_an_ignored_line_names_the_pattern(explain: Explain) -> None:
    """Which of `ignore` it was, with the captures of the match."""
    disk = explain("--line", "drill: disk sda is full", "--json").rule("disk")

    assert disk["outcome"] == "ignored"
    assert disk["reason"] == "number 2 of 'ignore' matches, too: drill"
    assert disk["captures"]["device"] == "sda"
    assert disk["event"] is None


def test_rules_behind_a_final_one_are_not_asked(explain: Explain) -> None:
    """As in the agent (spec, section 4 "final")."""
    done = explain("--line", "error: disk sda is full", "--json")

    assert done.rule("app-only")["outcome"] == "not asked"
    assert done.rule("app-only")["reason"] == "rule 'disk' before it is final"


def test_sources_count_when_one_is_named(explain: Explain) -> None:
    """Without `--source` every rule applies."""
    assert explain("--line", "ERROR", "--json").rule("app-only")["outcome"] == "matched"
    assert explain("--line", "ERROR", "--source", "app", "--json").rule("app-only")["outcome"] == "matched"
    other = explain("--line", "ERROR", "--source", "web", "--json").rule("app-only")
    assert other["outcome"] == "not asked"
    assert "(app) do not name the source 'web'" in other["reason"]


def test_a_search_that_takes_too_long_is_said(explain: Explain) -> None:
    """It counts as not matched, as in the agent (spec, section 4 "Time limits")."""
    slow = explain("--line", "stuck: " + HARD + "?", "--json").rule("slow")

    assert slow["outcome"] == "timed out"
    assert "did not end within 0.1 s" in slow["reason"]


@pytest.mark.parametrize("name", ["app.log", "app.log.gz"])
def test_a_line_of_a_log_by_its_number(explain: Explain, tmp_path: Path, name: str) -> None:
    """Plain or compressed; numbers count from 1."""
    lines = b"one\nerror two\r\nerror three"
    (tmp_path / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)

    assert json.loads(explain(name, "--line-number", "2", "--json").out)["line"] == "error two"
    assert json.loads(explain(name, "--line-number", "3", "--json").out)["line"] == "error three"
    beyond = explain(name, "--line-number", "4")
    assert beyond.code == 1
    assert beyond.err.endswith(f"error: {name}: there is no line 4; it has 3")


def test_the_record_that_has_a_line(explain: Explain, tmp_path: Path) -> None:
    """Of a source with records of several lines, the whole record is explained."""
    (tmp_path / "c.toml").write_text(
        '[[source]]\nname = "app"\npaths = ["/nowhere/*.log"]\n[source.multiline]\nstart = "^error"\n'
    )
    (tmp_path / "app.log").write_bytes(b"error one\n  at a\n  at b\nerror two\n  at c\n")

    done = explain("-c", "c.toml", "--source", "app", "app.log", "--line-number", "2", "--json")

    assert json.loads(done.out)["line"] == "error one\n  at a\n  at b"


def test_the_plan_of_the_scanner(explain: Explain, tmp_path: Path) -> None:
    """What is looked for, chosen on the log's own text, and the rules for which every line is judged."""
    (tmp_path / "app.log").write_bytes(b"disk sda is fine, nearly full of joy\n" * 1000)

    plan = json.loads(explain("--plan", "app.log", "--json").out)["plan"]
    shown = explain("--plan", "app.log").out

    assert plan["scanner"] in {"vectorscan", "find"}
    assert plan["sample_bytes"] == 37_000
    disk, either, slow = plan["rules"]
    assert set(disk["needles"]) == {" is full", " is nearly full"}
    assert either["needles"] == []
    assert slow["needles"] == ["stuck: "]
    assert "app-only  every line is judged: no text is certain to be there, and rare" in shown
    assert "slow      lines with 'stuck: '" in shown


def test_what_a_line_holds_does_not_reach_the_terminal(explain: Explain) -> None:
    """Log content is hostile input: escapes are shown, not obeyed."""
    done = explain("--line", "disk \x1b[31m is full")

    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a line with --line, or a LOG with --line-number; or ask for the --plan"),
        (("--line", "x", "app.log"), "give --line or a LOG with --line-number, not both"),
        (("--line-number", "1"), "--line-number needs a LOG"),
    ],
)
def test_a_line_has_to_be_given_once(explain: Explain, arguments: tuple[str, ...], said: str) -> None:
    """Usage errors teach."""
    done = explain(*arguments)

    assert done.code == 2
    assert said in done.err


def test_a_log_that_is_not_there(explain: Explain) -> None:
    """The path and the reason."""
    done = explain("missing.log", "--line-number", "1")

    assert done.code == 1
    assert done.err.endswith("error: missing.log: No such file or directory")
