"""`make bench`: throughput of matching alone and of the whole path, as ratios to `wc -l` in the same run.

Every row reads the same file; every run checks that as many events came out as lines were made to match.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from shipper.agent.supervisor import Agent
from shipper.config.model import CloudMonitorTable, Config, CredentialsTable, Secret, SourceTable, StoreTable
from shipper.events import Block, Origin
from shipper.matching.engine import Engine
from shipper.matching.judge import Host
from shipper.matching.rulebook import load_rules
from shipper.tailing.files import LogFile
from shipper.tailing.tailer import Tailer
from tests.bench.workload import rules, write_log


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """What one run measures with."""

    scratch: Path
    log: Path
    rule_file: Path
    matching: int
    endpoint: str


def wc(bench: Bench) -> None:
    """Count lines, as fast as it can be done."""
    subprocess.run(["wc", "-l", str(bench.log)], check=True, stdout=subprocess.DEVNULL)


def matching_alone(bench: Bench) -> None:
    """Read blocks and match them; events go nowhere."""
    rulebook, _ = load_rules([bench.rule_file])
    engine = Engine(rulebook.rules, Host("bench", "127.0.0.1"), 0.1, 0)
    file = LogFile.open(str(bench.log))
    tailer = Tailer(file, str(bench.log), Origin("bench"), max_line_bytes=65536, partial_timeout=5.0)
    events = 0
    while isinstance(block := tailer.next_block(datetime.now(UTC), 0.0), Block):
        events += len(engine.match(block))
    file.close()
    _expect(events, bench.matching)


def whole_path(bench: Bench) -> None:
    """Run the agent from a file to acknowledged events at a local sink without a quota."""
    done = threading.Event()
    delivered = 0

    def count(events: object) -> None:
        nonlocal delivered
        delivered += len(events)  # type: ignore[arg-type]
        if delivered >= bench.matching:
            done.set()

    with tempfile.TemporaryDirectory(dir=bench.scratch) as state:
        config = Config(
            state_dir=state,
            rules=(str(bench.rule_file),),
            cloudmonitor=CloudMonitorTable(
                endpoint=bench.endpoint,
                max_requests_per_second=0,
                credentials=CredentialsTable(access_key_id="testkey", access_key_secret=Secret("testsecret")),
            ),
            store=StoreTable(min_free_disk=0),
            source=(SourceTable(name="bench", paths=(str(bench.log),), start_at="beginning"),),
        )
        agent = Agent(config, delivered=count)
        agent.start()
        if not done.wait(600):
            raise SystemExit("the events did not arrive")
        agent.stop()
    _expect(delivered, bench.matching)


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"wrong: {found} events, {expected} were expected")


ROWS: dict[str, Callable[[Bench], None]] = {
    "wc -l": wc,
    "matching alone": matching_alone,
    "file to acknowledged": whole_path,
}


def main() -> None:
    """Measure every row `--runs` times in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=32)
    parser.add_argument("--rules", type=int, default=10)
    parser.add_argument("--hits", type=float, default=0.001, help="share of the lines that match")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger("shipper").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="shipper-bench-") as scratch:
        root = Path(scratch)
        (root / "rules.toml").write_text(rules(options.rules))
        lines, matching = write_log(root / "bench.log", options.megabytes, options.rules, options.hits)
        size = (root / "bench.log").stat().st_size
        print(  # noqa: T201
            f"{size / 1e6:.0f} MB, {lines} lines of {size / lines:.0f} bytes, {options.rules} rules, "
            f"{matching} lines match; "
            f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, median of {options.runs} runs"
        )
        sink = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.sink"], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        assert sink.stdout is not None
        assert sink.stdin is not None
        bench = Bench(root, root / "bench.log", root / "rules.toml", matching, sink.stdout.readline().strip())
        try:
            seconds: dict[str, list[float]] = {name: [] for name in ROWS}
            for _ in range(options.runs):
                for name, run in ROWS.items():
                    began = time.perf_counter()
                    run(bench)
                    seconds[name].append(time.perf_counter() - began)
        finally:
            sink.stdin.close()
            sink.wait(10)
            sink.stdout.close()
        base = statistics.median(seconds["wc -l"])
        print(f"{'':24}{'seconds':>10}{'MB/s':>10}{'of wc -l':>12}")  # noqa: T201
        for name, each in seconds.items():
            median = statistics.median(each)
            print(f"{name:24}{median:10.3f}{size / 1e6 / median:10.1f}{base / median:12.5f}")  # noqa: T201


if __name__ == "__main__":
    main()
