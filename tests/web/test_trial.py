"""What a trial answers has a bound, whatever the rule and the lines are; what is left off is said."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import regex

from shipper.matching.composer import Host
from shipper.matching.redaction import Redaction
from shipper.web.excerpt import Excerpt
from shipper.web.trial import CHARACTERS, MOST_BYTES, MOST_PROBLEMS, MOST_TESTS, Trial, judge


def tried(rule: dict[str, Any], lines: str, more: str = "", redact: tuple[Redaction, ...] = ()) -> dict[str, Any]:
    trial = Trial(
        rule={"id": "x", "event": "E"} | rule,
        more=more,
        grok={},
        excerpt=Excerpt(lines.encode(), "pasted"),
        sources=(),
        redact=redact,
        host=Host("host", "192.0.2.1"),
        match_timeout=1.0,
        group_id=0,
    )
    answer = orjson.dumps(judge(trial))
    assert len(answer) <= MOST_BYTES + 2 * len(orjson.dumps(rule))
    told: dict[str, Any] = orjson.loads(answer)
    return told


def test_all_that_a_line_becomes_is_cut() -> None:
    """The line itself, its captures together, and the event; each shows that there is more."""
    told = tried(
        {"match": "(?<all>x+)(?<rest>(.*))(?<last>y?)", "event": "{all}", "content": "{line}" * 50}, "x" * 60_000
    )
    (line,) = told["lines"]
    assert line["segments"][0]["text"] == "x" * CHARACTERS
    assert line["captures"] == {"all": "x" * (CHARACTERS - len("all")) + "…"}
    assert line["more_captures"] == 3
    assert line["event"]["name"] == "x" * CHARACTERS + "…"
    assert line["event"]["content"] == "…"


def test_of_many_long_lines_the_newest_are_shown() -> None:
    """The others are counted."""
    told = tried({"match": "(?<all>.*)", "content": "{line}"}, "\n".join(f"{n:04}" + "\1" * 4000 for n in range(300)))
    assert len(told["lines"]) + told["left_off"] == 300
    assert told["left_off"] > 0
    assert told["lines"][-1]["captures"]["all"].startswith("0299")


def test_a_replacement_in_many_pieces_is_cut() -> None:
    """A redaction's own text stands in each piece between two captures."""
    covers = Redaction(regex.compile(".*"), "r" * 100_000)
    told = tried({"match": "(.)" * 2000}, "x" * 4000, redact=(covers,))
    (line,) = told["lines"]
    assert sum(len(piece["text"]) for piece in line["segments"]) <= CHARACTERS + len(line["segments"])


def test_problems_and_tests_have_a_bound() -> None:
    """How many there are is said."""
    told = tried({"match": "a"}, "a", more="\n".join(f"odd{n} = '{'x' * 2000}'" for n in range(MOST_PROBLEMS * 3)))
    assert len(told["problems"]) == MOST_PROBLEMS
    assert told["problems"][-1]["message"] == f"and {MOST_PROBLEMS * 2 + 1} more"
    tests = [{"line": "a" * 3000, "expect": {"event": f"F{n}", "content": "y" * 9000}} for n in range(MOST_TESTS + 50)]
    told = tried({"match": "a", "content": "{line}", "test": tests}, "a")
    assert len(told["tests"]) == MOST_TESTS
    assert f"the first {MOST_TESTS} of {MOST_TESTS + 50} tests" in told["problems"][0]["message"]
    assert all(len(each["got"]) < 2000 for test in told["tests"] for each in test["differences"])


@pytest.mark.parametrize(
    ("rule", "more", "said"),
    [
        ({}, "test = 5", "'test' must be"),
        ({"test": [{"line": "a", "expect": "no match"}]}, "test = 5", "'test' must be"),
        ({"test": 5}, "", "'test' must be"),
        ({"test": {"line": "a"}}, "", "'test' must be"),
        ({}, f"group_id = {'9' * 5000}", "too many digits"),
        ({}, "a = " + "[" * 5000, "nested too deeply"),
        ({}, ".".join("a" * 100) + " = 1", "nested too deeply"),
        ({}, "\n[throttle\n", "line 2: not valid TOML"),
        ({"match": ["x"]}, "", "'match' must be"),
        ({"match": {}}, "", "'match' must be"),
    ],
)
def test_keys_that_are_something_else_are_problems(rule: dict[str, Any], more: str, said: str) -> None:
    """Not mistakes of ours."""
    told = tried({"match": "a"} | rule, "a", more)
    assert any(said in problem["message"] for problem in told["problems"]), told["problems"]
    assert [line["outcome"] for line in told["lines"]] == ["untried"]


def test_pasted_lines_are_of_any_source() -> None:
    """A rule for some sources is tried on them all the same."""
    told = tried({"match": "a", "content": "{source}", "sources": ["app"]}, "a")
    assert told["lines"][0]["outcome"] == "matched"
