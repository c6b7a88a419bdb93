"""The tests that rules carry: what they compare, and what they judge."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.proving import Case, Difference, Outcome, prove
from shipper.matching.rule import Rule
from shipper.matching.templates import parse_template
from tests.matching.writing import load, write

RULE = """\
[[rule]]
id = "oom"
sources = ["app*"]
match = '(?s)OutOfMemory(?:: (?<reason>.*))?'
ignore = ['harmless']
event = "JavaOutOfMemory"
group_id = 27147
content = "{hostname} {path} {source}: {reason|unknown}"
"""


def run(directory: Path, tests: str, rule: str = RULE) -> list[Outcome]:
    return prove(load(directory, rule + tests).cases)


def case(line: str, expect: str, more: str = "") -> str:
    return f"[[rule.test]]\nline = {line}\nexpect = {expect}\n{more}\n"


def differences(directory: Path, tests: str, rule: str = RULE) -> list[tuple[str, str, str]]:
    (outcome,) = run(directory, tests, rule)
    assert outcome.passed == (not outcome.differences)
    return [(each.key, each.expected, each.got) for each in outcome.differences]


@pytest.mark.parametrize(
    ("line", "expect"),
    [
        ("'OutOfMemory: heap'", '{ event = "JavaOutOfMemory" }'),
        ("'OutOfMemory: heap'", '{ content = "host /var/log/test.log test: heap" }'),
        ("'OutOfMemory: heap'", '{ content = "*: heap", group_id = 27147 }'),
        ("'OutOfMemory: heap'", '{ group_id = "27147" }'),
        ("'OutOfMemory: heap'", '{ group_id = "271*" }'),
        ("'OutOfMemory'", '{ content = "*unknown" }'),
        ("'OutOfMemory'", "{}"),
        ("'OutOfMemory'", '{ time = "20260101T000000.000+0000" }'),
        ("'OutOfMemory'", '{ time = "2026-01-01T00:00:00Z" }'),
        ("'OutOfMemory'", "{ time = 2026-01-01T08:00:00+08:00 }"),
        ("'OutOfMemory'", '{ time = "20260101T*" }'),
        ("'all is well'", '"no match"'),
        ("''", '"no match"'),
        ("'harmless OutOfMemory'", '"no match"'),
    ],
)
def test_what_passes(tmp_path: Path, line: str, expect: str) -> None:
    """Only named keys are compared, `*` is anything, and an ignored record is no match (spec, section 4 "Tests")."""
    assert differences(tmp_path, case(line, expect)) == []


@pytest.mark.parametrize(
    ("line", "expect", "different"),
    [
        (
            "'OutOfMemory: heap'",
            '{ event = "JavaOutOfMemori", content = "*: perm", group_id = 1 }',
            [
                ("event", "JavaOutOfMemori", "JavaOutOfMemory"),
                ("content", "*: perm", "host /var/log/test.log test: heap"),
                ("group_id", "1", "27147"),
            ],
        ),
        (
            "'OutOfMemory'",
            '"no match"',
            [("event", "no match", "JavaOutOfMemory: host /var/log/test.log test: unknown")],
        ),
        ("'well'", '{ event = "E", group_id = 1 }', [("event", "event = E, group_id = 1", "no match")]),
        ("'well'", "{}", [("event", "an event", "no match")]),
        (
            "'OutOfMemory'",
            "{ time = 2026-01-01T00:00:00+08:00 }",
            [("time", "2026-01-01T00:00:00+08:00", "20260101T000000.000+0000")],
        ),
        ("'OutOfMemory'", '{ time = "yesterday" }', [("time", "yesterday", "20260101T000000.000+0000")]),
        (
            "'OutOfMemory'",
            '{ time = "2026-01-01T00:00:00" }',
            [("time", "2026-01-01T00:00:00", "20260101T000000.000+0000")],
        ),
    ],
)
def test_what_fails_says_what_differs(
    tmp_path: Path, line: str, expect: str, different: list[tuple[str, str, str]]
) -> None:
    """Key, expectation and what came, for every key that differs."""
    assert differences(tmp_path, case(line, expect)) == different


ECHO = "[[rule]]\nid = 'echo'\nmatch = '(?s)^(?<all>.*)$'\nevent = 'E'\ncontent = '{all}'\n"


@pytest.mark.parametrize(
    ("content", "wanted", "passes"),
    [
        ("a*b", r"a\*b", True),
        ("axb", r"a\*b", False),
        ("a*b", "a*b", True),
        ("ab", "a*b", True),
        ("a\nb", "a*b", True),
        ("abc", "a*b", False),
        ("xab", "a*b", False),
        ("", "*", True),
        ("", "", True),
        ("x", "", False),
        ("ab", "***", True),
        (r"a\b", r"a\b", True),
        (r"a\x", r"a\*", False),
        ("[a].+(", "[a].+(", True),
        ("aa", "[a].+(", False),
        ("*", r"\*", True),
        ("内存 🦊", "内*🦊", True),
        ("a\n", "a", False),
        ("aba", "ab*ba", False),
        ("abba", "ab*ba", True),
        ("xaby", "*a*b*", True),
        ("xbay", "*a*b*", False),
        ("a1ab", "a*ab", True),
    ],
)
def test_stars(tmp_path: Path, content: str, wanted: str, passes: bool) -> None:
    r"""`*` is anything, also newlines and nothing; `\*` is a star; all else is only itself."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace("\n", "\\n") + '"'

    found = differences(tmp_path, case(quoted(content), f"{{ content = {quoted(wanted)} }}"), ECHO)

    assert found == ([] if passes else [("content", wanted, content)])


