"""Random worlds: whatever is done to the files and the agent, no line is lost in silence (hazards, 0 and 12)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shipper.agent import commits
from tests.simulation.world import ACTIONS, World, act, settings_of

WORLDS = 220
STEPS = 50


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails is tried again at once: no real time passes in a simulated world."""
    monkeypatch.setattr(commits, "STORE_RETRY", 0.0)


class Machine(RuleBasedStateMachine):
    """One world and everything that can happen in it."""

    world: World

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.world = World(**settings_of(seed))

    @rule(name=st.sampled_from([name for name, weight in ACTIONS.items() for _ in range(max(1, round(weight)))]),
          number=st.integers(0, 999))  # fmt: skip
    def anything(self, name: str, number: int) -> None:
        act(self.world, name, number)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.world.finish()
            finally:
                self.world.close()


@pytest.mark.timeout(300)
def test_whatever_happens_no_line_is_lost_in_silence() -> None:
    """More than 10,000 steps of writers, rotations, faults, kills and restarts, against the oracle of 12.3."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=WORLDS,
            stateful_step_count=STEPS,
            deadline=None,
            # the same worlds every time; `python -m tests.simulation` runs others
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
