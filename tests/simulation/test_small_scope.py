"""All short stories: every order of few writes, rotations, looks, crashes and failed sends (hazards, 12.6).

Most faults of ordering show in small scopes, and there all of them can be tried. `SMALL_SCOPE` sets the length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from shipper.agent import commits
from tests.simulation.world import World, act

LENGTH = int(os.environ.get("SMALL_SCOPE", "4"))
MOST = {"write": 3, "rotation": 2, "compress": 1, "end": 1, "failed": 1}
KIND = {"rename": "rotation", "copytruncate": "rotation", "kill": "end", "kill at": "end", "stop": "end"}
ACTIONS = ["write", "step", "rename", "copytruncate", "compress", "kill", "kill at", "stop", "failed"]


def stories(length: int, before: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """Give all stories of a length in which something is written; doing nothing between two looks is no story."""
    if len(before) == length:
        if "write" in before:
            yield tuple(before)
        return
    for action in ACTIONS:
        kind = KIND.get(action, action)
        if sum(KIND.get(done, done) == kind for done in before) < MOST.get(kind, length):
            yield from stories(length, [*before, action])


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("glob", ["/logs/*.log", "/logs/app.log*"])
@pytest.mark.parametrize("first", ["write", "rename", "copytruncate"])
def test_no_short_story_loses_or_repeats_a_line(first: str, glob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order, in both ways to write a glob (I1, I2, hazards 1.1 to 1.6, 5.1)."""
    monkeypatch.setattr(commits, "STORE_RETRY", 0.0)
    told = 0
    for story in stories(LENGTH, [first]):
        world = World(globs=(glob,), generations=False)
        try:
            for action in story:
                act(world, action, 0)
            world.finish()
        except AssertionError as error:
            raise AssertionError(f"{story}: {error}") from error
        finally:
            world.close()
        told += 1

    assert told > 100
