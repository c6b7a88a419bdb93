"""How fast requests follow each other; what a fleet makes of it is in tests/fleet."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.cloudmonitor.pacing import Pacer, backoff


def send(pacer: Pacer, now: float) -> float:
    """Wait for the turn and send; gives the time at which the request went."""
    now += pacer.wait(now)
    pacer.sent(now)
    return now


def accepted_for(pacer: Pacer, now: float, seconds: float) -> tuple[float, int]:
    """Send and have all accepted for so long; gives the time then, and how many went."""
    end, count = now + seconds, 0
    while now + pacer.wait(now) < end:
        now = send(pacer, now)
        pacer.accepted(now)
        count += 1
    return end, count


def agent(seed: int = 1, rate: float | None = None) -> Pacer:
    return Pacer(20, random=random.Random(seed).random, rate=rate)


def test_the_first_request_goes_at_once() -> None:
    """A lone agent with a quiet line does not wait to report its first event."""
    assert Pacer(20).wait(1000.0) == 0


@pytest.mark.parametrize("seed", range(20))
def test_full_speed_within_seconds(seed: int) -> None:
    """Each accepted request doubles the rate, so that a backlog is sent at nearly the limit after a few seconds."""
    pacer = agent(seed)
    now, _ = accepted_for(pacer, 0.0, 4.0)
    assert pacer.rate == pytest.approx(20 / 1.05)
    now, _ = accepted_for(pacer, now, 6.0)
    _, count = accepted_for(pacer, now, 10.0)
    assert count > 0.85 * 200


def test_the_first_refusal_halves_the_rate_and_ends_slow_start() -> None:
    """ "Too fast" halves the rate that doubling had found; afterwards it grows slowly."""
    pacer = agent()
    now, _ = accepted_for(pacer, 0.0, 4.0)
    found = pacer.rate
    now = send(pacer, now)
    pacer.throttled(now)
    assert pacer.rate == found / 2
    accepted_for(pacer, now, 3.0)
    assert pacer.rate < found / 2 * 1.05


def test_refusals_decrease_the_rate_by_a_part() -> None:
    """Whoever is refused again and again asks ever more rarely."""
    pacer, now = agent(), 0.0
    rates = []
    for _ in range(200):
        now = send(pacer, now)
        pacer.throttled(now)
        rates.append(pacer.rate)
    assert rates == sorted(rates, reverse=True)
    assert rates[20] < 0.1
    assert rates[-1] == pytest.approx(20 / 20_000)


def test_a_rate_is_found_when_the_first_refusal_came_or_the_limit_is_reached() -> None:
    """What a start had come to when it ended early would slow the next one down for minutes."""
    pacer = agent()
    found = [pacer.found_rate]
    now = send(pacer, 0.0)
    pacer.accepted(now)
    found.append(pacer.found_rate)
    now = send(pacer, now)
    pacer.throttled(now)
    assert [*found, pacer.found_rate] == [None, None, pacer.rate]
    pacer = agent()
    accepted_for(pacer, 0.0, 30.0)
    assert pacer.found_rate == pytest.approx(20 / 1.05)


def test_an_accepted_moment_is_kept() -> None:
    """Requests come back at the moments at which they were accepted, a fixed period later."""
    pacer = agent(rate=0.1)
    now, sent = 0.0, []
    for _ in range(60):
        now = send(pacer, now)
        pacer.accepted(now)
        sent.append(now)
    period = 1.05 * 128
    slots = [moment for moment in sent if moment < period]
    assert len(slots) >= 10
    for slot in slots:
        assert any(moment == pytest.approx(slot + period, abs=0.01) for moment in sent)


def test_a_refused_moment_moves_a_little_and_is_given_up_in_the_end() -> None:
    """A slot makes way by less than a tenth of a second; after three refusals in a row another moment is looked for."""
    pacer = agent(rate=20 / 20_000)
    period, now = 1.05 * 16_384, 0.0
    moments = []
    for _ in range(3):
        now = send(pacer, now)
        pacer.throttled(now)
        moments.append(now)
    assert moments == sorted(moments)
    assert moments[-1] < period


def test_who_has_much_of_the_limit_tries_a_refused_moment_again_at_once() -> None:
    """Among few agents the limit has room again before the slot comes back."""
    pacer = agent(rate=10)
    now = send(pacer, 0.0)
    pacer.accepted(now)
    refused = send(pacer, now)
    pacer.throttled(refused)

    assert send(pacer, refused) - refused < 0.11


def test_room_is_taken_up_soon() -> None:
    """When others left, a long run of acceptances makes the rate grow by an eighth each time."""
    pacer = agent(rate=0.2)
    accepted_for(pacer, 0.0, 1800.0)
    assert pacer.rate == pytest.approx(20 / 1.05)


def test_a_quiet_line_sends_at_once_again() -> None:
    """After a silence longer than the interval a request does not wait, and only one stands for all that was missed."""
    pacer = agent()
    now = send(pacer, 0.0)
    pacer.accepted(now)
    assert pacer.wait(0.1) > 0
    assert pacer.wait(5.0) == 0
    now, _ = accepted_for(pacer, 0.0, 60.0)
    now = send(pacer, now + 3600.0)
    pacer.accepted(now)
    _, count = accepted_for(pacer, now, 1.0)
    assert count <= 20


def test_a_kept_rate_is_gone_on_with() -> None:
    """A start after an earlier run sends at the rate found then, from a random moment on."""
    firsts = [agent(seed, rate=0.1).wait(0.0) for seed in range(200)]
    assert sum(first < 1.0 for first in firsts) < 40
    assert sum(firsts) / len(firsts) == pytest.approx(10.0, rel=0.3)
    pacer = agent(rate=0.1)
    _, count = accepted_for(pacer, 0.0, 600.0)
    assert 45 <= count <= 75


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_a_kept_rate_that_makes_no_sense_does_no_harm(rate: float) -> None:
    """What a store gives is bounded."""
    pacer = agent(rate=rate)
    assert 0 < pacer.rate <= 20
    assert 0 <= pacer.wait(0.0) <= 60


def test_no_answer_keeps_the_moments() -> None:
    """After failures without an answer requests go on in their slots, so that an outage ends without a stampede."""
    pacer = agent(rate=0.1)
    now, _ = accepted_for(pacer, 0.0, 600.0)
    for _ in range(50):
        now = send(pacer, now + 30.0)
    assert pacer.wait(now + 1.0) > 0
    assert pacer.rate < 0.2


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
    st.none() | st.floats(0, 2000),
    st.integers(0, 5),
    st.lists(
        st.tuples(st.sampled_from(["accepted", "throttled", "failed"]), st.floats(0, 5) | st.floats(0, 1e6)),
        max_size=150,
    ),
)
def test_the_limit_is_never_exceeded(
    limit: float, rate: float | None, seed: int, course: list[tuple[str, float]]
) -> None:
    """Whatever is answered, requests keep the limit's distance, waits are bounded, the rate stays over zero."""
    pacer, now, before = Pacer(limit, random=random.Random(seed).random, rate=rate), 0.0, -math.inf
    first = 2 * 10 * 20_000 / limit
    for outcome, pause in course:
        assert 0 <= pacer.wait(now) <= (8.01 * 20_000 / limit if before >= 0 else first)
        now = send(pacer, now)
        assert now - before >= (1 - 1e-6) / limit
        before = now
        now += pause
        if outcome == "accepted":
            pacer.accepted(now)
        elif outcome == "throttled":
            pacer.throttled(now)
        assert 0 < pacer.rate <= limit


@given(st.integers(-1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_is_bounded(attempt: int, chance: float) -> None:
    """A wait lies between nothing and a minute, for any number of failures."""
    assert 0 <= backoff(attempt, lambda: chance) < 60


def test_backoff_doubles() -> None:
    """The longest wait doubles from half a second to a minute."""
    longest = [backoff(attempt, lambda: 1.0) for attempt in range(9)]
    assert longest == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
