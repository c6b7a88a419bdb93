"""Rows of archives: `shipper backfill` and `zcat | rg` on the same rotated, compressed files, both on all cores.

The log is cut into a family of four, as logrotate leaves it. `backfill` writes every event that it finds to a file;
`rg` counts the lines. Both are measured from their start to their end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Final

from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.scanning import FEW, MANY, require

_PARTS: Final = 4
_STEP: Final = 1024 * 1024


def family(bench: Bench, work: Work) -> list[Path]:
    """Give the compressed generations of a log, the oldest first; written once."""
    log = bench.log(work)
    directory = log.path.with_name(f"{log.path.name}.family")
    paths = [directory / f"app.log.{number}.gz" for number in range(_PARTS, 0, -1)]
    if directory.exists():
        return paths
    directory.mkdir()
    with log.path.open("rb") as file:
        for path in paths:
            packer = zlib.compressobj(6, wbits=31)
            left = log.size // _PARTS if path != paths[-1] else log.size
            with path.open("wb") as packed:
                while left > 0 and (data := file.read(min(_STEP, left))):
                    left -= len(data)
                    packed.write(packer.compress(data))
                packed.write(packer.compress(file.readline() if left == 0 else b"") + packer.flush())
    return paths


def backfill(bench: Bench, work: Work) -> Measured:
    """Ship the family into a file."""
    paths, log = family(bench, work), bench.log(work)
    output = bench.place("events.jsonl")
    command = [sys.executable, "-m", "shipper", "backfill", "--rules", str(bench.rule_file(work))]
    began = time.perf_counter()
    subprocess.run([*command, "--output", str(output), *paths], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    with output.open("rb") as events:
        require(sum(1 for _ in events), log.matching)
    return Measured(log.size / 1e6 / seconds, {"events/s": log.matching / seconds})


def ripgrep(bench: Bench, work: Work) -> Measured:
    """Count the matching lines of the family with `zcat | rg -c -f`."""
    paths, log = family(bench, work), bench.log(work)
    patterns = bench.place("patterns")
    lines = [f"{'(?i)' if rule.fold else ''}{rule.portable}\n".replace(r"\b", r"(?-u:\b)") for rule in work.chosen()]
    patterns.write_text("".join(lines))
    began = time.perf_counter()
    with subprocess.Popen(["zcat", *paths], stdout=subprocess.PIPE) as unpacked:
        done = subprocess.run(
            ["rg", "--no-config", "-c", "-f", patterns, "-"], stdin=unpacked.stdout, capture_output=True, check=True
        )
    seconds = time.perf_counter() - began
    require(int(done.stdout), log.matching)
    return Measured(log.size / 1e6 / seconds)


def no_zcat_or_ripgrep() -> str | None:
    """Tell why they cannot be measured."""
    return None if shutil.which("rg") and shutil.which("zcat") else "zcat or ripgrep is not installed"


ROWS = (
    Row("zcat-rg-10", "`zcat | rg -c -f`, 10 rules, 0.1 %", "MB/s", lambda b: ripgrep(b, FEW), no_zcat_or_ripgrep),
    Row("backfill-10", "`shipper backfill --output` of them", "MB/s", lambda b: backfill(b, FEW)),
    Row("zcat-rg-200", "`zcat | rg -c -f`, 200 rules, 0.1 %", "MB/s", lambda b: ripgrep(b, MANY), no_zcat_or_ripgrep),
    Row("backfill-200", "`shipper backfill --output` of them", "MB/s", lambda b: backfill(b, MANY)),
)
