"""A plan follows the text: it is made again when the text turns out otherwise, and when it was made of too little."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from shipper.matching.lane import DRIFT_BYTES, LEAST_SAMPLE, Lane
from shipper.matching.plan import SAMPLE_BYTES, Plan
from shipper.matching.rulebook import load_rules
from shipper.matching.spelling import spelling_of
from tests.matching.test_engine import rule

FINE = b"all is fine, and it takes some hundred bytes to say so at length here\n"
ALPHA = b"alpha is in this line, and it takes some hundred bytes to say so at length\n"
OMEGA = b"omega is in this line, and it takes some hundred bytes to say so at length\n"


def lane_of(tmp_path: Path) -> Lane:
    path = tmp_path / "rules.toml"
    path.write_text(rule("both", "alpha.*omega"))
    rulebook, _ = load_rules([path])
    return Lane([(each, 0) for each in rulebook.rules], spelling_of("utf-8", escaped=False), frozenset())


def text(line: bytes, size: int) -> bytes:
    """Give so many bytes, one in ten lines as given."""
    return ((line + FINE * 9) * (size // len(line + FINE * 9) + 1))[:size]


def judge(lane: Lane, data: bytes, size: int) -> Plan:
    """Let the text pass until so many bytes were seen; gives the plan for the last of it."""
    plan = lane.see(data)
    for _ in range(size // len(data)):
        plan = lane.see(data)
        (needle,) = plan.wanted[0].needles
        lane.note(len(data), data.count(needle.data))
    return plan


def needle_of(plan: Plan) -> bytes:
    (needle,) = plan.wanted[0].needles
    return needle.data


def test_the_rarest_literal_of_the_text_itself_is_looked_for(tmp_path: Path) -> None:
    assert needle_of(lane_of(tmp_path).see(text(ALPHA, SAMPLE_BYTES))) == b"omega"
    assert needle_of(lane_of(tmp_path).see(text(OMEGA, SAMPLE_BYTES))) == b"alpha"


def test_text_that_changes_is_planned_for_again(tmp_path: Path) -> None:
    lane = lane_of(tmp_path)
    assert needle_of(judge(lane, text(ALPHA, SAMPLE_BYTES), 2 * DRIFT_BYTES)) == b"omega"
    assert needle_of(judge(lane, text(OMEGA, SAMPLE_BYTES), DRIFT_BYTES // 2)) == b"omega"
    assert needle_of(judge(lane, text(OMEGA, SAMPLE_BYTES), 2 * DRIFT_BYTES)) == b"alpha"


def test_text_that_no_plan_suits_is_planned_for_less_and_less(tmp_path: Path) -> None:
    lane = lane_of(tmp_path)
    plans = [judge(lane, text(line, SAMPLE_BYTES), DRIFT_BYTES) for line in (ALPHA, OMEGA) * 16]
    changes = [place for place, (one, other) in enumerate(pairwise(plans)) if one is not other]
    # each time it waits twice as long
    assert 2 <= len(changes) <= 5


def test_a_plan_made_of_little_text_is_made_again_though_it_fits_that_text(tmp_path: Path) -> None:
    """Both literals are as often in the little; in all the rest one of them is seldom."""
    lane = lane_of(tmp_path)
    little = text(ALPHA, LEAST_SAMPLE // 2) + text(OMEGA, LEAST_SAMPLE)
    chosen = needle_of(lane.see(little))
    often = text(ALPHA if chosen == b"alpha" else OMEGA, SAMPLE_BYTES)
    assert needle_of(judge(lane, often, 2 * DRIFT_BYTES)) != chosen


def test_a_plan_made_of_much_text_stays_while_the_text_is_what_it_was(tmp_path: Path) -> None:
    lane = lane_of(tmp_path)
    data = text(ALPHA, SAMPLE_BYTES // 2) + text(OMEGA, SAMPLE_BYTES // 2)
    first = lane.see(data)
    assert judge(lane, data, 4 * DRIFT_BYTES) is first
