"""Stories in which the simulation once found a fault, cut down to what it takes: they stay told."""

from __future__ import annotations

import pytest

from shipper.agent import intake
from tests.simulation.world import World, act

FEW = 4
LOGS, FAMILY = "/logs/*.log", "/logs/app.log*"
Story = list[tuple[str, int]]
COARSE = 4_000_000

FOUND: dict[str, tuple[int, str, bool, Story]] = {
    "a file that cannot be read is begun anew and closed, not for ever begun anew": (1000, FAMILY, True, [
        ("stale", 0), ("rename", 0), ("sleep", 2), ("write", 0), ("step", 0), ("copytruncate", 0), ("step", 0),
        ("stale", 0), ("write", 9), ("remove", 0),
    ]),
    "an archive is not taken for the plain file whose inode it has": (FEW, LOGS, False, [
        ("write", 6), ("copytruncate", 0), ("step", 0), ("stale", 0), ("step", 0), ("rename", 0), ("rename", 0),
        ("compress", 1), ("compress", 2),
    ]),
    "archives inside the globs end, and leave their descriptors to others": (FEW, FAMILY, True, [
        ("rename", 0), ("write", 2), ("between", 0), ("copytruncate", 0), ("step", 0), ("copytruncate", 0),
        ("compress", 2), ("stop", 0), ("step", 0), ("write", 4), ("rename twice", 1), ("step", 0), ("step", 0),
        ("sleep", 2), ("compress", 2), ("step", 0), ("rename", 0), ("sleep", 7), ("rename", 0), ("compress", 1),
        ("write", 1), ("step", 0), ("compress", 2),
    ]),
    "many rests are found at once, and the log itself is read too": (FEW, FAMILY, False, [
        ("copytruncate", 0), ("rename", 0), ("write", 11), ("rename", 0), ("rename", 0), ("rename", 0),
        ("rename twice", 0), ("copytruncate", 0), ("between", 0), ("rename", 0), ("write", 7), ("rename", 0),
        ("write", 2), ("rename", 0), ("write", 10), ("rename", 0), ("step", 0), ("sleep", 7), ("write", 3),
        ("copytruncate", 0), ("step", 0), ("kill", 0), ("step", 0), ("write", 1), ("rename", 0), ("sleep", 3),
        ("step", 0), ("rename", 0), ("step", 0), ("step", 0), ("kill", 0), ("unlistable", 0), ("write", 10),
        ("step", 0),
    ]),
    "a family waits for its file that was written to while it was closed": (FEW, FAMILY, False, [
        ("rename", 0), ("rename", 0), ("sleep", 7), ("rename twice", 0), ("step", 0), ("copytruncate", 0),
        ("sleep", 6), ("step", 0), ("write", 0), ("rename", 0), ("sleep", 2), ("step", 0), ("compress", 0),
    ]),
    "what was read of a file is known after another got its inode": (FEW, LOGS, False, [
        ("rename", 0), ("rename", 0), ("rename", 0), ("write", 2), ("rename", 0), ("step", 0), ("step", 0),
        ("rename", 0), ("compress", 1), ("between", 0), ("sleep", 5), ("step", 0), ("write", 6), ("between", 0),
    ]),
    "a clock that jumps ahead forgets no past content": (FEW, LOGS, True, [
        ("copytruncate", 0), ("copytruncate", 0), ("rename twice", 1), ("stop", 0), ("step", 0), ("sleep", 7),
        ("rename twice", 0), ("step", 0), ("jump", 2), ("rename twice", 0), ("sleep", 7),
    ]),
    "nothing is forgotten of a directory that cannot be listed": (FEW, LOGS, True, [
        ("rename", 0), ("step", 0), ("remove", 0), ("step", 0), ("sleep", 6), ("write", 5), ("unlistable", 0),
        ("between", 0), ("jump", 2), ("sleep", 7), ("step", 0), ("sleep", 7), ("step", 0),
    ]),
    "what came between two looks is found although the clock was set back": (1000, LOGS, True, [
        ("jump", 0), ("rename twice", 0), ("sleep", 2), ("step", 0), ("stop", 0), ("rename twice", 0),
    ]),
    "what is rotated within one tick of a coarse clock is told apart after it was set back": (1000, LOGS, True, [
        ("jump", 0), ("copytruncate", 0), ("write", 0), ("write", 0), ("rename", 0), ("sleep", 2), ("partial", 0),
        ("write", 0), ("step", 0), ("write", 0), ("rename", 0), ("sleep", 4), ("write", 0), ("rename twice", 1),
        ("write", 0), ("copytruncate", 0), ("step", 0), ("rename twice", 0),
    ]),
    "a compressed copy of the beginning of what a truncated file held is known": (FEW, FAMILY, True, [
        ("stale", 0), ("sleep", 2), ("rename", 0), ("write", 0), ("between", 0), ("compress", 0), ("step", 0),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("granularity", [1, COARSE])
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_found(name: str, granularity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these lost or repeated a line before it was set right."""
    monkeypatch.setattr(intake, "STORE_RETRY", 0.0)
    descriptors, glob, generations, story = FOUND[name]
    world = World(descriptors=descriptors, globs=(glob,), generations=generations, granularity=granularity)
    try:
        for action, number in story:
            act(world, action, number)
        world.finish()
    finally:
        world.close()
