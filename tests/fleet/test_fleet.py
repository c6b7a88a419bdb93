"""Fleets that share one account's quota, in the short form; `python -m tests.fleet` runs the long one.

The bounds are those of the goals, or looser where a short run is less even.
"""

from __future__ import annotations

import pytest

from tests.fleet.world import LIMITERS, QPS, World

SEED = 7


def saturated(agents: int, limiter: str, warm_up: float, seconds: float) -> World:
    world = World(agents, limiter, SEED)
    world.run(warm_up)
    world.count()
    world.run(seconds)
    return world


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("agents", [1, 10, 100])
def test_agents_that_know_nothing_of_each_other_use_the_quota_and_share_it(agents: int, limiter: str) -> None:
    """Ten minutes after an hour: used, hardly refused, evenly shared, nobody starved."""
    found = saturated(agents, limiter, 3600.0, 600.0).count()

    assert found.used >= 0.88
    assert found.refused_share < 0.10
    assert found.jain >= 0.86
    assert found.starvation < 20


@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_thousand_agents(limiter: str) -> None:
    """Each has a request in fifty seconds: an hour after three of warm-up."""
    found = saturated(1000, limiter, 10_800.0, 3600.0).count()

    assert found.used >= 0.90
    assert found.refused_share < 0.10
    assert found.jain >= 0.90
    assert found.starvation < 25


@pytest.mark.parametrize("limiter", LIMITERS)
def test_no_stampede_after_an_outage(limiter: str) -> None:
    """An hour without any answer: a hundred agents go on where they were."""
    world = saturated(100, limiter, 3600.0, 60.0)
    world.count()
    world.run(3600.0, is_down=True)
    assert world.count().accepted == 0
    world.run(120.0)
    found = world.count()

    assert found.used >= 0.7
    assert found.refused_share < 0.25


def test_agents_that_come_and_go() -> None:
    """What some leave the others take; who comes back gets requests through at once, and evens out over hours."""
    world = saturated(20, "sliding", 1800.0, 60.0)
    some = world.agents[:15]
    world.rest(some)
    world.run(600.0)
    world.count()
    world.run(300.0)
    assert world.count().used >= 0.8
    world.wake(some)
    world.run(1800.0)
    world.count()
    world.run(600.0)
    found = world.count()

    assert found.used >= 0.75
    assert found.refused_share < 0.10
    assert found.starvation < 25


def test_a_restart_with_kept_rates_is_no_stampede() -> None:
    """A fleet that is restarted at once goes on with what it had found."""
    world = saturated(100, "sliding", 3600.0, 60.0)
    again = World(100, "sliding", SEED + 1, [agent.pacer.rate for agent in world.agents])
    again.run(60.0)
    found = again.count()

    assert found.accepted >= 0.7 * 60 * QPS
    assert found.refused_share < 0.25
