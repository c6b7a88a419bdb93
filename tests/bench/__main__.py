"""`make bench` and `make bench-peers`: what the engine and the agent do, beside others, in one run on one core.

Each row is measured several times, in turn with all others, and gives its median. Every run checks that exactly the
events came out that it should; a run of which that is not true ends the benchmark with failure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench.choices import CHOICES
from tests.bench.collector import WrongCountError
from tests.bench.runner import ROWS, Sizes, machine, measure, write_json
from tests.bench.table import goals_table, rows_table


def main() -> None:
    """Measure what was chosen, and print it."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    add_sizes(parser)
    parser.add_argument("--peers", action="store_true", help="also programs that are not ours")
    known = (*ROWS, *CHOICES)
    parser.add_argument("--rows", nargs="+", metavar="ROW", choices=[row.name for row in known], help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    options = parser.parse_args()
    if options.rows:
        chosen = [row for row in known if row.name in options.rows]
    else:
        chosen = [row for row in ROWS if options.peers or not row.peer]
    print(machine())  # noqa: T201
    try:
        results, missing = measure(chosen, sizes(options), told=sys.stderr)
    except WrongCountError as error:
        raise SystemExit(f"wrong: {error}") from None
    print(rows_table(chosen, results, missing), goals_table(results), sep="\n\n")  # noqa: T201
    if options.json:
        write_json(options.json, chosen, results, missing)


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is measured."""
    parser.add_argument("--megabytes", type=float, default=200, help="size of a log (default: 200)")
    parser.add_argument("--seconds", type=float, default=5, help="about how long one run may take (default: 5)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each row (default: 3)")
    parser.add_argument("--appends", type=int, default=200, help="lines whose latency is measured (default: 200)")
    parser.add_argument("--idle-seconds", type=float, default=60, help="how long an idle agent is watched (60)")
    parser.add_argument("--fewer-files", type=int, default=1, metavar="N", help="watch an Nth of the files (1)")


def sizes(options: argparse.Namespace) -> Sizes:
    """Give the sizes that the options ask for."""
    return Sizes(
        options.megabytes, options.seconds, options.runs, options.appends, options.idle_seconds, options.fewer_files
    )


if __name__ == "__main__":
    main()
