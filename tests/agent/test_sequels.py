"""A record over two generations on its way into the store: killed at every commit, held up, and counted."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import MultilineTable, SourceTable, StoreTable
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from tests.kernel.agent import SteppedClock

RULE = "[[rule]]\nid = 'r'\nmatch = '(?s).*'\nevent = 'E'\ncontent = '{id} {file} {line}'\n"
FIRST = "2026-11-23 before"
TRACE = ["2026-11-23 first", *(f"\tat line {n}" for n in range(4))]
LAST = "2026-11-23 last"


class Killed(Exception):  # noqa: N818  what happened, not what went wrong
    """The process is gone."""


class MortalStore(Store):
    """A real store in whose commits the process can die: before or after what they write is durable."""

    dies_in: int | None = None
    after = False

    def record(self, checkpoints: Any, events: Any = (), **others: Any) -> None:
        dies, self.dies_in = self.dies_in == 0, None if self.dies_in is None else self.dies_in - 1
        if dies and not self.after:
            raise Killed
        super().record(checkpoints, events, **others)
        if dies:
            raise Killed


class Agent:
    """Reads `logs/a.log*` by steps; `found` holds id, file and text of every event it ever gave, in order."""

    def __init__(self, root: Path, **limits: Any) -> None:
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir()
        (root / "rules.toml").write_text(RULE)
        self.rules = load_rules([root / "rules.toml"])[0].rules
        self.limits = StoreTable(min_free_disk=0, **limits)
        self.source = SourceTable(
            name="app", paths=(f"{self.logs}/*.log",), start_at="beginning", multiline=MultilineTable(start=r"^\d{4}-")
        )
        self.clock = SteppedClock()
        self.found: list[tuple[str, str, str]] = []
        self.start()

    def start(self, dies_in: int | None = None, *, after: bool = False) -> None:
        self.store = MortalStore(self.root, batching.encode)
        self.store.dies_in, self.store.after = dies_in, after
        self.following = Following(
            [self.source], self.store.checkpoints(), self.store.scanned_sources(), past=self.store.past()
        )
        self.intake = Intake(
            self.following,
            Engine(self.rules, Host("h", "127.0.0.1"), 1.0),
            self.store,
            self.limits,
            wake=threading.Event(),
            recorded=lambda: None,
            watcher=None,
            clock=self.clock,
        )

    def kill(self) -> None:
        self.following.close()
        self.store.close()

    def look(self, seconds: float = 0.05, *, take: bool = True) -> None:
        self.clock.seconds += seconds
        while self.intake.step(self.clock.monotonic()):
            pass
        if take:
            self.gather()

    def gather(self) -> None:
        while waiting := self.store.next_events(100):
            self.store.acknowledge(waiting)
            for event in waiting:
                number, file, text = orjson.loads(event.payload)["content"].split(" ", 2)
                self.found.append((number, file, text))

    def write(self, *lines: str, name: str = "a.log") -> None:
        with (self.logs / name).open("a") as file:
            file.writelines(line + "\n" for line in lines)

    def rotate(self) -> None:
        (self.logs / "a.log").rename(self.logs / "a.log.1")
        self.write()

    @property
    def texts(self) -> list[str]:
        return [text for _, _, text in self.found]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_in", range(6))
def test_killed_in_any_commit_around_the_rotation(tmp_path: Path, dies_in: int, after: bool) -> None:
    """The record comes whole, perhaps again with the same id; never torn, never not at all (hazards 4.1, 5.1, I2)."""
    agent = Agent(tmp_path)
    agent.kill()
    agent.start(dies_in, after=after)
    steps: list[Callable[[], object]] = [
        lambda: agent.write(FIRST, *TRACE[:2]),
        agent.rotate,
        lambda: agent.write(TRACE[2]),
        lambda: agent.write(*TRACE[3:]),
        lambda: agent.write(LAST, FIRST),
        lambda: agent.write(LAST),
    ]
    deaths = 0
    for step in [*steps, *[agent.gather] * 8]:
        step()
        # the offsets that are in no commit of events are saved from time to time
        for seconds in (0.05, 0.05, 0.2):
            try:
                agent.look(seconds)
            except Killed:
                deaths += 1
                agent.kill()
                agent.start()
    agent.intake.close()
    agent.kill()

    assert deaths == (dies_in < 5)
    assert set(agent.texts) == {FIRST, "\n".join(TRACE), LAST}
    if not deaths:
        assert agent.texts == [FIRST, "\n".join(TRACE), LAST, FIRST, LAST]
    ids = {number for number, _, text in agent.found if text == "\n".join(TRACE)}
    assert len(ids) == 1


def test_what_was_read_of_both_files_is_counted_once(tmp_path: Path) -> None:
    """Read + lost = written, also of bytes that were taken in the turn of another file (I1)."""
    agent = Agent(tmp_path)
    agent.write(FIRST, *TRACE[:2])
    agent.look()
    agent.rotate()
    agent.write(*TRACE[2:], LAST)
    for seconds in (0.05, 1.0, 1.0, 2.0):
        agent.look(seconds)

    assert agent.texts == [FIRST, "\n".join(TRACE), LAST]
    assert agent.store.bytes_read() == sum(len(line) + 1 for line in [FIRST, *TRACE, LAST])
    agent.intake.close()
    agent.kill()


def test_the_new_file_is_looked_for_while_the_record_is_open(tmp_path: Path) -> None:
    """Without hints too it is found before the record's silence is over, not with the next scan (hazard 4.1)."""
    agent = Agent(tmp_path)
    agent.write(FIRST, *TRACE[:2])
    agent.look()
    (agent.logs / "a.log").rename(agent.logs / "a.log.1")
    agent.look()
    agent.look()
    agent.write(*TRACE[2:], LAST)
    agent.look()
    agent.look()
    agent.look()

    assert agent.texts == [FIRST, "\n".join(TRACE)]
    agent.intake.close()
    agent.kill()


