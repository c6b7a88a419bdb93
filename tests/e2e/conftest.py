"""What every end-to-end test begins with; and no agent outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.e2e.host import Host, no_leaked_agent

__all__ = ["no_leaked_agent"]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as running:
        yield running


@pytest.fixture
def host(tmp_path: Path, emulator: Emulator) -> Host:
    return Host(tmp_path, emulator)
