"""The row of latency: a matching line is appended; when does the sink have it? The agent is idle before."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.running import QUIET, ready
from tests.bench.shippers import Agent
from tests.bench.workloads import matching_line

WORK = Work(200, 0.001)
GAP = (0.1, 0.3)
"""Seconds between two lines; fewer would make a busy file of it."""
ROTATIONS = 10
_PERCENTILES = 100


def latency(bench: Bench) -> Measured:
    """Append lines one by one, then lines within a second of a rotation; gives the median in milliseconds."""
    chance = random.Random(1)
    rules = WORK.chosen()
    written: dict[int, float] = {}

    def append(path: Path) -> None:
        serial = len(written) + 1
        line = matching_line(chance.choice(rules), serial)
        with path.open("ab", buffering=0) as file:
            written[serial] = time.monotonic()
            file.write(line)

    with ready(bench, Agent, WORK) as agent:
        log = agent.logs / QUIET
        _pause(bench.settling)
        for _ in range(bench.appends):
            append(log)
            _pause(chance.uniform(*GAP))
        rotations = min(ROTATIONS, bench.appends)
        for number in range(rotations):
            log.rename(agent.logs / f"{QUIET}.{number}")
            log.touch()
            _pause(chance.uniform(0.0, 1.0))
            append(log)
            _pause(chance.uniform(*GAP))
        bench.sink.wait_for(1 + len(written))
    bench.sink.require(1 + len(written))
    arrived = bench.sink.arrivals()
    took = [1000 * (arrived[serial] - at) for serial, at in written.items()]
    quiet, rotated = took[: bench.appends], took[bench.appends :]
    return Measured(
        statistics.median(quiet),
        {
            "p99, ms": percentile(quiet, 99),
            "longest, ms": max(quiet),
            "after a rotation, longest, ms": max(rotated),
            "lines": len(quiet),
            "rotations": len(rotated),
        },
    )


def percentile(values: list[float], place: int) -> float:
    """Give a percentile of at least two values; the largest where there are too few to tell."""
    return min(max(values), statistics.quantiles(values, n=_PERCENTILES)[place - 1])


def _pause(seconds: float) -> None:
    """Let time pass: an idle agent is what is measured."""
    time.sleep(seconds)


ROWS = (Row("latency", "an appended line to the sink, idle agent, p50", "ms", latency, once=True),)