def test_a_new_file_that_need_not_wait_is_read_in_the_same_pass(tmp_path: Path) -> None:
    """Whichever of the two was found first: the old one has its turn before it (hazard 4.1, I5)."""
    agent = Agent(tmp_path)
    agent.write(FIRST)
    agent.look()
    agent.rotate()
    agent.write(*TRACE[:2])
    (agent.logs / "a.log.1").rename(agent.logs / "a.log.2")
    agent.rotate()
    agent.look()
    agent.write(LAST, FIRST)
    agent.look()

    assert LAST in agent.texts
    agent.intake.close()
    agent.kill()


def test_a_quiet_old_file_is_read_as_soon_as_the_new_one_waits_for_it(tmp_path: Path) -> None:
    """What a process wrote there last is not left to the next look at quiet files (hazards 1.1, 4.1)."""
    agent = Agent(tmp_path)
    agent.source = dataclasses.replace(agent.source, paths=(f"{agent.logs}/a.log*",))
    agent.kill()
    agent.start()
    agent.write(FIRST)
    for _ in range(4):
        agent.look(1.0)
    agent.rotate()
    agent.look(1.0)
    agent.write(*TRACE[:2], name="a.log.1")
    agent.write(*TRACE[2:], LAST)
    for _ in range(3):
        agent.look()

    assert agent.texts == [FIRST, "\n".join(TRACE)]
    agent.intake.close()
    agent.kill()


def test_a_predecessor_that_waits_for_room_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A full queue pauses the file that fills it; its successor feeds nothing yet and goes on (hazard 4.1, I5)."""
    agent = Agent(tmp_path, max_queue_bytes=2000)
    agent.write(*([FIRST] * 20), *TRACE[:2])
    agent.look(take=False)
    agent.rotate()
    agent.write("\tstray", LAST)
    agent.look(1.0, take=False)
    agent.look(take=False)

    agent.gather()
    assert agent.texts == [*([FIRST] * 20), "\tstray"]
    agent.intake.close()
    agent.kill()
