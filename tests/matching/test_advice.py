"""What `check` advises about rules that work: each warning where it helps, and none where all is well."""

from __future__ import annotations

from pathlib import Path

import pytest
import regex

from shipper.config.model import SourceTable
from shipper.matching.advice import advise, unused_sources
from shipper.matching.backtracking import slow_text
from tests.matching.test_engine import rule
from tests.matching.writing import load, shown


def advice(directory: Path, text: str, sources: list[SourceTable] | None = None) -> list[str]:
    return shown(advise(load(directory, text, sources), sources), directory)


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "x (?:b|bb|c)*!", "(x+x+)+y", r"^(?:\d|\d\d)+\.", "(?=(a|aa)+$)a"])
def test_a_pattern_that_takes_very_long_is_found_with_a_text(pattern: str) -> None:
    """What it gives does take long."""
    text = slow_text(regex.compile(pattern))
    assert text is not None
    with pytest.raises(TimeoutError):
        regex.search(pattern, text, timeout=0.01)


@pytest.mark.parametrize(
    "pattern",
    [
        "ERROR",
        r"^\S+ \S+ (?<level>\w+) \[.*?\] (?<rest>.*)$",
        "(a++)+$",
        r'"(?:[^"\\]|\\.)*"',
        r"(?:\d{1,3}\.){3}\d{1,3}",
        "",
        "[[:alpha:]]+$",
        "(?<a>x)(?&a)*",
    ],
)
def test_patterns_as_people_write_them_are_not_complained_of(pattern: str) -> None:
    assert slow_text(regex.compile(pattern)) is None


def test_a_slow_pattern_is_told_with_its_key(tmp_path: Path) -> None:
    text = rule("a", "ERROR (?:a|aa)+$") + rule("b", "ERROR", "ignore = ['(?:b|bb)+!']")
    first, second = advice(tmp_path, text)

    assert "rules.toml:3:1: warning: rule 'a': 'match' may take very long: a text with 100 times the same part" in first
    assert "rules.toml:10:1: warning: rule 'b': 'ignore' may take very long" in second


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("match = 'x (?<what>.*)'\nevent = 'E {what}'", "what"),
        ("match = 'x (.*)'\nevent = 'E {1}'", "1"),
        ("match = 'x'\nevent = '{line}'", "line"),
        ("match = 'x'\nevent = 'E {time}'", "time"),
    ],
)
def test_an_event_name_of_any_text_is_told(tmp_path: Path, written: str, name: str) -> None:
    """No alarm rule can name it."""
    (said,) = advice(tmp_path, f"[[rule]]\nid = 'a'\n{written}\n")
    assert f"the event's name is made of {{{name}}}, which may be any text" in said


def test_an_event_name_of_few_texts_is_fine(tmp_path: Path) -> None:
    written = "match = 'x (?<what>ERROR|FATAL|[wW]arn)'\nevent = '{service} {what} {hostname} {rule}'"
    source = SourceTable(name="app", paths=("/x",), fields={"service": "pay"})
    assert advice(tmp_path, f"[[rule]]\nid = 'a'\n{written}\n", [source]) == []


def test_a_capture_that_nothing_names_is_told(tmp_path: Path) -> None:
    """A template, a limit, a time or the pattern itself may name it, or its number."""
    used = (
        "[[rule]]\nid = 'a'\n"
        "match = '(?<a>x)(?<b>y)(?<c>z)(?<d>q)(?<e>r)(?P=e)(?<f>s)(?<idle>t)'\n"
        "event = 'E'\ncontent = '{a} {6}'\n"
        "[rule.time]\nfield = 'b'\n[rule.threshold]\ncount = 2\nwithin = '1s'\nby = ['c']\n"
        "[rule.throttle]\nmax = 1\nper = '1s'\nsummary = '{d}'\n"
    )
    (said,) = advice(tmp_path, used)
    assert "the capture 'idle' is used nowhere" in said


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        ("match = 'x'\nfinal = true", "match = 'x'", True),
        ("match = 'x?'\nfinal = true", "match = 'y'", True),
        ("match = 'x'\nfinal = true\nshadow = true", "match = 'x'", False),
        ("match = 'x'", "match = 'x'", False),
        ("match = 'x'\nfinal = true\nignore = ['y']", "match = 'x'", False),
        ("match = 'x'\nfinal = true\nsources = ['a']", "match = 'x'", False),
        ("match = 'x'\nfinal = true\nsources = ['a', 'b']", "match = 'x'\nsources = ['a']", True),
        ("match = 'error'\nfinal = true", "match = 'big e'\n[[rule.test]]\nline = 'a big error'\nexpect = {}", True),
        ("match = 'error'\nfinal = true", "match = 'big'\n[[rule.test]]\nline = 'a big one'\nexpect = {}", False),
    ],
)
def test_a_rule_that_is_never_reached_is_told(tmp_path: Path, first: str, second: str, is_told: bool) -> None:
    """By the patterns, or because a final rule before it takes every line of its own tests."""
    event = "event = 'E'\n"
    text = f"[[rule]]\nid = 'first'\n{event}{first}\n[[rule]]\nid = 'second'\n{event}{second}\n"
    said = [each for each in advice(tmp_path, text) if "never reached" in each]
    assert len(said) == is_told
    assert all("rule 'second': it is never reached: rule 'first' before it is final" in each for each in said)


def test_sources_without_rules_are_found(tmp_path: Path) -> None:
    sources = [SourceTable(name=name, paths=("/x",)) for name in ("app", "web", "db")]
    rulebook = load(tmp_path, rule("a", "x", "sources = ['a*']") + rule("b", "x", "sources = ['db']"), sources)
    assert unused_sources(rulebook, sources) == [1]
