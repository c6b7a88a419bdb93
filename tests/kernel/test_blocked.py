"""Files that are rotated, deleted and truncated while nothing may be read: the queue is full, and stays so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.agent import commits
from shipper.config.model import StoreTable
from shipper.errors import StateError
from tests.kernel.agent import Agent

LIMIT = 2_000
HOLD = 60.0
MEGABYTE = 1_000_000


def append(path: Path, *numbers: int) -> None:
    """Write numbered lines."""
    with path.open("a") as file:
        file.writelines(f"ERROR {number:08}\n" for number in numbers)


class Blocked(Agent):
    """An agent whose queue is full from `block` on until `unblock`."""

    def __init__(self, root: Path) -> None:
        self.logs = root / "logs"
        self.logs.mkdir(exist_ok=True)
        self.filling = range(10**7, 10**7 + 100)
        super().__init__(
            root,
            f"{self.logs}/*.log",
            limits=StoreTable(min_free_disk=0, max_queue_bytes=LIMIT),
            deleted_hold=HOLD,
        )

    def block(self) -> None:
        """Fill the queue to twice its limit, at which all files wait."""
        append(self.logs / "filler.log", *self.filling)
        self.glance()
        assert self.store.waiting_bytes >= 2 * LIMIT

    def glance(self, seconds: float = 1.0) -> None:
        """Let time pass and look, as `look` does, but take nothing out of the queue."""
        self.clock.seconds += seconds
        while self.intake.step(self.clock.monotonic()):
            pass

    def unblock(self) -> None:
        """Empty the queue as often as it fills."""
        before = -1
        while len(self.delivered) > before:
            before = len(self.delivered)
            self.look()

    def numbers(self) -> list[int]:
        """Give what was delivered of the test's own lines."""
        return sorted(number for number, _ in self.delivered if number not in self.filling)

    def lost(self) -> dict[str, int]:
        """Give the bytes that the store says are lost, by reason."""
        return {reason: amount for (what, reason), amount in self.store.losses().items() if what == "bytes"}

    def held(self) -> list[str]:
        """Give the logs that this process holds open and that have no name any more."""
        found = []
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{descriptor}")
            except FileNotFoundError:
                # the one that this very listing was read from
                continue
            if target.startswith(str(self.logs)) and target.endswith(" (deleted)"):
                found.append(target)
        return found


@pytest.fixture
def agent(root: Path) -> Iterator[Blocked]:
    agent = Blocked(root)
    agent.start()
    yield agent
    agent.stop()


def rotate(logs: Path) -> None:
    """Rename `app.log` to generation 1, and the others on."""
    for number in range(9, 0, -1):
        if (old := logs / f"app.log.{number}").exists():
            old.rename(logs / f"app.log.{number + 1}")
    (logs / "app.log").rename(logs / "app.log.1")


@pytest.mark.parametrize("deleted", [None, 2], ids=["all kept", "generation 2 deleted"])
def test_five_rotations_while_nothing_is_read(agent: Blocked, deleted: int | None) -> None:
    """Every generation is read when there is room, also one that was deleted and is held open (hazard 1.2)."""
    agent.block()
    for turn in range(5):
        append(agent.logs / "app.log", *range(turn * 100, turn * 100 + 100))
        agent.glance()
        rotate(agent.logs)
        if deleted == turn:
            (agent.logs / "app.log.1").unlink()
        agent.glance()
    agent.unblock()

    assert agent.numbers() == list(range(500))
    assert agent.lost() == {}


def test_rotations_that_delete_what_nobody_could_read(agent: Blocked, caplog: pytest.LogCaptureFixture) -> None:
    """`rotate 2` and no reading: what is lost is the arithmetic of it, and told once a file (hazards 1.2, 6.3)."""
    caplog.set_level("INFO", logger="shipper")
    agent.block()
    for turn in range(5):
        append(agent.logs / "app.log", *range(turn * 100, turn * 100 + 100))
        agent.glance()
        rotate(agent.logs)
        (agent.logs / "app.log.3").unlink(missing_ok=True)
        agent.glance()
    assert len(agent.held()) == 3
    agent.glance(HOLD)
    agent.glance()
    assert agent.held() == []
    agent.unblock()

    assert agent.numbers() == list(range(300, 500))
    assert agent.lost() == {"deleted": 300 * len("ERROR 00000000\n")}
    assert caplog.text.count("are lost: deleted") == 3


def test_a_deleted_file_is_let_go_although_nothing_may_be_read(agent: Blocked) -> None:
    """At `deleted_hold` its space is free, and all that was unread is counted, to the byte (hazard 1.9)."""
    log = agent.logs / "app.log"
    append(log, 1)
    agent.look()
    agent.block()
    log.write_bytes(log.read_bytes() + b"x" * (MEGABYTE - 1) + b"\n")
    log.unlink()
    agent.glance()
    assert len(agent.held()) == 1
    agent.glance(HOLD - 1)
    assert len(agent.held()) == 1
    assert agent.lost() == {}
    agent.glance(2)

    assert agent.held() == []
    assert agent.lost() == {"deleted": MEGABYTE}


def test_a_file_with_a_name_is_not_lost_however_long_nothing_is_read(agent: Blocked) -> None:
    """`deleted_hold` is for files that have no name: a renamed one is read when there is room (hazard 1.9)."""
    agent.block()
    append(agent.logs / "app.log", 1, 2)
    agent.glance()
    rotate(agent.logs)
    for _ in range(5):
        agent.glance(HOLD)
    agent.unblock()

    assert agent.numbers() == [1, 2]
    assert agent.lost() == {}


def test_what_a_stop_takes_away_is_counted(agent: Blocked) -> None:
    """A deleted file that nobody read cannot be opened again: its bytes are lost with the process, and said (1.9)."""
    log = agent.logs / "app.log"
    append(log, 1)
    agent.look()
    agent.block()
    append(log, 2)
    log.unlink()
    agent.glance()
    agent.stop()
    agent.start()
    agent.unblock()

    assert agent.numbers() == [1]
    assert agent.lost() == {"deleted": len("ERROR 00000002\n")}


def test_a_truncation_while_nothing_is_read(agent: Blocked) -> None:
    """What a scan saw and nobody read is counted; what is written then is read from the beginning (hazard 1.3)."""
    log = agent.logs / "app.log"
    append(log, 1)
    agent.look()
    agent.block()
    append(log, *range(2, 12))
    agent.glance()
    os.truncate(log, 0)
    agent.glance()
    append(log, 12)
    agent.unblock()

    assert agent.numbers() == [1, 12]
    assert agent.lost() == {"truncated": 10 * len("ERROR 00000002\n")}


def test_a_disk_that_fails_when_a_deleted_file_is_let_go(agent: Blocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor is kept until all is durable, and its loss is counted once for all attempts (5.4, 1.9)."""
    failures = [StateError("no space left on device")] * 3
    synced = agent.store.sync

    def sync() -> None:
        if failures:
            assert len(agent.held()) == 1
            raise failures.pop()
        synced()

    monkeypatch.setattr(commits, "STORE_RETRY", 0.001)
    monkeypatch.setattr(agent.store, "sync", sync)
    log = agent.logs / "app.log"
    agent.block()
    append(log, 1, 2)
    agent.glance()
    log.unlink()
    agent.glance()
    agent.glance(HOLD)
    agent.glance()

    assert failures == []
    assert agent.held() == []
    assert agent.lost() == {"deleted": 2 * len("ERROR 00000001\n")}
