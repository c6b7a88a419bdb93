"""Every rotation on every file system, with and without hints, with the agent up and down: every line exactly once."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest

from tests.kernel.agent import Agent
from tests.kernel.log import Log
from tests.kernel.rotations import COPYING, ROTATIONS, Rotation


class Pace(enum.Enum):
    """What lies between two looks."""

    EACH = "each rotation is seen"
    EACH_DOWN = "down over each rotation"
    SEVERAL = "several between two looks"
    SEVERAL_DOWN = "several while down"

    @property
    def is_down(self) -> bool:
        """Whether the agent is stopped meanwhile."""
        return self in {Pace.EACH_DOWN, Pace.SEVERAL_DOWN}

    @property
    def turns(self) -> int:
        """How many rotations come at once."""
        return 3 if self in {Pace.SEVERAL, Pace.SEVERAL_DOWN} else 1


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
@pytest.mark.parametrize("pace", list(Pace), ids=lambda pace: pace.value)
@pytest.mark.parametrize("rotation", ROTATIONS, ids=lambda rotation: rotation.name)
def test_every_line_arrives_exactly_once(root: Path, rotation: Rotation, pace: Pace, watched: bool) -> None:
    """Read before, between and after, and never twice, in the order of each generation (hazards 1.1-1.13, 2.3)."""
    if pace.turns > 1 and not rotation.names_kept:
        pytest.skip("generations between that nobody opened are in no file any more, or under a name that says nothing")
    if watched and pace is Pace.SEVERAL and rotation in COPYING:
        pytest.skip("what a look finds in the middle of it is chance here; test_gaps takes every gap one by one")
    log = Log(root / "logs", rotation)
    agent = Agent(root, f"{root}/logs/{rotation.glob}", watched=watched, rotated=rotation.rotated)
    agent.start()
    try:
        log.write()
        agent.catch_up(log.written)
        for _ in range(3):
            if pace.is_down:
                agent.stop()
            for _ in range(pace.turns):
                if rotation.keeps_unread or not pace.is_down:
                    log.write()
                log.turn()
                log.write()
            if pace.is_down:
                agent.start()
            agent.catch_up(log.written)
        agent.settle()
    finally:
        agent.stop()

    log.check(agent)
