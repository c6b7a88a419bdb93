"""How fast requests follow each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.pacing import Pacer, backoff


def send(pacer: Pacer, now: float) -> float:
    """Wait for the turn and send; gives the time at which the request went."""
    now += pacer.wait(now)
    pacer.sent(now)
    return now


def test_the_first_request_goes_at_once() -> None:
    """A lone agent with a quiet line does not wait to report its first event."""
    assert Pacer(20).wait(1000.0) == 0


def test_full_speed_within_seconds() -> None:
    """Each accepted request doubles the rate, so that a backlog is sent at the full rate after a few seconds."""
    pacer, now = Pacer(20), 0.0
    while pacer.rate < 20:
        now = send(pacer, now)
        pacer.accepted(now)
    assert now < 4


def test_throttling_halves_the_rate() -> None:
    """ "Too fast" halves the rate, and the next request waits for its new interval from then on."""
    pacer, now = Pacer(20), 0.0
    for _ in range(10):
        now = send(pacer, now)
        pacer.accepted(now)
    pacer.throttled(now)
    assert pacer.rate == 10
    assert pacer.wait(now) == pytest.approx(0.1, rel=0.05)
    pacer.throttled(now)
    assert pacer.rate == 5


def test_growth_is_slow_after_throttling() -> None:
    """After a halving the rate grows by one request a second each second, not by doubling."""
    pacer, now = Pacer(20), 0.0
    for _ in range(10):
        now = send(pacer, now)
        pacer.accepted(now)
    pacer.throttled(now)
    start = now
    while now < start + 3:
        now = send(pacer, now)
        pacer.accepted(now)
    assert 12 < pacer.rate < 14


def test_a_quiet_line_sends_at_once_again() -> None:
    """After a silence longer than the interval a request does not wait."""
    pacer = Pacer(20)
    send(pacer, 0.0)
    assert pacer.wait(0.1) > 0
    assert pacer.wait(5.0) == 0


def test_no_pacing() -> None:
    """A limit of 0 means that nothing ever waits."""
    pacer = Pacer(0)
    for now in (0.0, 0.0, 0.0):
        assert pacer.wait(now) == 0
        pacer.sent(now)
        pacer.accepted(now)
        pacer.throttled(now)
    assert pacer.rate == math.inf


@given(
    st.sampled_from([0.01, 0.5, 1.0, 3.0, 20.0, 1000.0]),
    st.lists(st.tuples(st.sampled_from(["accepted", "throttled", "failed"]), st.floats(0, 5)), max_size=150),
)
def test_the_limit_is_never_exceeded(limit: float, course: list[tuple[str, float]]) -> None:
    """Whatever is answered, requests keep the limit's distance, and the rate stays within it and above zero."""
    pacer, now, before = Pacer(limit), 0.0, -math.inf
    for outcome, pause in course:
        now = send(pacer, now)
        assert now - before >= 1 / limit - 1e-9
        before = now
        now += pause
        if outcome == "accepted":
            pacer.accepted(now)
        elif outcome == "throttled":
            pacer.throttled(now)
        assert 0 < pacer.rate <= limit
        assert pacer.wait(now) <= max(62.0, 1.02 / limit)


@given(st.integers(-1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_is_bounded(attempt: int, chance: float) -> None:
    """A wait lies between nothing and a minute, for any number of failures."""
    assert 0 <= backoff(attempt, lambda: chance) < 60


def test_backoff_doubles() -> None:
    """The longest wait doubles from half a second to a minute."""
    longest = [backoff(attempt, lambda: 1.0) for attempt in range(9)]
    assert longest == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
