"""Rows of the way from files to the durable outbox: the real intake and the real store, no uploader."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import SourceTable, StoreTable
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.processes import pinned
from tests.bench.scanning import FEW, HOST, MANY, MATCH_TIMEOUT, OFTEN, require

_PAUSE = 0.01


def durable(bench: Bench, work: Work, files: int = 1) -> Measured:
    """Read, match and record; ends with the commit of the last event, or of what a run has time for."""
    log = bench.log(work)
    root = bench.place("durable")
    logs = root / "logs"
    logs.mkdir(parents=True)
    parts = {str(part.path): part for part in log.split(logs, files)}
    store = Store(root, batching.encode)
    following = Following([SourceTable(name="bench", paths=(f"{logs}/*.log",), start_at="beginning")], [], {})
    intake = _intake(bench.rule_file(work), store, following)
    try:
        with pinned(bench.cores.measured):
            began = time.perf_counter()
            until = began + bench.seconds
            while time.perf_counter() < until:
                if intake.step(time.monotonic()):
                    continue
                if not following.undecided:
                    break
                # more files than may be open at once: the next scan closes those that are read
                time.sleep(_PAUSE)
            # ends at once, with what is not committed yet
            intake.stop()
            intake.run()
            seconds = time.perf_counter() - began
        offsets = {checkpoint.path: checkpoint.offset for checkpoint in store.checkpoints()}
        events = store.waiting_count
    finally:
        intake.close()
        store.close()
    require(events, sum(parts[path].matching_before(offset) for path, offset in offsets.items()))
    shutil.rmtree(root)
    taken = sum(offsets.values())
    return Measured(
        taken / 1e6 / seconds, {"of the log, MB": taken / 1e6, "events/s": events / seconds, "events": events}
    )


def often(bench: Bench) -> Measured:
    """Tell the events in a second where many lines match."""
    measured = durable(bench, OFTEN)
    return Measured(measured.further["events/s"], {"MB/s": measured.value, "events": measured.further["events"]})


def _intake(rules: Path, store: Store, following: Following) -> Intake:
    rulebook, _ = load_rules([rules])
    return Intake(
        following,
        Engine(rulebook.rules, HOST, MATCH_TIMEOUT, clock=time.perf_counter),
        store,
        StoreTable(min_free_disk=0),
        wake=threading.Event(),
        recorded=lambda: None,
        watcher=None,
    )


ROWS = (
    Row("durable-10", "file to durable outbox, 10 rules, 0.1 %", "MB/s", lambda bench: durable(bench, FEW)),
    Row("durable-200", "file to durable outbox, 200 rules, 0.1 %", "MB/s", lambda bench: durable(bench, MANY)),
    Row("durable-5%", "file to durable outbox, 200 rules, 5 %", "events/s", often),
)
