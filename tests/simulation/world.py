"""One simulated host: its logs, an agent that reads them by steps, a service, kills; and the oracle."""

from __future__ import annotations

import random
import re
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import MultilineTable, SourceTable, StoreTable
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Waiting
from shipper.tailing.following import Following
from shipper.tailing.identity import confirms
from tests.simulation.filesystem import Inode, MemoryFiles
from tests.simulation.logs import STYLES, Logs
from tests.simulation.seams import POINTS, ForgetfulWatcher, FragileStore, Killed, SimulatedClock

NUMBER = re.compile(r"E (\d+)")
ROTATED = {"olddir": ("old/app.log.*",), "links": ("/data/*",)}
RULES = """
[[rule]]
id = "numbered"
match = 'E (?<n>\\d+)'
event = "E"
content = "{id} {line}"
[[rule]]
id = "other"
match = 'never'
event = "N"
"""


class World:
    """See above. `steps` counts what was done."""

    def __init__(
        self,
        *,
        generations: bool = True,
        granularity: int = 1,
        descriptors: int = 1000,
        globs: Sequence[str] = ("/logs/*.log",),
        style: str = "numbers",
        banner: bytes = b"",
        hints: bool = False,
        sources: int = 1,
        multiline: bool = False,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        (self.directory / "rules.toml").write_text(RULES)
        self.rules = load_rules([self.directory / "rules.toml"])[0].rules
        self.files = MemoryFiles(generations=generations, granularity=granularity, descriptors=descriptors + 12)
        self.files.closed_for_good = self._check_durable
        self.clock = SimulatedClock()
        self.watcher = ForgetfulWatcher() if hints else None
        if self.watcher is not None:
            self.files.hear = self.watcher.hear
        self.sources = [
            SourceTable(
                name=name,
                paths=tuple(globs),
                rotated=ROTATED.get(style, ()),
                start_at="beginning",
                scan_interval=10.0 if hints else 1.0,
                multiline=MultilineTable(start=r"^E \d+[0369]\b" if multiline else None),
            )
            for name in ("app", "again")[:sources]
        ]
        self.descriptors = descriptors
        self.multiline = multiline
        self.banner = banner
        self.recorded: set[int] = set()
        self.delivered: Counter[int] = Counter()
        self.ids: dict[int, set[str]] = {}
        self.crashes = 0
        self.between = False
        self.jumped = False
        self.steps = 0
        self.ending = False
        self.logs = Logs(
            self.files, style=style, banner=banner, sleep=self.sleep, swept=self.sweep, is_known=self._is_known
        )
        self.start()
        # nobody can know of what was rotated away before the first look
        self.step()

    # the agent

    def start(self) -> None:
        self.store = FragileStore(self.directory, batching.encode)
        following = Following(
            self.sources,
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
            watcher=self.watcher,  # type: ignore[arg-type]
            clock=self.clock,
        )

    def step(self) -> None:
        self.steps += 1
        try:
            for _ in range(20):
                if not self.intake.step(self.clock.seconds):
                    break
        except Killed:
            self.kill()
            return
        self._note()

    def kill(self) -> None:
        self.crashes += 1
        self.end()

    def kill_in_step(self, point: str) -> None:
        """Kill the process at a point that this step may come to."""
        self.store.dies = point
        self.step()
        self.store.dies = None

    def stop(self) -> None:
        """SIGTERM: what was read is committed."""
        # a copy whose truncation was not noticed yet can only be told by what was read last, which a restart forgets
        self.crashes += self.between
        self.store.failures = 0
        self.intake._commits.commit()
        self.end()

    def end(self) -> None:
        """Let the process be gone, and begin another one."""
        self.ending = True
        self.intake.close()
        self.ending = False
        self._note()
        self.logs.forget_unknown()
        self.store.close()
        self.sweep()
        self.start()

    def _is_known(self, inode: Inode) -> bool:
        if inode.opens and not inode.faulty:
            return True
        return any(
            (each.identity.inode, each.identity.generation) == (inode.number, inode.generation)
            and (inode.generation or each.offset)
            and confirms(each.head, bytes(inode.data))
            and confirms(each.guard, bytes(inode.data[each.offset - each.guard.length :]))
            for each in self.store.checkpoints()
        )

    def _note(self) -> None:
        """Note which lines are safe: their events are in the store."""
        for event in self.store.next_events(10**6):
            self.recorded.update(_told(event)[1])

    def _check_durable(self) -> None:
        """What was read of a file that is gone for good must survive a power loss too (architecture, "power loss")."""
        assert self.ending or self.store.is_durable, "the last descriptor of an unlinked file was closed too early"

    def send(self, outcome: str) -> None:
        """Send what waits: accepted, failed, or accepted with the answer lost."""
        waiting = self.store.next_events(50)
        if outcome == "failed" or not waiting:
            return
        for event in waiting:
            identifier, numbers = _told(event)
            for number in numbers:
                self.delivered[number] += 1
                self.ids.setdefault(number, set()).add(identifier)
        if outcome == "accepted":
            self.store.acknowledge(waiting)
        else:
            self.crashes += 1

    # the host

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

    def rotate_twice(self, number: int) -> None:
        for _ in range(2 + number % 2):
            self.logs.rotate("rename")
            self.logs.write(1 + number % 3)

    def rotate_between(self) -> None:
        """Copytruncate, with lines that are written and read between copy and truncation."""

        def look() -> None:
            self.sleep(0.001)
            self.logs.write(1)
            self.step()
            self.between = True
            # closed before the truncation is noticed (docs/limits.md)
            self.crashes += self.logs.log.faulty

        self.logs.rotate("copytruncate", look)

    def fault(self, *, for_good: bool) -> None:
        """Let the log be unreadable, for now or by what has it open."""
        if for_good:
            self.files.make_stale(self.logs.log)
            self.sweep()
        else:
            self.logs.log.faulty = True
        self.crashes += self.between

    # the oracle

    def sweep(self) -> None:
        """Note the lines that nobody can read any more: physics, not a fault of the agent."""
        logs = self.logs
        safe = self.recorded | self.files.reachable()
        partial = logs.partial[1] if logs.partial else 0
        logs.at_risk.update(n for n in range(1, logs.written + 1) if n not in safe and n != partial)

    def heal(self) -> None:
        self.store.failures = 0
        self.files.listing_fails = False
        for inode in {id(i): i for i in self.files.names.values()}.values():
            inode.readable, inode.faulty = True, False

    def check(self) -> None:
        """What holds at any moment."""
        assert self.files.open_files <= self.files.descriptors
        # a record that was taken unfinished and one that was taken whole are two (spec, section 4: `{id}`)
        told_once = {n: ids for n, ids in self.ids.items() if not self.multiline and n not in self.logs.partials}
        assert all(len(ids) == 1 for ids in told_once.values()), "a line came with two ids"

    def finish(self) -> None:
        """Let everything come to rest, and compare what arrived with what was written."""
        self.heal()
        self.logs.finish_partial()
        for seconds in [1.0] * 30 + [400.0] * 6 + [1.0] * 5:
            self.step()
            self.sweep()
            self.sleep(seconds)
        while self.store.waiting_count:
            self.send("accepted")
        missing = set(range(1, self.logs.written + 1)) - set(self.delivered) - self.logs.at_risk
        assert not missing, f"lost in silence: {sorted(missing)[:10]}"
        # logs that begin alike, and nothing else was read of one of them when it is truncated (docs/limits.md)
        alike = self.multiline and self.banner
        if not self.crashes and not alike:
            twice = [n for n, count in self.delivered.items() if count > 1 and n not in self.logs.may_repeat]
            assert not twice, f"repeated without a crash: {twice[:10]}"
        self.check()

    def close(self) -> None:
        self.ending = True
        self.following.close()
        self.store.close()
        assert self.files.open_files == 0, "descriptors were leaked"
        shutil.rmtree(self.directory)


def _told(event: Waiting) -> tuple[str, list[int]]:
    """Give an event's id and the numbers of the lines in it."""
    identifier, _, record = orjson.loads(event.payload)["content"].partition(" ")
    return identifier, [int(number) for number in NUMBER.findall(record)]


ACTIONS: Mapping[str, float] = {
    "write": 6, "partial": 1, "step": 8, "sleep": 3, "rename": 2, "rename twice": 0.7, "copytruncate": 1,
    "between": 0.5, "link": 0.3, "compress": 1, "delete": 0.5, "remove": 0.2, "truncate": 0.2, "kill": 0.4,
    "kill at": 0.8, "stop": 0.4, "send": 2, "failed": 0.5, "acklost": 0.2, "store fails": 0.4, "stale": 0.3,
    "unlistable": 0.2, "heal": 0.8, "unreadable": 0.2, "jump": 0.1, "overflow": 0.2,
}  # fmt: skip


def act(world: World, name: str, number: int) -> None:
    """Do one thing; `number` from 0 to 999 decides what is open."""
    logs = world.logs
    match name:
        case "write":
            logs.write(1 + number % 12)
        case "partial":
            logs.write_partial()
        case "step":
            world.step()
        case "sleep":
            world.sleep([0.001, 0.1, 1.0, 2.0, 6.0, 60.0, 700.0, 3600.0][number % 8])
        case "rename" | "copytruncate":
            logs.rotate(name)
        case "link":
            logs.rotate("link", world.step)
        case "rename twice":
            world.rotate_twice(number)
        case "between":
            world.rotate_between()
        case "compress":
            logs.compress(1 + number % 3)
        case "delete":
            logs.delete_oldest()
        case "remove":
            logs.remove()
        case "truncate":
            logs.truncate()
        case "kill":
            world.kill()
        case "kill at":
            world.kill_in_step(POINTS[number % len(POINTS)])
        case "stop":
            world.stop()
        case "send":
            world.send("accepted")
        case "failed" | "acklost":
            world.send(name)
        case "store fails":
            world.store.failures = 1 + number % 3
        case "stale":
            world.fault(for_good=number % 3 == 1)
        case "unlistable":
            world.files.listing_fails = True
        case "unreadable":
            logs.log.readable = False
        case "heal":
            world.heal()
        case "jump":
            world.jump(days=[-400, 1, 400][number % 3])
        case "overflow":
            if world.watcher is not None:
                world.watcher.overflow()
        case _:
            raise ValueError(name)
    world.check()


def settings_of(seed: int) -> dict[str, Any]:
    """Give the kind of host that a seed stands for."""
    chance = random.Random(seed)
    return {
        "generations": chance.random() < 0.7,
        "granularity": chance.choice([1, 1, 4_000_000]),
        "descriptors": chance.choice([1000, 1000, 4]),
        "globs": chance.choice([("/logs/*.log",), ("/logs/app.log*",)]),
        "style": chance.choice([STYLES[0], *STYLES]),
        "banner": chance.choice(
            [b"", b"", b"started\n", b"started %s\n" % (b"-" * 100), b"started %s\n" % (b"-" * 1100)]
        ),
        "hints": chance.random() < 0.3,
        "sources": chance.choice([1, 1, 1, 2]),
        "multiline": chance.random() < 0.25,
    }
