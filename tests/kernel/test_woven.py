"""Rotations that go on between any two calls of the agent, at moments that seeds choose."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.kernel.agent import Agent
from tests.kernel.log import Log
from tests.kernel.rotations import COPYING, ROTATIONS, Rotation
from tests.kernel.woven import Weaver, WovenFiles

SEEDS = [int(number) for number in os.environ.get("WOVEN_SEEDS", "0-20").split("-")]


@pytest.mark.parametrize("seed", range(*SEEDS))
@pytest.mark.parametrize(
    "rotation",
    [rotation for rotation in ROTATIONS if rotation.names_kept],
    ids=lambda rotation: rotation.name,
)
def test_every_line_comes_once_whenever_the_world_changes(tmp_path: Path, rotation: Rotation, seed: int) -> None:
    """Between listing and opening, between opening and reading: never is a line lost or told twice (1.1, 1.2, 1.12)."""
    (tmp_path / "logs").mkdir()
    chance = random.Random(seed)
    log = Log(tmp_path / "logs", rotation)
    log.write()
    # between copy and truncation there is less time than a copy is waited for
    likelihoods = [0.1, 0.3] if rotation in COPYING else [0.02, 0.1, 0.3]
    weaver = Weaver(log.steps(turns=5), chance, chance.choice(likelihoods))
    agent = Agent(tmp_path, f"{tmp_path}/logs/{rotation.glob}", files=WovenFiles(weaver), rotated=rotation.rotated)
    agent.start()
    try:
        while not weaver.over:
            agent.look()
            weaver.call()
        agent.settle()
    finally:
        agent.stop()

    log.check(agent)
