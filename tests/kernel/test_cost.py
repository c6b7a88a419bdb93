"""What idle files cost, and what a busy file costs the quiet ones: counted, not timed."""

from __future__ import annotations

import cProfile
import sys
import time
from pathlib import Path

import pytest

from shipper.agent.intake import TURN_BYTES
from tests.kernel.agent import Agent
from tests.kernel.counting import CountingFiles

IDLE_FILES = 3_000
"""More than may be open at a time."""
MOST_BYTES_OF_A_TURN = 3 * TURN_BYTES
"""A turn ends with the block that passes its limit, two of them as a rule; the first look at a file comes on top."""
SETTLING_LOOKS = 20
"""Looks until every file was read, and those beyond the limit of open files are closed again."""


@pytest.mark.timeout(300)
def test_idle_files_cost_a_look_each_and_nothing_else(tmp_path: Path) -> None:
    """Thousands of idle files: a pass lists once, opens and reads nothing; an active one is opened alone (2.5, 6.7)."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(IDLE_FILES):
        (logs / f"{number:05}.log").write_text(f"ERROR {number}\n")
    files = CountingFiles()
    agent = Agent(tmp_path, f"{logs}/*.log", files=files)
    agent.start()
    try:
        for _ in range(SETTLING_LOOKS):
            agent.look()
        assert sorted(agent.times()) == list(range(IDLE_FILES))

        files.clear()
        before = time.process_time()
        agent.look()
        sys.stdout.write(f"cpu seconds of an idle look {round(time.process_time() - before, 3)}\n")
        idle = dict(files.calls)

        files.clear()
        with (logs / "00007.log").open("a") as file:
            file.write(f"ERROR {IDLE_FILES}\n")
        agent.look()
        active, read = dict(files.calls), dict(files.bytes_read)
        agent.settle()
    finally:
        agent.stop()

    sys.stdout.write(f"calls of an idle look {idle}\n")
    assert idle["list"] == 1
    assert "open" not in idle
    assert "read" not in idle
    assert idle["stat"] + idle.get("fstat", 0) <= 2 * IDLE_FILES
    assert active.get("open", 0) <= 1
    assert set(read) <= {f"{logs}/00007.log"}
    assert agent.times()[IDLE_FILES] == 1
    assert agent.times().total() == IDLE_FILES + 1


def _calls_to_take_up(root: Path, count: int) -> int:
    """Count the calls of Python functions until so many files were read that do not fit into the open ones."""
    logs = root / "logs"
    logs.mkdir(parents=True)
    for number in range(count):
        (logs / f"{number:05}.log").write_text(f"ERROR {number}\n")
    agent = Agent(root, f"{logs}/*.log", max_open=count // 4)
    agent.start()
    profile = cProfile.Profile()
    try:
        profile.enable()
        for _ in range(SETTLING_LOOKS):
            agent.look()
        profile.disable()
    finally:
        profile.disable()
        agent.stop()
    assert sorted(agent.times().elements()) == list(range(count))
    profile.create_stats()
    return sum(entry[1] for entry in profile.stats.values())


def test_the_first_scan_of_twice_as_many_files_costs_twice_as_much(tmp_path: Path) -> None:
    """A file is taken up at the same cost however many others there are: counted in calls (hazards 2.5, 6.7)."""
    few = _calls_to_take_up(tmp_path / "few", 300)
    many = _calls_to_take_up(tmp_path / "many", 1200)

    sys.stdout.write(f"calls for each of 300 files {few // 300}, of 1,200 {many // 1200}\n")
    assert many / 1200 < 1.5 * few / 300


BUSY = {"lines": b"nothing to see here\n" * 400_000, "one line": b"x" * 8_000_000, "NULs": bytes(8_000_000) + b"end\n"}


@pytest.mark.parametrize("content", BUSY)
def test_a_quiet_line_waits_for_one_turn_of_a_busy_file(tmp_path: Path, content: str) -> None:
    """Whatever and however much a file has, others are read after one turn of it, in every pass (6.2, 3.2, 1.4)."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a-busy.log").write_bytes(BUSY[content])
    (logs / "quiet.log").touch()
    files = CountingFiles()
    agent = Agent(tmp_path, f"{logs}/*.log", files=files)
    agent.start()
    try:
        for number in range(5):
            with (logs / "quiet.log").open("a") as file:
                file.write(f"ERROR {number}\n")
            files.clear()
            agent.clock.seconds += 1.0
            more = agent.intake.step(agent.clock.monotonic())
            agent.gather()
            assert more, "the busy file came to its end: the test is too small"
            assert agent.times()[number] == 1
            assert 0 < files.bytes_read[f"{logs}/a-busy.log"] <= MOST_BYTES_OF_A_TURN
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(5))
