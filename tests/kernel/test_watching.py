"""Hints that do not come, and directories that go and come back."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from shipper.tailing.inotify import Inotify
from tests.kernel.agent import Agent


def append(path: Path, *numbers: int) -> None:
    """Write numbered lines."""
    with path.open("a") as file:
        file.writelines(f"ERROR {number}\n" for number in numbers)


def test_without_room_for_watches_the_scans_find_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`max_user_watches` is used up: said once, nothing is missed or repeated (hazard 2.2)."""

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(Inotify, "listen", exhausted)
    caplog.set_level(logging.INFO, logger="shipper")
    logs = tmp_path / "logs"
    logs.mkdir()
    append(logs / "a.log", 0)
    agent = Agent(tmp_path, f"{logs}/*.log", watched=True)
    agent.start()
    try:
        agent.catch_up([0])
        append(logs / "a.log", 1)
        append(logs / "new.log", 2)
        (logs / "a.log").rename(logs / "a.log.1")
        append(logs / "a.log.1", 3)
        append(logs / "a.log", 4)
        agent.catch_up(range(5))
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(5))
    told = [record for record in caplog.records if "fs.inotify.max_user_watches" in record.getMessage()]
    assert len(told) == 1
    assert str(logs) in told[0].getMessage()


def test_a_file_that_was_closed_for_want_of_descriptors_is_heard_of(tmp_path: Path) -> None:
    """Written to, it is taken up long before the next scan is due (hazards 2.2, 6.1)."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(40):
        append(logs / f"{number}.log", number)
    agent = Agent(tmp_path, f"{logs}/*.log", watched=True, max_open=10, scan_interval=3600.0)
    agent.start()
    try:
        agent.catch_up(range(40))
        for number in range(40):
            append(logs / f"{number}.log", 100 + number)
            agent.catch_up([100 + number])
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == [*range(40), *range(100, 140)]


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
@pytest.mark.parametrize("restart", [False, True], ids=["up", "restarted"])
def test_a_directory_renamed_away_and_back(root: Path, watched: bool, restart: bool) -> None:
    """What was written before, meanwhile and after arrives once, also when the agent starts meanwhile (hazard 2.4)."""
    logs, away = root / "logs", root / "away"
    append(logs / "a.log", 0, 1)
    agent = Agent(root, f"{logs}/*.log", watched=watched)
    agent.start()
    try:
        agent.catch_up([0, 1])
        append(logs / "a.log", 2)
        logs.rename(away)
        append(away / "a.log", 3)
        if restart:
            agent.stop()
            agent.start()
        if not watched:
            agent.look()
        append(away / "a.log", 4)
        append(away / "new.log", 5)
        away.rename(logs)
        append(logs / "a.log", 6)
        agent.catch_up(range(7))
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(7))


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
def test_a_directory_replaced_by_another_of_the_same_name(root: Path, watched: bool) -> None:
    """The old directory's files are read to their end, the new one's from 0, and hints come from it (hazard 2.4)."""
    logs = root / "logs"
    append(logs / "a.log", 0)
    agent = Agent(root, f"{logs}/*.log", watched=watched)
    agent.start()
    try:
        agent.catch_up([0])
        append(logs / "a.log", 1)
        logs.rename(root / "old")
        logs.mkdir()
        append(logs / "a.log", 2)
        agent.catch_up([0, 1, 2])
        append(logs / "a.log", 3)
        append(logs / "b.log", 4)
        agent.catch_up(range(5))
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(5))
