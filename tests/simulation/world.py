"""One simulated host: writers, logrotate, an agent that reads by steps, a service, kills; and the oracle."""

from __future__ import annotations

import gzip
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import SourceTable, StoreTable
from shipper.errors import StateError
from shipper.matching.engine import Engine, Host
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from tests.simulation.filesystem import Inode, MemoryFiles

LOG = "/logs/app.log"
RULES = """
[[rule]]
id = "numbered"
match = 'E (?<n>\\d+)'
event = "E"
content = "{n} {id}"
[[rule]]
id = "other"
match = 'never'
event = "N"
"""


class Killed(Exception):  # noqa: N818  what happened, not what went wrong
    """The process is gone."""


class FragileStore(Store):
    """A real store whose commits can fail, and before and after which the process can die."""

    failures = 0
    dies_before = dies_after = False

    def record(self, checkpoints: Any, events: Any = (), **others: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StateError("no space left on device")
        if self.dies_before:
            raise Killed
        super().record(checkpoints, events, **others)
        if self.dies_after:
            raise Killed


class SimulatedClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.wall = datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall


class World:
    """See above. `steps` counts what was done."""

    def __init__(
        self,
        *,
        generations: bool = True,
        granularity: int = 1,
        descriptors: int = 1000,
        globs: Sequence[str] = ("/logs/*.log",),
        start_at: str = "beginning",
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        (self.directory / "rules.toml").write_text(RULES)
        self.rules = load_rules([self.directory / "rules.toml"])[0].rules
        self.files = MemoryFiles(generations=generations, granularity=granularity, descriptors=descriptors + 12)
        self.clock = SimulatedClock()
        self.source = SourceTable(name="app", paths=tuple(globs), start_at=start_at, scan_interval=1.0)
        self.descriptors = descriptors
        self.written = 0
        self.at_risk: set[int] = set()
        self.recorded: set[int] = set()
        self.delivered: Counter[int] = Counter()
        self.ids: dict[int, set[str]] = {}
        self.crashes = 0
        self.between = False
        self.jumped = False
        self.steps = 0
        self.partial: tuple[Inode, int] | None = None
        self.partials: set[int] = set()
        self.files.create(LOG)
        self.start()
        # nobody can know of what was rotated away before the first look
        self.step()

    # the agent

    def start(self) -> None:
        self.store = FragileStore(self.directory, batching.encode)
        following = Following(
            [self.source],
            self.store.checkpoints(),
            self.store.scanned_sources(),
            past=self.store.past(),
            histories=self.store.histories(),
            files=self.files,
            wall=lambda: self.files.now / 1e9,
            monotonic=self.clock.monotonic,
            max_open=self.descriptors,
        )
        self.following = following
        self.intake = Intake(
            following,
            Engine(self.rules, Host("h", "127.0.0.1"), 1.0),
            self.store,
            StoreTable(min_free_disk=0),
            wake=threading.Event(),
            recorded=lambda: None,
            watcher=None,
            clock=self.clock,
        )

    def step(self) -> None:
        self.steps += 1
        try:
            for _ in range(20):
                if not self.intake.step(self.clock.seconds):
                    break
        except Killed:
            self._gone()
            return
        self._note()

    def kill(self) -> None:
        self._gone()

    def kill_in_step(self, *, after: bool) -> None:
        self.store.dies_after, self.store.dies_before = after, not after
        self.step()
        self.store.dies_after = self.store.dies_before = False

    def stop(self) -> None:
        """SIGTERM: what was read is committed."""
        # a copy whose truncation was not noticed yet can only be told by what was read last, which a restart forgets
        self.crashes += self.between
        self.store.failures = 0
        self.intake._commit()
        self._note()
        self.intake.close()
        self.store.close()
        self.sweep()
        self.start()

    def _gone(self) -> None:
        self.crashes += 1
        self.following.close()
        self.store.close()
        self.sweep()
        self.start()
        self._note()

    def _note(self) -> None:
        """Note which lines are safe: their events are in the store."""
        for event in self.store.next_events(10**6):
            self.recorded.add(int(orjson.loads(event.payload)["content"].split()[0]))

    def send(self, outcome: str) -> None:
        """Send what waits: accepted, failed, or accepted with the answer lost."""
        waiting = self.store.next_events(50)
        if outcome == "failed" or not waiting:
            return
        for event in waiting:
            number, identifier = orjson.loads(event.payload)["content"].split()
            self.delivered[int(number)] += 1
            self.ids.setdefault(int(number), set()).add(identifier)
        if outcome == "accepted":
            self.store.acknowledge(waiting)
        else:
            self.crashes += 1

    def sleep(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.clock.wall += timedelta(seconds=seconds)
        self.files.now += int(seconds * 10**9)

    def jump(self, days: int) -> None:
        """Set the clock of the host: what is written from now on has other stamps (hazard 9.3).

        Back and forth again before all could be looked at is more than anybody can notice (docs/limits.md).
        """
        if self.jumped:
            self.heal()
            for _ in range(30):
                self.sleep(1.0)
                self.step()
        self.jumped = True
        self.clock.wall += timedelta(days=days)
        self.files.now += days * 86400 * 10**9

    # the writers and logrotate

    @property
    def log(self) -> Inode:
        if LOG not in self.files.names:
            self.files.create(LOG)
        return self.files.names[LOG]

    def write(self, count: int, inode: Inode | None = None) -> None:
        inode = self.log if inode is None else inode
        self.finish_partial()
        for _ in range(count):
            self.written += 1
            self.files.write(inode, b"E %06d %s\n" % (self.written, b"." * (self.written % 50)))
            inode.lines.add(self.written)
        self.sleep(0.001)

    def write_partial(self) -> None:
        self.finish_partial()
        self.written += 1
        self.files.write(self.log, b"some words, then E %06d" % self.written)
        self.partial = (self.log, self.written)
        self.partials.add(self.written)
        self.sleep(0.001)

    def finish_partial(self) -> None:
        if self.partial is not None:
            inode, number = self.partial
            self.partial = None
            # truncated meanwhile: the end of a line whose beginning is gone
            whole = b"E %06d" % number in inode.data
            self.files.write(inode, b" and an end\n")
            if whole:
                inode.lines.add(number)
            else:
                self.at_risk.add(number)

    def rotate(self, style: str = "rename") -> None:
        """Move the generations on; `rename` leaves the path to the next writer, `copytruncate` keeps the inode."""
        self.finish_partial()
        names = self.files.names
        for number in range(20, 0, -1):
            for suffix in ("", ".gz"):
                if f"{LOG}.{number}{suffix}" in names:
                    self.files.rename(f"{LOG}.{number}{suffix}", f"{LOG}.{number + 1}{suffix}")
        if LOG not in names:
            return
        if style == "rename":
            self.files.rename(LOG, f"{LOG}.1")
            self.files.create(LOG)
        else:
            self.files.copy(LOG, f"{LOG}.1")
            if style == "copytruncate-between":
                self.sleep(0.001)
                self.write(1)
                self.step()
                self.between = True
                # closed before the truncation is noticed (docs/limits.md)
                self.crashes += self.log.faulty
            self.files.truncate(LOG)
            self.sweep()
        self.sleep(0.001)

    def compress(self, number: int) -> None:
        """As gzip does: another file with the same time, then the old one is gone."""
        path = f"{LOG}.{number}"
        if path in self.files.names and (self.partial is None or self.partial[0] is not self.files.names[path]):
            old = self.files.names[path]
            new = self.files.create(path + ".gz")
            new.data[:] = gzip.compress(bytes(old.data), 1)
            new.lines, new.modified = set(old.lines), old.modified
            self.files.unlink(path)
            self.sweep()

    def delete_oldest(self) -> None:
        old = sorted(path for path in self.files.names if path != LOG and path.startswith(LOG))
        if old:
            self.files.unlink(old[-1])
            self.sweep()

    def remove(self) -> None:
        self.finish_partial()
        if LOG in self.files.names:
            self.files.unlink(LOG)
            self.sweep()

    def truncate(self) -> None:
        self.finish_partial()
        if LOG in self.files.names:
            self.files.truncate(LOG)
            self.sweep()

    def sweep(self) -> None:
        """Note the lines that nobody can read any more: physics, not a fault of the agent."""
        safe = self.recorded | self.files.reachable()
        partial = self.partial[1] if self.partial else 0
        self.at_risk.update(n for n in range(1, self.written + 1) if n not in safe and n != partial)

    # the oracle

    def heal(self) -> None:
        self.store.failures = 0
        self.files.listing_fails = False
        for inode in {id(i): i for i in self.files.names.values()}.values():
            inode.readable, inode.faulty = True, False

    def check(self) -> None:
        """What holds at any moment."""
        assert self.files.open_files <= self.files.descriptors
        # a record that was taken unfinished and one that was taken whole are two (spec, section 4: `{id}`)
        assert all(len(ids) == 1 for n, ids in self.ids.items() if n not in self.partials), "a line came with two ids"

    def finish(self) -> None:
        """Let everything come to rest, and compare what arrived with what was written."""
        self.heal()
        self.finish_partial()
        for seconds in [1.0] * 30 + [400.0] * 6 + [1.0] * 5:
            self.step()
            self.sweep()
            self.sleep(seconds)
        while self.store.waiting_count:
            self.send("accepted")
        missing = set(range(1, self.written + 1)) - set(self.delivered) - self.at_risk
        assert not missing, f"lost in silence: {sorted(missing)[:10]}"
        if not self.crashes:
            twice = [number for number, count in self.delivered.items() if count > 1]
            assert not twice, f"repeated without a crash: {twice[:10]}"
        self.check()

    def close(self) -> None:
        self.following.close()
        self.store.close()
        assert self.files.open_files == 0, "descriptors were leaked"
        shutil.rmtree(self.directory)


ACTIONS: Mapping[str, float] = {
    "write": 6, "partial": 1, "step": 8, "sleep": 3, "rename": 2, "rename twice": 0.7, "copytruncate": 1,
    "between": 0.5, "compress": 1, "delete": 0.5, "remove": 0.2, "truncate": 0.2, "kill": 0.4, "kill before": 0.3,
    "kill after": 0.3, "stop": 0.4, "send": 2, "failed": 0.5, "acklost": 0.2, "store fails": 0.4, "stale": 0.3,
    "unlistable": 0.2, "heal": 0.8, "unreadable": 0.2, "jump": 0.1,
}  # fmt: skip


def act(world: World, name: str, number: int) -> None:
    """Do one thing; `number` from 0 to 999 decides what is open."""
    match name:
        case "write":
            world.write(1 + number % 12)
        case "partial":
            world.write_partial()
        case "step":
            world.step()
        case "sleep":
            world.sleep([0.001, 0.1, 1.0, 2.0, 6.0, 60.0, 700.0, 3600.0][number % 8])
        case "rename" | "copytruncate":
            world.rotate(name)
        case "rename twice":
            for _ in range(2 + number % 2):
                world.rotate("rename")
                world.write(1 + number % 3)
        case "between":
            world.rotate("copytruncate-between")
        case "compress":
            world.compress(1 + number % 3)
        case "delete":
            world.delete_oldest()
        case "remove":
            world.remove()
        case "truncate":
            world.truncate()
        case "kill":
            world.kill()
        case "kill before" | "kill after":
            world.kill_in_step(after=name == "kill after")
        case "stop":
            world.stop()
        case "send":
            world.send("accepted")
        case "failed" | "acklost":
            world.send(name)
        case "store fails":
            world.store.failures = 1 + number % 3
        case "stale":
            world.log.faulty = True
            world.crashes += world.between
        case "unlistable":
            world.files.listing_fails = True
        case "unreadable":
            world.log.readable = False
        case "heal":
            world.heal()
        case "jump":
            world.jump(days=[-400, 1, 400][number % 3])
    world.check()


def settings_of(seed: int) -> dict[str, Any]:
    """Give the kind of host that a seed stands for."""
    chance = random.Random(seed)
    return {
        "generations": chance.random() < 0.7,
        "granularity": chance.choice([1, 1, 4_000_000]),
        "descriptors": chance.choice([1000, 1000, 4]),
        "globs": chance.choice([("/logs/*.log",), ("/logs/app.log*",)]),
        "start_at": "beginning",
    }
