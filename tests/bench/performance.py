"""`make performance`: measures everything and writes it into `docs/performance.md`, between its markers."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path
from typing import Final

from tests.bench.__main__ import add_sizes, sizes
from tests.bench.choices import CHOICES
from tests.bench.grid import POINTS, measure_grid
from tests.bench.plots import plot_cost, plot_throughput
from tests.bench.processes import ROOT
from tests.bench.runner import ROWS, machine, measure, write_json
from tests.bench.table import cost_table, goals_table, rows_table

PAGE: Final = ROOT / "docs" / "performance.md"
SECTIONS: Final = ("machine", "goals", "rows", "choices", "cost")


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser("python -m tests.bench.performance", description=__doc__)
    add_sizes(parser)
    parser.add_argument("--grid-seconds", type=float, default=2, help="about how long one run of a point may take (2)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that is filled")
    options = parser.parse_args()
    chosen = sizes(options)
    measured = (*ROWS, *CHOICES)
    results, missing = measure(measured, chosen, told=sys.stderr)
    costs = measure_grid(POINTS, dataclasses.replace(chosen, seconds=options.grid_seconds), told=sys.stderr)
    pictures = options.page.with_suffix("")
    plot_throughput(results, pictures)
    plot_cost(POINTS, costs, pictures)
    write_json(pictures / "results.json", measured, results, missing)
    runs = "one run" if chosen.runs == 1 else f"median of {chosen.runs} runs"
    said = f"{machine()}. Logs of {chosen.megabytes:g} MB, {chosen.seconds:g} s for a run, {runs}."
    rows, choices = (rows_table(each, results, missing) for each in (ROWS, CHOICES))
    text = options.page.read_text()
    for name, content in zip(
        SECTIONS, (said, goals_table(results), rows, choices, cost_table(POINTS, costs)), strict=True
    ):
        text = fill(text, name, content)
    options.page.write_text(text)


def fill(text: str, name: str, content: str) -> str:
    """Put content between the markers of a name; raises `ValueError` when they are not there once."""
    pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    filled, count = pattern.subn(lambda found: f"{found[1]}{content}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"the page has {count} places for {name}, not one")
    return filled


if __name__ == "__main__":
    main()
