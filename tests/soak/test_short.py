"""A few dozen kills in the suite; `make soak` does hundreds (hazards 5.1, 5.2, 12.11)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak.__main__ import told
from tests.soak.soak import Plan, soak

SEED = 20261123
MOST_DESCRIPTORS = 80
"""Of an agent with four logs: their generations of the last seconds, the store, sockets, inotify."""


@pytest.mark.timeout(300)
def test_kills_rotations_and_faults_lose_nothing(tmp_path: Path) -> None:
    """Delivered and reported lost are what was written; what came twice has one id; state is private (I1, I2, I6)."""
    plan = Plan(SEED, kills=30, seconds=120.0, steady=6.0)

    report = soak(tmp_path, plan)

    sys.stdout.write(told(report))
    assert report.kills == plan.kills
    assert report.rotations
    assert report.is_exact, told(report)
    assert report.missing == {}, told(report)
    assert report.readable == []
    assert report.exit_code == 0
    assert report.violations == 0
    assert max(report.descriptors) < MOST_DESCRIPTORS, told(report)
