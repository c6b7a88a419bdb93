"""Rules with thresholds, throttles and shadow, through the engine: which lines make which events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipper.events import Event
from shipper.matching.engine import Engine
from shipper.matching.limits import Limits
from tests.matching.test_engine import HOST, block, engine, rule
from tests.matching.writing import errors, load

BEGIN = datetime(2026, 11, 23, 10, tzinfo=UTC)
THROTTLED = "[rule.throttle]\nmax = 2\nper = '1m'\n"


def line(seconds: float, text: str) -> bytes:
    return f"{(BEGIN + timedelta(seconds=seconds)).isoformat()} {text}\n".encode()


def contents(events: list[Event]) -> list[str]:
    return [event.content for event in events]


def test_an_event_comes_at_the_count_th_match_and_counting_starts_anew(tmp_path: Path) -> None:
    """Of the record that completes the count, whose number is {count} (spec, section 4 "Threshold")."""
    limited = "content = '{count} {n}'\n[rule.threshold]\ncount = 3\nwithin = '1m'\n"
    judging = engine(tmp_path, rule("a", r"x(?<n>\d+)", limited))
    data = b"".join(line(second, f"x{second}") for second in (0, 10, 20, 30, 100, 130, 150))

    events = judging.match(block(data))

    assert contents(events) == ["3 20", "3 150"]
    assert events[0].time == BEGIN + timedelta(seconds=20)
    assert judging.tallies["a"].below == 5


def test_what_is_too_far_apart_counts_for_nothing(tmp_path: Path) -> None:
    limited = "[rule.threshold]\ncount = 2\nwithin = '1m'\n"
    judging = engine(tmp_path, rule("a", "x", limited))

    assert judging.match(block(line(0, "x") + line(61, "x") + line(122, "x"))) == []
    # exactly as far apart as is allowed
    assert len(judging.match(block(line(182, "x"), offset=1000))) == 1


def test_each_value_is_counted_for_itself_and_over_all_files(tmp_path: Path) -> None:
    limited = "content = '{who}'\n[rule.threshold]\ncount = 2\nwithin = '1m'\nby = ['who']\n"
    judging = engine(tmp_path, rule("a", r"x (?<who>\w+)?", limited))

    assert judging.match(block(line(0, "x ada") + line(1, "x bob") + line(2, "x "))) == []
    assert contents(judging.match(block(line(3, "x bob") + line(4, "x ")))) == ["bob", ""]


def test_values_beyond_the_bound_share_one_count(tmp_path: Path) -> None:
    limited = "content = '{who}'\n[rule.threshold]\ncount = 2\nwithin = '1h'\nby = ['who']\nmax_keys = 2\n"
    judging = engine(tmp_path, rule("a", r"x (?<who>\w+)", limited))

    made = judging.match(block(b"".join(line(second, f"x {who}") for second, who in enumerate("abcdab"))))
    assert contents(made) == ["d", "a", "b"]


def test_the_first_pass_and_one_event_tells_of_the_rest(tmp_path: Path) -> None:
    """Name and group are the rule's, the time is the last one's (spec, section 4 "Throttle")."""
    judging = engine(tmp_path, rule("a", r"x(?<n>\d+)", f"content = '{{n}}'\ngroup_id = 5\n{THROTTLED}"))
    data = b"".join(line(second, f"x{second}") for second in (0, 1, 2, 3, 59, 60, 61))

    events = judging.match(block(data))

    told = "3 more between 20261123T100002.000+0000 and 20261123T100059.000+0000: 2026-11-23T10:00:59+00:00 x59"
    assert contents(events) == ["0", "1", told, "60", "61"]
    assert (events[2].name, events[2].group_id, events[2].time) == ("E-a", 5, BEGIN + timedelta(seconds=59))
    assert len({event.id for event in events}) == len(events)
    assert judging.tallies["a"].held == 3
    assert judging.finish() == []


def test_what_is_held_back_at_the_end_is_told(tmp_path: Path) -> None:
    summary = "summary = '{count} {first} {last} {n} {hostname}'\n"
    judging = engine(tmp_path, rule("a", r"x(?<n>\d+)", f"content = '{{n}}'\n{THROTTLED}{summary}"))
    judging.match(block(b"".join(line(second, f"x{second}") for second in range(5))))

    assert contents(judging.finish()) == ["3 20261123T100002.000+0000 20261123T100004.000+0000 4 web-1"]
    assert judging.finish() == []


def test_a_throttle_counts_what_a_threshold_lets_through(tmp_path: Path) -> None:
    limited = "content = '{count}'\n[rule.threshold]\ncount = 2\nwithin = '1m'\n[rule.throttle]\nmax = 1\nper = '1h'\n"
    judging = engine(tmp_path, rule("a", "x", limited + "summary = 'and {count} more'\n"))

    events = judging.match(block(b"".join(line(second, "x") for second in range(8))))
    assert contents([*events, *judging.finish()]) == ["2", "and 3 more"]


def test_a_final_rule_keeps_lines_whatever_its_limits_say(tmp_path: Path) -> None:
    text = rule("a", "x", f"final = true\n{THROTTLED}") + rule("b", "x")
    judging = engine(tmp_path, text)

    events = judging.match(block(b"".join(line(second, "x") for second in range(4))))
    assert [event.rule for event in events] == ["a", "a"]


def test_a_rule_in_the_shadow_shows_its_events_and_keeps_no_line(tmp_path: Path) -> None:
    text = rule("a", "x", "shadow = true\nfinal = true") + rule("b", "x")
    judging = engine(tmp_path, text)

    events = judging.match(block(b"x\n"))
    assert [(event.rule, event.shadow) for event in events] == [("a", True), ("b", False)]
    assert judging.tallies["a"].matched == 1


def test_what_a_rule_held_back_is_told_when_it_loses_its_throttle(tmp_path: Path) -> None:
    """Also when the rule itself is gone: nothing that was counted is forgotten."""
    limits = Limits(live=True)

    def begun(text: str) -> Engine:
        return Engine(load(tmp_path, text).rules, HOST, 1.0, limits=limits)

    before = begun(rule("a", "x", THROTTLED) + rule("b", "x", THROTTLED))
    assert limits.use(before.rules) == []
    before.match(block(b"".join(line(second, "x") for second in range(3))))

    after = begun(rule("a", "x", THROTTLED))
    assert [(event.rule, event.content[:6]) for event in limits.use(after.rules)] == [("b", "1 more")]
    assert len(limits.expire(BEGIN.timestamp() + 10**6)) == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[rule.threshold]\ncount = 0\nwithin = '1m'", "'count' must be at least 1"),
        ("[rule.threshold]\nwithin = '1m'", "the key 'count' is missing"),
        ("[rule.throttle]\nmax = 1\nper = '0s'", "'per' must be longer than 0"),
        (
            "[rule.throttle]\nmax = 1\nper = '1s'\nby = ['whta']",
            "'by' names 'whta', which is no capture of 'match', no built-in, no field of a source; did you mean 'what'",
        ),
        ("[rule.throttle]\nmax = 1\nper = '1s'\nsummary = '{lastt}'", "'summary' uses {lastt}, which is no capture"),
        ("[rule.throttle]\nmax = 1\nper = '1s'\nsummary = '{'", "'summary' has a single '{' at column 1"),
        ("[[rule.throttle]]\nmax = 1\nper = '1s'", "'throttle' must be a table: write [rule.throttle]"),
        ("[[rule.test]]\nexpect = 'no match'", "the key 'line' is missing, or 'lines'"),
        ("[[rule.test]]\nline = 'a'\nlines = ['a']\nexpect = 'no match'", "a test has either 'line' or 'lines'"),
        ("[[rule.test]]\nlines = ['a']\nexpect = {}", "'expect' of 'lines' is an array, with a table for each event"),
        ("[[rule.test]]\nline = 'a'\nexpect = [{}]", "'expect' of one 'line' is a table; an array belongs to 'lines'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, written: str, said: str) -> None:
    (problem,) = errors(tmp_path, rule("a", "(?<what>x)") + written + "\n")
    assert said in problem