def test_many_stars_are_quick(tmp_path: Path) -> None:
    """An expectation of many stars against a long line is judged at once, whatever differs at its end."""
    found = differences(tmp_path, case(f"'{'a' * 5000}'", f"{{ content = '{'*a' * 30}b' }}"), ECHO)

    assert len(found) == 1


@given(st.text("a*\\\n", max_size=8), st.lists(st.sampled_from(["a", "*", "\\*", "\n"]), max_size=6))
def test_stars_mean_what_a_pattern_says(got: str, parts: list[str]) -> None:
    """The quick comparison agrees with the obvious slow one."""
    slow = "".join({"*": "(?s:.*)", "\\*": r"\*"}.get(part, re.escape(part)) for part in parts)
    rule = Rule("r", regex.compile(""), (), parse_template("E"), parse_template("{line}"), None)
    (outcome,) = prove([Case(rule, "rules.toml", 1, (got,), ({"content": "".join(parts)},))])

    assert outcome.passed == (re.fullmatch(slow, got) is not None)


def test_inputs_of_a_test(tmp_path: Path) -> None:
    """`path`, `source`, `fields` and `now` are what the rule sees."""
    rule = (
        "[[rule]]\nid = 'r'\nmatch = 'x'\nevent = 'E'\n"
        "content = '{path} {file} {source} {service|} {hostname} {ip} {rule} {time} {count}'\n"
    )
    more = "path = '/srv/l.log'\nsource = 'web'\nfields = { service = 'pay' }\nnow = 2026-11-23T08:00:00+08:00\n"
    given = case("'x'", "{ content = '/srv/l.log l.log web pay host 192.0.2.1 r 20261123T000000.000+0000 1' }", more)
    default = case("'x'", "{ content = '/var/log/test.log test.log test  host 192.0.2.1 r 20260101T* 1' }")
    text = case("'x'", "{ time = 2026-11-23T00:00:00Z }", "now = '2026-11-23T08:00:00+08:00'")

    assert [outcome.differences for outcome in run(tmp_path, given + default + text, rule)] == [(), (), ()]


def test_now_completes_a_time_without_a_year(tmp_path: Path) -> None:
    """A test's outcome does not depend on when, or where, it runs."""
    rule = "[[rule]]\nid = 'r'\nmatch = 'x'\nevent = 'E'\n"
    tests = case("'Dec 31 23:59:58 h x'", "{ time = 2025-12-31T23:59:58Z }")
    tests += case("'Nov  3 01:02:03 h x'", "{ time = 2020-11-03T01:02:03Z }", "now = 2020-11-23T00:00:00Z")

    assert [outcome.differences for outcome in run(tmp_path, tests, rule)] == [(), ()]


def test_a_test_judges_its_rule_alone(tmp_path: Path) -> None:
    """Neither `sources`, which the test's source does not fit, nor a final rule before it counts."""
    final = "[[rule]]\nid = 'first'\nmatch = '.'\nevent = 'F'\nfinal = true\n"

    assert differences(tmp_path, case("'OutOfMemory'", "{ event = 'JavaOutOfMemory' }"), final + RULE) == []


def test_a_line_may_hold_newlines(tmp_path: Path) -> None:
    """It is one record, and a difference of several lines is given whole."""
    tests = case('"""OutOfMemory: one\r\n  two\n"""'.replace("\r", "\\r"), '{ content = "*: one\\r\\n  two\\n" }')
    assert differences(tmp_path, tests) == []
    tests = case('"OutOfMemory: one\\n two"', '{ content = "*: one\\n three" }')
    assert differences(tmp_path, tests) == [
        ("content", "*: one\n three", "host /var/log/test.log test: one\n two"),
    ]


def test_a_pattern_that_takes_too_long_is_no_match(tmp_path: Path) -> None:
    """A test ends, whatever its rule's pattern does; the rule's own limit applies."""
    rule = "[[rule]]\nid = 'r'\nmatch = '(a|aa)+$'\nevent = 'E'\nmatch_timeout = '20ms'\n"

    assert differences(tmp_path, case(f"'{'a' * 60}!'", "{ event = 'E' }"), rule) == [
        ("event", "event = E", "no match")
    ]


def test_outcomes_come_in_the_order_of_the_cases(tmp_path: Path) -> None:
    """One for each, so that a report can name file and line."""
    write(tmp_path / "rules.toml", "")
    outcomes = run(tmp_path, case("'OutOfMemory'", '"no match"') + case("'well'", '"no match"'))

    assert [outcome.passed for outcome in outcomes] == [False, True]
    assert [outcome.case.lines for outcome in outcomes] == [("OutOfMemory",), ("well",)]
    assert outcomes[0].differences[0] == Difference(
        "event", "no match", "JavaOutOfMemory: host /var/log/test.log test: unknown"
    )
