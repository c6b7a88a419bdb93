"""Rows of the whole way: from a file that appears to the last event acknowledged by the sink, by us and by peers."""

from __future__ import annotations

import os
import time
from functools import partial

from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.processes import cpu_seconds
from tests.bench.running import ready
from tests.bench.scanning import FEW, MANY, OFTEN
from tests.bench.shippers import Agent, Rsyslog, Shipper, SyslogNg
from tests.bench.workloads import Log

LEAST_BYTES = 1_000_000
LONGER = 8
ENOUGH = 0.25
"""Of the time that a run may take: a run that is shorter is done again on more."""


def delivery(bench: Bench, kind: type[Shipper], work: Work) -> Measured:
    """Measure on as much of the log as a run has time for, so that slow programs are measured as well."""
    log = bench.log(work)
    key = (kind.name, work)
    part = log.head(bench.fitted.get(key, LEAST_BYTES))
    while True:
        measured = _deliver(bench, kind, work, part)
        seconds = measured.further["seconds"]
        if part.size == log.size or seconds > ENOUGH * bench.seconds:
            bench.fitted[key] = part.size
            return measured
        wanted = part.size * bench.seconds / 2 / seconds
        part = log.head(int(min(wanted, part.size * LONGER)))


def _deliver(bench: Bench, kind: type[Shipper], work: Work, log: Log) -> Measured:
    with ready(bench, kind, work) as shipper:
        bench.sink.reset()
        cpu = cpu_seconds(shipper.pid)
        began = time.monotonic()
        os.link(log.path, shipper.logs / "bench.log")
        received = bench.sink.wait_for(log.matching)
        seconds = received.last - began
        cpu = cpu_seconds(shipper.pid) - cpu
    # what came while it stopped would be too much
    bench.sink.require(log.matching)
    return Measured(
        log.size / 1e6 / seconds,
        {
            "seconds": seconds,
            "of the log, MB": log.size / 1e6,
            "events/s": log.matching / seconds,
            "CPU, % of a core": 100 * cpu / seconds,
            "CPU of the sink, % of a core": 100 * received.cpu / seconds,
        },
    )


def often(bench: Bench, kind: type[Shipper]) -> Measured:
    """Tell the events in a second where many lines match."""
    measured = delivery(bench, kind, OFTEN)
    return Measured(measured.further["events/s"], {"MB/s": measured.value, **measured.further})


def _rows(kind: type[Shipper], title: str, *, peer: bool) -> list[Row]:
    return [
        Row(f"{kind.name}-{name}", f"{title}, {what}", unit, run, kind.missing, peer=peer)
        for name, what, unit, run in (
            ("10", "10 rules, 0.1 %", "MB/s", partial(delivery, kind=kind, work=FEW)),
            ("200", "200 rules, 0.1 %", "MB/s", partial(delivery, kind=kind, work=MANY)),
            ("5%", "200 rules, 5 %", "events/s", partial(often, kind=kind)),
        )
    ]


ROWS = (
    *_rows(Agent, "file to acknowledged", peer=False),
    *_rows(SyslogNg, "syslog-ng, file to acknowledged", peer=True),
    *_rows(Rsyslog, "rsyslog, file to sent by TCP", peer=True),
)
