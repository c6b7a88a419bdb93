"""Real agents killed at random moments while programs write and rotate and the service fails; then all is counted."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from shipper.cloudmonitor import batching
from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.cloudmonitor.emulator.faults import parse_faults
from shipper.outbox.store import Store
from tests.conftest import eventually
from tests.soak.preloaded import Preloaded
from tests.soak.writer import LINE_BYTES, STYLES

FAULTS = "500:0.05,reset:0.05,acklost:0.05,throttle:0.02"
SILENT_SECONDS = 20.0
"""Nothing has come for so long: nothing more will."""
LONGEST_END = 1200.0
SHORT_LIVES = 0.6
"""Share of the agents that live for 50 to 500 ms, most of which is starting; the others live for up to 2 s."""

RULE = """
[[rule]]
id = "numbered"
match = 'ERROR (?<writer>\\w+) (?<number>\\d+) '
event = "Numbered"
content = "{writer} {number} {id}"
"""
CONFIG = """
state_dir = "{root}/state"
drain_timeout = "60s"
[cloudmonitor]
endpoint = "{url}"
max_requests_per_second = 0
[cloudmonitor.credentials]
access_key_id = "testkey"
access_key_secret = "testsecret"
[store]
min_free_disk = 0
[[source]]
name = "soak"
paths = ["{root}/logs/*.log"]
start_at = "beginning"
scan_interval = "500ms"
deleted_hold = "3s"
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a soak does.

    Attributes:
        seed: of every choice but the kernel's.
        kills: how many agents are killed.
        seconds: the killing ends after so long, also when fewer were killed.
        steady: seconds that the last agent is measured while the writers go on.
        writers: how the programs rotate, one each.
        lines_per_second: the pace of each.
    """

    seed: int
    kills: int
    seconds: float
    steady: float = 2.0
    writers: Sequence[str] = STYLES
    lines_per_second: int = 300


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        plan: what was done.
        kills: agents that were killed.
        rotations: of all logs.
        written: lines, by writer.
        missing: numbers that never arrived, by writer.
        repeated: events that arrived again with the id they had.
        renamed: numbers that arrived with two ids.
        unknown: numbers that nobody wrote.
        lost_bytes: what the store says, by reason.
        readable: files of the state that others may read.
        exit_code: of the last agent, after SIGTERM.
        descriptors: of the last agent, before and after the steady time.
        resident: its memory in KiB, likewise.
        violations: of the service's contract.
    """

    plan: Plan
    kills: int = 0
    rotations: int = 0
    written: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[int]] = field(default_factory=dict)
    repeated: int = 0
    renamed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    lost_bytes: dict[str, int] = field(default_factory=dict)
    readable: list[str] = field(default_factory=list)
    exit_code: int | None = None
    descriptors: tuple[int, int] = (0, 0)
    resident: tuple[int, int] = (0, 0)
    violations: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether delivered and reported lost are together what was written, and nothing else came."""
        missing = sum(len(numbers) for numbers in self.missing.values())
        return missing * LINE_BYTES == sum(self.lost_bytes.values()) and not self.renamed and not self.unknown


class Journal:
    """What the service accepted, read as it grows: by writer the id of every number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._contiguous: dict[str, int] = {}
        self.ids: dict[str, dict[int, str]] = {}
        self.repeated = 0
        self.renamed: list[str] = []

    def read(self) -> None:
        """Take what was accepted since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._at += whole
        for entry in data[:whole].splitlines():
            writer, number, event_id = str(orjson.loads(entry)["content"]).split()
            ids = self.ids.setdefault(writer, {})
            self.repeated += int(number) in ids
            if ids.setdefault(int(number), event_id) != event_id:
                self.renamed.append(f"{writer} {number}")

    def contiguous(self, writer: str) -> int:
        """Tell how many numbers from 0 on have arrived without a gap."""
        known, number = self.ids.get(writer, {}), self._contiguous.get(writer, 0)
        while number in known:
            number += 1
        self._contiguous[writer] = number
        return number


class Programs:
    """The programs that write and rotate."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self.told = root / "told"
        self.told.mkdir()
        self.names = [f"w{number}{style}" for number, style in enumerate(plan.writers)]
        self._processes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.soak.writer", str(root / "logs"), str(self.told)),
                    *(name, style, str(plan.seed + number), str(plan.lines_per_second)),
                ]
            )
            for number, (name, style) in enumerate(zip(self.names, plan.writers, strict=True))
        ]

    def tell(self, journal: Journal) -> None:
        """Say what has been delivered, so that they may delete it."""
        journal.read()
        for name in self.names:
            part = self.told / f"{name}.part"
            part.write_text(str(journal.contiguous(name)))
            part.rename(self.told / f"{name}.delivered")

    def end(self) -> None:
        """Let them write their last line."""
        for process in self._processes:
            process.terminate()
        codes = [process.wait(30) for process in self._processes]
        if any(codes):
            raise AssertionError(f"a writer failed: {codes}")

    def counts(self) -> dict[str, tuple[int, int]]:
        """Give lines and rotations of each."""
        found = {}
        for name in self.names:
            lines, rotations = (self.told / f"{name}.count").read_text().split()
            found[name] = (int(lines), int(rotations))
        return found

    def kill(self) -> None:
        """Leave none behind, whatever happened."""
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def _host(root: Path, plan: Plan) -> Iterator[tuple[Emulator, Preloaded, Programs]]:
    (root / "logs").mkdir(parents=True)
    (root / "rules.d").mkdir()
    (root / "rules.d" / "rules.toml").write_text(RULE)
    faults = parse_faults(FAULTS)
    with Emulator(Settings(store=root / "accepted.jsonl", faults=faults, seed=plan.seed, qps=0)) as emulator:
        config = root / "shipper.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(root=root, url=emulator.url))
        agents = Preloaded(config, root / "agent.log")
        try:
            programs = Programs(root, plan)
            try:
                yield emulator, agents, programs
            finally:
                programs.kill()
        finally:
            agents.close()


