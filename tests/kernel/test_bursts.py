"""Much that happens between two looks, and directories that are there for a moment only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.kernel.agent import Agent


def append(path: Path, *numbers: int) -> None:
    """Write numbered lines."""
    with path.open("a") as file:
        file.writelines(f"ERROR {number}\n" for number in numbers)


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
def test_directories_made_written_and_rotated_in_one_burst(root: Path, watched: bool) -> None:
    """What is there at the next look is read whole, rotated or not; what is gone by then harms nothing (hazard 2.1)."""
    logs = root / "logs"
    agent = Agent(root, f"{logs}/**/*.log", watched=watched)
    agent.start()
    try:
        append(logs / "first.log", 0)
        agent.catch_up([0])
        # there and gone
        (logs / "x/y/z").mkdir(parents=True)
        append(logs / "x/y/z/app.log", 100)
        (logs / "x/y/z/app.log").rename(logs / "x/y/z/app.log.1")
        shutil.rmtree(logs / "x")
        # there to stay
        (logs / "a/b/c").mkdir(parents=True)
        append(logs / "a/b/c/app.log", 1, 2)
        (logs / "a/b/c/app.log").rename(logs / "a/b/c/other.log")
        append(logs / "a/b/c/app.log", 3)
        agent.catch_up(range(4))
        # and once more under the names that were gone
        (logs / "x/y/z").mkdir(parents=True)
        append(logs / "x/y/z/app.log", 4)
        agent.catch_up(range(5))
        agent.settle()
    finally:
        agent.stop()

    assert {number: count for number, count in agent.times().items() if number != 100} == dict.fromkeys(range(5), 1)
    assert agent.times()[100] <= 1


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
def test_a_log_that_lives_for_a_moment(root: Path, watched: bool) -> None:
    """Written and deleted with its directory: all of it is read once anybody saw it (hazards 4.4, 1.9)."""
    logs = root / "logs"
    agent = Agent(root, f"{logs}/*/*.log", watched=watched)
    agent.start()
    try:
        if not watched:
            agent.look()
        pod = logs / "pod"
        pod.mkdir()
        with (pod / "0.log").open("w", buffering=1) as file:
            file.write("ERROR 0\n")
            agent.catch_up([0])
            file.writelines(f"ERROR {number}\n" for number in range(1, 1000))
            shutil.rmtree(pod)
        agent.catch_up(range(1000))
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(1000))
    assert not any(target.startswith(str(logs)) for target in _open_files())


def _open_files() -> list[str]:
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:
            # the one that this very listing was read from
            continue
    return found
