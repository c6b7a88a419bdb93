"""What systemd is told: that the start is complete, what goes on, and that the loops make progress."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shipper.agent.health import INTAKE_STALLED, UPLOADER_STALLED
from shipper.agent.service_manager import ServiceManager
from shipper.agent.survey import Survey
from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.config.model import StoreTable
from tests.conftest import eventually
from tests.e2e.host import Host


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_an_agent_tells_its_service_manager(
    tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From start to stop, through a reload; the watchdog is fed more often than it asks for."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "2500000")
    told: list[str] = []

    def has(*messages: str) -> bool:
        told.extend(heard(manager))
        return all(any(each.startswith(message) for each in told) for message in messages)

    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        host = Host(tmp_path, emulator)
        host.start()
        eventually(lambda: has("READY=1", "WATCHDOG=1", "STATUS=reading and sending"))
        assert told[0] == "READY=1"
        host.running.send_signal(signal.SIGHUP)
        eventually(lambda: has("RELOADING=1\nMONOTONIC_USEC="))
        eventually(lambda: told.count("READY=1") == 2 or has("nothing"))
        assert host.stop() == 0
    has()
    assert told[-1] == "STOPPING=1"


def test_a_loop_that_stands_still_is_not_fed_for(tmp_path: Path, manager: socket.socket) -> None:
    """Then the watchdog bites."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    telling = ServiceManager(environment)
    telling.tell("reading", makes_progress=False)
    telling.tell("reading", makes_progress=False)
    assert heard(manager) == ["STATUS=reading"]
    telling.tell("a\nb " + "c" * 500, makes_progress=True)
    assert heard(manager) == ["STATUS=a b " + "c" * 196, "WATCHDOG=1"]
    ServiceManager({**environment, "WATCHDOG_PID": str(os.getpid() + 1)}).tell("", makes_progress=True)
    ServiceManager({}).ready()
    assert heard(manager) == []
    manager.close()
    telling.stopping()


def test_what_is_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loop by its own bound; a store that fails is told for itself, and a restart would not mend it."""
    now = 10_000.0
    monkeypatch.setattr("shipper.agent.survey.time.monotonic", lambda: now)
    intake = SimpleNamespace(looked_at=now, store_trouble=None)
    uploader = SimpleNamespace(looked_at=now)
    survey = Survey(
        tmp_path, StoreTable(), cast("Any", intake), cast("Any", uploader), cast("Any", None), cast("Any", None)
    )
    assert survey.makes_progress()
    intake.looked_at = now - INTAKE_STALLED
    assert not survey.makes_progress()
    intake.store_trouble = "no space left"
    assert survey.makes_progress()
    uploader.looked_at = now - UPLOADER_STALLED
    assert not survey.makes_progress()
    survey.stop()
    assert survey.makes_progress()
