"""A look at each single gap of two rotations: between renames, between copy and truncation, while gzip writes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.kernel.agent import Agent
from tests.kernel.log import Log
from tests.kernel.rotations import ROTATIONS, Rotation, prepare

TURNS = 2


def _gaps(rotation: Rotation) -> int:
    """Count the gaps of all turns together."""
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch), rotation)
        return sum(1 for turn in range(TURNS) for _ in rotation.turn(Path(scratch), turn))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for every gap of every rotation whose generations can be told from their names."""
    metafunc.parametrize(
        ("rotation", "gap", "restart"),
        [
            pytest.param(rotation, gap, restart, id=f"{rotation.name}, gap {gap}, {'restarted' if restart else 'up'}")
            for rotation in ROTATIONS
            if rotation.names_kept
            for gap in range(_gaps(rotation))
            for restart in (False, True)
        ],
    )


def test_a_look_in_any_gap_changes_nothing(tmp_path: Path, rotation: Rotation, gap: int, restart: bool) -> None:
    """Wherever in two rotations a running or restarted agent looks, every line comes once (hazards 1.1-1.3, 1.12)."""
    (tmp_path / "logs").mkdir()
    log = Log(tmp_path / "logs", rotation)
    agent = Agent(tmp_path, f"{tmp_path}/logs/{rotation.glob}", rotated=rotation.rotated)
    agent.start()
    passed = 0

    def in_gap() -> None:
        nonlocal passed
        if passed == gap:
            if restart:
                agent.stop()
                agent.start()
            agent.look()
        passed += 1

    try:
        log.write()
        agent.look()
        for _ in range(TURNS):
            log.write()
            log.turn(in_gap)
            log.write()
        agent.look()
        agent.settle()
    finally:
        agent.stop()

    assert passed > gap
    log.check(agent)
