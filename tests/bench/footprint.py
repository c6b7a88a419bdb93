"""Rows of what an agent costs that has nothing to do: memory, idle CPU; and how soon after its start it delivers.

Measured on the sources at hand, on the installed package where there is one, and on Fluent Bit where it is given.
"""

from __future__ import annotations

import shutil
import time
from functools import partial

from tests.bench.families import rule_file
from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.processes import Memory, cpu_seconds
from tests.bench.running import ready
from tests.bench.shippers import Agent, FluentBit, InstalledAgent, Shipper
from tests.bench.workloads import matching_line

WORK = Work(200, 0.001)
DIRECTORY = 100
"""Files in one directory."""
RELOADING = 0.2
"""Of the time to fall idle: so long after a reload memory is looked at."""
RELOADS = 3


def memory(bench: Bench, kind: type[Shipper]) -> Measured:
    """Give the resident memory of all processes of an idle shipper, and the most that reloads of ours add to it."""
    files = max(1, 1000 // bench.files)
    with ready(bench, kind, WORK) as shipper:
        _fill(bench, shipper, files)
        quiet = Memory.of(shipper.pid)
        reloads = _reloads(bench, shipper) if isinstance(shipper, Agent) else []
    bench.sink.require(1 + files)
    more = {"more during a reload, MiB": max(reloads) - quiet.resident} if reloads else {}
    return Measured(quiet.resident, {"PSS, MiB": quiet.proportional, **more, "files": files})


def _reloads(bench: Bench, agent: Agent) -> list[float]:
    """Give the resident memory while an agent takes other rules, again and again."""
    seen: list[float] = []
    for number in range(RELOADS):
        # other rules: nothing can be kept
        text = rule_file(WORK.chosen()).replace('event = "', f'description = "{number}"\nevent = "')
        (agent.root / "rules.toml").write_text(text)
        agent.reload(lambda: seen.append(Memory.of(agent.pid).resident))
        until = time.monotonic() + RELOADING * bench.settling
        while time.monotonic() < until:
            seen.append(Memory.of(agent.pid).resident)
    return seen


def idle_cpu(bench: Bench, kind: type[Shipper], files: int) -> Measured:
    """Give the share of a core that watching files takes on which nothing happens, in percent."""
    files = max(1, files // bench.files)
    with ready(bench, kind, WORK) as shipper:
        _fill(bench, shipper, files)
        cpu, began = cpu_seconds(shipper.pid), time.monotonic()
        time.sleep(bench.idle_seconds)
        share = (cpu_seconds(shipper.pid) - cpu) / (time.monotonic() - began)
    bench.sink.require(1 + files)
    return Measured(100 * share, {"files": files, "seconds": bench.idle_seconds})


def start(bench: Bench, kind: type[Shipper]) -> Measured:
    """Give the time from the start of the process to the first event that the sink has, in seconds."""
    root = bench.place("start")
    rules = WORK.chosen()
    shipper = kind(root, rules, bench.sink.port)
    bench.sink.reset()
    (shipper.logs / "there.log").write_bytes(matching_line(rules[0], 0))
    began = time.monotonic()
    shipper.start(bench.cores.measured)
    try:
        received = bench.sink.wait_for(1)
    finally:
        shipper.stop()
    bench.sink.require(1)
    shutil.rmtree(root)
    return Measured(received.last - began)


def _fill(bench: Bench, shipper: Shipper, files: int) -> None:
    """Give it files with a line each, and let it fall idle when it has delivered them."""
    rules = WORK.chosen()
    for number in range(files):
        directory = shipper.logs / f"{number // DIRECTORY}"
        directory.mkdir(exist_ok=True)
        serial = number + 1
        (directory / f"{number}.log").write_bytes(matching_line(rules[number % len(rules)], serial))
    bench.sink.wait_for(1 + files)
    time.sleep(bench.settling)


def _rows(kind: type[Shipper], suffix: str, whose: str, *, peer: bool) -> list[Row]:
    return [
        Row(f"{name}{suffix}", f"{whose}{title}", unit, run, kind.missing, once=once, peer=peer)
        for name, title, unit, run, once in (
            ("memory", "resident memory, 200 rules, 1,000 files", "MiB", partial(memory, kind=kind), True),
            ("idle-1000", "idle CPU, 1,000 files", "% of a core", partial(idle_cpu, kind=kind, files=1000), True),
            ("idle-10000", "idle CPU, 10,000 files", "% of a core", partial(idle_cpu, kind=kind, files=10_000), True),
            ("start", "start to first acknowledged event, 200 rules", "s", partial(start, kind=kind), False),
        )
    ]


ROWS = (
    *_rows(Agent, "", "", peer=False),
    *_rows(InstalledAgent, "-installed", "the installed package, ", peer=True),
    *_rows(FluentBit, "-fluent-bit", "Fluent Bit, ", peer=True),
)