def soak(root: Path, plan: Plan) -> Report:
    """Do it.

    Raises:
        AssertionError: an agent ended by itself, or something of the machinery failed. What the product did to the
            lines is in the report.
    """
    report = Report(plan)
    chance = random.Random(plan.seed)
    journal = Journal(root / "accepted.jsonl")
    with _host(root, plan) as (emulator, agents, programs):
        until = time.monotonic() + plan.seconds
        while report.kills < plan.kills and time.monotonic() < until:
            agents.start()
            short = chance.random() < SHORT_LIVES
            time.sleep(chance.uniform(0.05, 0.5) if short else chance.uniform(0.5, 2.0))  # how long it may live
            if (code := agents.end(signal.SIGKILL)) != -signal.SIGKILL:
                raise AssertionError(f"an agent ended by itself with {code}; see {root / 'agent.log'}")
            report.kills += 1
            programs.tell(journal)
        pid = agents.start()
        _measure(report, pid, programs, journal)
        programs.end()
        counts = programs.counts()
        report.written = {name: lines for name, (lines, _) in counts.items()}
        report.rotations = sum(rotations for _, rotations in counts.values())
        _await_all(report, journal)
        report.exit_code = agents.end(signal.SIGTERM)
        report.violations = len(emulator.violations)
    journal.read()
    _account(report, journal, root / "state")
    return report


def _measure(report: Report, pid: int, programs: Programs, journal: Journal) -> None:
    """Look at the last agent while the writers go on: first when it is at work, then at the end of the steady time."""
    looks = []
    for seconds in (report.plan.steady / 2, report.plan.steady / 2):
        time.sleep(seconds)  # the time that is measured
        programs.tell(journal)
        looks.append((len(os.listdir(f"/proc/{pid}/fd")), resident_kib(pid)))
    report.descriptors = (looks[0][0], looks[1][0])
    report.resident = (looks[0][1], looks[1][1])


def resident_kib(pid: int) -> int:
    """Give the resident memory of a process, in KiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


def _await_all(report: Report, journal: Journal) -> None:
    """Wait until all lines arrived, or nothing more comes: what is missing then is in the report."""
    total = sum(report.written.values())
    last, changed = -1, time.monotonic()

    def over() -> bool:
        nonlocal last, changed
        journal.read()
        arrived = sum(len(ids) for ids in journal.ids.values())
        if arrived != last:
            last, changed = arrived, time.monotonic()
        return arrived >= total or time.monotonic() - changed > SILENT_SECONDS

    eventually(over, LONGEST_END, "the events never came to an end")


def _account(report: Report, journal: Journal, state: Path) -> None:
    for name, written in report.written.items():
        arrived = journal.ids.get(name, {})
        if missing := [number for number in range(written) if number not in arrived]:
            report.missing[name] = missing
        report.unknown += [f"{name} {number}" for number in arrived if number >= written]
    report.unknown += [name for name in journal.ids if name not in report.written]
    report.repeated, report.renamed = journal.repeated, journal.renamed
    report.readable = [str(path) for path in (state, *state.iterdir()) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    store = Store(state, batching.encode)
    try:
        report.lost_bytes = {reason: amount for (what, reason), amount in store.losses().items() if what == "bytes"}
    finally:
        store.close()
