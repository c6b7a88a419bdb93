"""`python -m tests.soak --kills N --seconds S --seed X`: kill real agents as often as asked; say what came of it."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import Plan, Report, soak
from tests.soak.writer import STYLES


def main() -> int:
    """Run one soak; 0 when all is accounted for."""
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="agents to kill (default: 300)")
    parser.add_argument("--seconds", type=float, default=600.0, help="no more kills after so long (default: 600)")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--steady", type=float, default=10.0, help="seconds to measure the last agent (default: 10)")
    parser.add_argument(
        "--styles", default=",".join(STYLES), help=f"how the writers rotate (default: {','.join(STYLES)})"
    )
    parser.add_argument("--rate", type=int, default=300, help="lines a second of each writer (default: 300)")
    options = parser.parse_args()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    plan = Plan(seed, options.kills, options.seconds, options.steady, options.styles.split(","), options.rate)
    root = Path(tempfile.mkdtemp(prefix="shipper-soak-"))
    report = soak(root, plan)
    sys.stdout.write(told(report))
    good = report.is_exact and not report.readable and report.exit_code == 0 and not report.violations
    if good:
        shutil.rmtree(root)
    sys.stdout.write("all is accounted for\n" if good else f"NOT all is accounted for; everything is in {root}\n")
    return 0 if good else 1


def told(report: Report) -> str:
    """Give the report for people."""
    missing = {name: f"{len(numbers)} ({numbers[0]} to {numbers[-1]})" for name, numbers in report.missing.items()}
    return (
        f"kills {report.kills}, rotations {report.rotations}, lines {report.written}\n"
        f"missing {missing or 'none'}, reported lost {report.lost_bytes or 'none'}\n"
        f"repeated with the same id {report.repeated}, with another {report.renamed[:10] or 'none'}\n"
        f"never written {report.unknown[:10] or 'none'}, readable by others {report.readable or 'none'}\n"
        f"last agent: exit code {report.exit_code}, descriptors {report.descriptors}, KiB resident {report.resident}, "
        f"{report.violations} violations of the contract\n"
    )


if __name__ == "__main__":
    sys.exit(main())
