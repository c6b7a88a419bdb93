"""Rows of what an agent costs that has nothing to do: memory, idle CPU; and how soon after its start it delivers."""

from __future__ import annotations

import shutil
import time

from tests.bench.families import rule_file
from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.processes import Memory, cpu_seconds
from tests.bench.running import ready
from tests.bench.shippers import Agent
from tests.bench.workloads import matching_line

WORK = Work(200, 0.001)
DIRECTORY = 100
"""Files in one directory."""
RELOADING = 0.2
"""Of the time to fall idle: so long after a reload memory is looked at."""
RELOADS = 3


def memory(bench: Bench) -> Measured:
    """Give the resident memory of all processes of an idle agent, and the most that reloads add to it."""
    files = max(1, 1000 // bench.files)
    with ready(bench, Agent, WORK) as agent:
        _fill(bench, agent, files)
        quiet = Memory.of(agent.pid)
        seen: list[float] = []
        for number in range(RELOADS):
            # other rules: nothing can be kept
            text = rule_file(WORK.chosen()).replace('event = "', f'description = "{number}"\nevent = "')
            (agent.root / "rules.toml").write_text(text)
            agent.reload(lambda: seen.append(Memory.of(agent.pid).resident))
            until = time.monotonic() + RELOADING * bench.settling
            while time.monotonic() < until:
                seen.append(Memory.of(agent.pid).resident)
    bench.sink.require(1 + files)
    return Measured(
        quiet.resident,
        {"PSS, MiB": quiet.proportional, "more during a reload, MiB": max(seen) - quiet.resident, "files": files},
    )


def idle_cpu(bench: Bench, files: int) -> Measured:
    """Give the share of a core that watching files takes on which nothing happens, in percent."""
    files = max(1, files // bench.files)
    with ready(bench, Agent, WORK) as agent:
        _fill(bench, agent, files)
        cpu, began = cpu_seconds(agent.pid), time.monotonic()
        time.sleep(bench.idle_seconds)
        share = (cpu_seconds(agent.pid) - cpu) / (time.monotonic() - began)
    bench.sink.require(1 + files)
    return Measured(100 * share, {"files": files, "seconds": bench.idle_seconds})


def start(bench: Bench) -> Measured:
    """Give the time from the start of the process to the first event that the sink has, in seconds."""
    root = bench.place("start")
    rules = WORK.chosen()
    agent = Agent(root, rules, bench.sink.port)
    bench.sink.reset()
    (agent.logs / "there.log").write_bytes(matching_line(rules[0], 0))
    began = time.monotonic()
    agent.start(bench.cores.measured)
    try:
        received = bench.sink.wait_for(1)
    finally:
        agent.stop()
    bench.sink.require(1)
    shutil.rmtree(root)
    return Measured(received.last - began)


def _fill(bench: Bench, agent: Agent, files: int) -> None:
    """Give it files with a line each, and let it fall idle when it has delivered them."""
    rules = WORK.chosen()
    for number in range(files):
        directory = agent.logs / f"{number // DIRECTORY}"
        directory.mkdir(exist_ok=True)
        serial = number + 1
        (directory / f"{number}.log").write_bytes(matching_line(rules[number % len(rules)], serial))
    bench.sink.wait_for(1 + files)
    time.sleep(bench.settling)


ROWS = (
    Row("memory", "resident memory, 200 rules, 1,000 files", "MiB", memory, once=True),
    Row("idle-1000", "idle CPU, 1,000 files", "% of a core", lambda bench: idle_cpu(bench, 1000), once=True),
    Row("idle-10000", "idle CPU, 10,000 files", "% of a core", lambda bench: idle_cpu(bench, 10_000), once=True),
    Row("start", "start to first acknowledged event, 200 rules", "s", start),
)
