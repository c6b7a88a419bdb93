"""The row of a storm: one rule matches every line of a file that is written very fast, beside a quiet rule.

The service is the emulator with the quota of an account, so most of the storm is folded (`storm = "fold"`). What is
measured is how late the quiet rule's events are; in the end every line of the storm must be counted, exactly.
"""

from __future__ import annotations

import re
import shutil
import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.bench.collector import WrongCountError
from tests.bench.families import BenchRule
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.processes import Memory, pinned, wait_until
from tests.bench.shippers import Agent

LINES_PER_SECOND: Final = 100_000
AT_ONCE: Final = 1000
RARE_EVERY: Final = 0.2
_MORE: Final = re.compile(r"(\d+) more between ")
_RULES: Final = """
[[rule]]
id = "loud"
match = 'LOUD (?<n>[0-9]+)'
event = "Loud"
content = "{n}"

[[rule]]
id = "rare"
match = 'RARE (?<n>[0-9]+)'
event = "Rare"
content = "{n}"
"""


class Stormed(Agent):
    """`shipper run` at the service's quota, that folds."""

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        super()._configure(rules, port)
        (self.root / "rules.toml").write_text(_RULES)
        config = self.root / "shipper.toml"
        told = config.read_text().replace("max_requests_per_second = 0", "max_requests_per_second = 20")
        config.write_text(told.replace("[store]", '[store]\nstorm = "fold"'))


def storm(bench: Bench) -> Measured:
    """Write as long as a run may take; gives the median delay of the quiet rule's events in milliseconds."""
    root = bench.place("storm")
    journal = root.with_suffix(".jsonl")
    with pinned(bench.cores.other), Emulator(Settings(store=journal)) as service:
        agent = Stormed(root, [], int(service.url.rpartition(":")[2]))
        agent.start(bench.cores.measured)
        try:
            (agent.logs / "quiet.log").write_text("RARE 0\n")
            wait_until(lambda: _accepted(journal, "Rare"), "the agent did not begin")
            began = time.monotonic()
            written, rare = _write(agent.logs, bench.seconds)
            took = time.monotonic() - began
            wait_until(lambda: _counted(_accepted(journal, "Loud")) >= written, "lines of the storm are missing")
            memory = Memory.of(agent.pid).resident
        finally:
            agent.stop()
    loud, quiet = _accepted(journal, "Loud"), _accepted(journal, "Rare")
    if _counted(loud) != written or [int(event["content"]) for event in quiet] != list(range(1 + len(rare))):
        raise WrongCountError(f"{written} and {len(rare)} lines, {_counted(loud)} and {len(quiet)} are told of")
    delays = [
        1000 * (datetime.fromisoformat(event["received"]).timestamp() - at)
        for event, at in zip(quiet[1:], rare, strict=True)
    ]
    shutil.rmtree(root)
    return Measured(
        statistics.median(delays),
        {
            "longest, ms": max(delays),
            "events of the quiet rule": len(delays),
            "lines/s of the storm": written / took,
            "lines that its events count": _counted(loud),
            "its events": len(loud),
            "resident memory, MiB": memory,
        },
    )


def _write(logs: Path, seconds: float) -> tuple[int, list[float]]:
    """Write both files; gives the lines of the storm, and when each of the quiet rule's was written."""
    written = 0
    rare: list[float] = []
    began = time.monotonic()
    with (logs / "loud.log").open("ab", buffering=0) as loud, (logs / "quiet.log").open("ab", buffering=0) as quiet:
        while (now := time.monotonic() - began) < seconds or not rare:
            loud.write(b"".join(b"2026-11-26 10:00:00 LOUD %d\n" % n for n in range(written, written + AT_ONCE)))
            written += AT_ONCE
            if now >= RARE_EVERY * len(rare):
                rare.append(time.time())
                quiet.write(b"2026-11-26 10:00:00 RARE %d\n" % len(rare))
            time.sleep(max(0.0, began + written / LINES_PER_SECOND - time.monotonic()))
    return written, rare


def _accepted(journal: Path, name: str) -> list[dict[str, Any]]:
    whole = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return [event for line in whole if (event := orjson.loads(line))["name"] == name]


def _counted(events: Sequence[dict[str, Any]]) -> int:
    """Tell of how many lines events tell."""
    return sum(int(more[1]) if (more := _MORE.match(event["content"])) else 1 for event in events)


ROWS = (Row("storm", "100,000 lines/s match one rule: delay of another's events, p50", "ms", storm, once=True),)
