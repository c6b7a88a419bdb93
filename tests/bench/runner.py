"""Runs rows in turn, several times, and gives their medians."""

from __future__ import annotations

import gc
import logging
import os
import platform
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

import orjson

from tests.bench import archives, delivery, durable, footprint, framed, latency, quota, scanning, storm
from tests.bench.collector import WrongCountError, collecting
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.processes import Cores

ROWS: Final = (
    *scanning.ROWS,
    *framed.ROWS,
    *durable.ROWS,
    *delivery.ROWS,
    *latency.ROWS,
    *storm.ROWS,
    *quota.ROWS,
    *archives.ROWS,
    *footprint.ROWS,
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; see `measuring.Bench` for what the rows make of it.

    Attributes:
        megabytes: of a log.
        seconds: of one run.
        runs: of each row.
        appends: lines whose latency is measured.
        idle_seconds: how long an idle agent is watched.
        fewer_files: by which counts of watched files are divided.
        settling: seconds that an agent gets to fall idle.
        patience: seconds after which events are missing that did not come.
    """

    megabytes: float = 200
    seconds: float = 5
    runs: int = 3
    appends: int = 200
    idle_seconds: float = 60
    fewer_files: int = 1
    settling: float = 12
    patience: float = 600


@contextmanager
def bench(sizes: Sizes) -> Iterator[Bench]:
    """Prepare a benchmark: a scratch directory, the cores, the sink."""
    cores = Cores.available()
    # what the product says in this process is not what is measured
    logging.getLogger("shipper").addHandler(logging.NullHandler())
    with (
        tempfile.TemporaryDirectory(prefix="shipper-bench-") as scratch,
        collecting(cores.other, sizes.patience) as sink,
    ):
        yield Bench(
            Path(scratch),
            sink,
            cores,
            megabytes=sizes.megabytes,
            seconds=sizes.seconds,
            appends=sizes.appends,
            idle_seconds=sizes.idle_seconds,
            settling=sizes.settling,
            files=sizes.fewer_files,
        )


def measure(rows: Sequence[Row], sizes: Sizes, told: TextIO) -> tuple[dict[str, Measured], dict[str, str]]:
    """Measure rows in turn.

    Args:
        rows: what is measured.
        sizes: how much.
        told: where progress is told.

    Returns:
        What was measured by row, and why the others were not.

    Raises:
        WrongCountError: other events came out than should; names the row.
    """
    missing = {row.name: reason for row in rows if (reason := row.missing())}
    found: dict[str, list[Measured]] = {row.name: [] for row in rows if row.name not in missing}
    with bench(sizes) as at_hand:
        for number in range(sizes.runs):
            for row in rows:
                if row.name in missing or (row.once and number):
                    continue
                gc.collect()
                try:
                    measured = row.run(at_hand)
                except WrongCountError as error:
                    raise WrongCountError(f"{row.name}: {error}") from None
                found[row.name].append(measured)
                told.write(f"{number + 1}/{sizes.runs} {row.name}: {measured.value:.4g} {row.unit}\n")
                told.flush()
    return {name: median(runs) for name, runs in found.items()}, missing


def median(runs: Sequence[Measured]) -> Measured:
    """Give the median of each number."""
    further = {name: statistics.median(run.further[name] for run in runs) for name in runs[0].further}
    return Measured(statistics.median(run.value for run in runs), further)


def write_json(file: Path, rows: Sequence[Row], results: Mapping[str, Measured], missing: Mapping[str, str]) -> None:
    """Write all numbers, for programs."""
    document = {
        "machine": machine(),
        "rows": {
            row.name: {"title": row.title, "unit": row.unit, **asdict(results[row.name])}
            for row in rows
            if row.name in results
        },
        "missing": missing,
    }
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def machine() -> str:
    """Say in a line what this was measured on, and when."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu[1] if cpu else platform.machine()}, {cores} cores, "
        f"Linux {platform.release().split('-')[0]}, Python {sys.version.split()[0]}"
    )
