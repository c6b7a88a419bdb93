from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.cloudmonitor.recording import RecordingServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    made = RecordingServer()
    yield made
    made.stop()


@pytest.fixture
def emulated() -> Iterator[Emulator]:
    with Emulator(Settings(qps=0)) as emulator:
        yield emulator
