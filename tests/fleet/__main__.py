"""`python -m tests.fleet --agents 1,10 --seconds N --seed S --plot`: fleets of each size; prints what came of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.world import LIMITERS, Count, World

SIZES = (1, 10, 100, 1_000, 10_000)
OUTAGE = 3600.0
WHERE = Path(__file__).parents[2] / "docs" / "delivery"
_COLOURS = {"sliding": "#1f6feb", "fixed": "#8c959f", "bucket": "#bf8700"}
_HEAD = (
    "agents", "limiter", "warm-up s", "measured s", "used %", "refused %", "Jain", "longest", "after outage: used %",
    "refused %", "cold start: refused %", "restart: refused %",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One fleet before one limiter, started for the first time all at once.

    Attributes:
        agents: how many.
        limiter: how the service counts.
        warm_up: seconds before the measurement.
        steady: the measurement at saturation.
        start: the first ten minutes.
        returned: five minutes after an outage of an hour.
        restart: five minutes after all agents started again at once with the rates they had kept.
    """

    agents: int
    limiter: str
    warm_up: float
    steady: Count
    start: Count
    returned: Count
    restart: Count

    def cells(self) -> tuple[str, ...]:
        """Give the row as text; `longest` is in fair intervals."""
        counts = (self.steady, self.returned)
        (used, refused), (used_then, refused_then) = ((_percent(c.used), _percent(c.refused_share)) for c in counts)
        return (
            f"{self.agents:,}", self.limiter, f"{self.warm_up:,.0f}", f"{self.steady.seconds:,.0f}", used, refused,
            f"{self.steady.jain:.3f}", f"{self.steady.starvation:.1f}", used_then, refused_then,
            _percent(self.start.refused_share), _percent(self.restart.refused_share),
        )  # fmt: skip


def measure(agents: int, limiter: str, seed: int, seconds: float | None = None, warm_up: float | None = None) -> Row:
    """Run one fleet; what is not given is long enough for its size."""
    usual = durations(agents)
    warm_up = usual[0] if warm_up is None else warm_up
    seconds = usual[1] if seconds is None else seconds
    world = World(agents, limiter, seed)
    first = min(600.0, warm_up)
    start = _count(world, first)
    _count(world, warm_up - first)
    steady = _count(world, seconds)
    world.run(OUTAGE, is_down=True)
    world.count()
    returned = _count(world, 300.0)
    again = World(agents, limiter, seed + 1, [agent.pacer.rate for agent in world.agents])
    return Row(agents, limiter, warm_up, steady, start, returned, _count(again, 300.0))


def durations(agents: int) -> tuple[float, float]:
    """Give the seconds to warm up and to measure."""
    if agents <= 100:
        return (60.0 if agents == 1 else 3600.0), 600.0
    return (10_800.0, 7_200.0) if agents <= 1_000 else (86_400.0, 86_400.0)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under each other, as Markdown has it."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Row], where: Path) -> None:
    """Draw quota used, refused share and fairness against the fleet's size. Needs the dependency group `bench`."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fleet"
    from matplotlib import pyplot

    figure: Any
    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.6), sharex=True, layout="constrained")
    values: tuple[tuple[str, Callable[[Row], float], float], ...] = (
        ("quota used, %", lambda row: 100 * row.steady.used, 90.0),
        ("refused, % of the requests", lambda row: 100 * row.steady.refused_share, 10.0),
        ("Jain's index of fairness", lambda row: row.steady.jain, 0.9),
    )
    for panel, (title, value, goal) in zip(panels, values, strict=True):
        for limiter in LIMITERS:
            here = [row for row in rows if row.limiter == limiter]
            panel.plot(
                [row.agents for row in here], [value(row) for row in here], "o-", color=_COLOURS[limiter], label=limiter
            )
        panel.axhline(goal, color="black", linestyle=":", linewidth=1)
        panel.set_xscale("log")
        panel.set_xlabel("agents")
        panel.set_title(title)
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", alpha=0.3)
    panels[0].legend()
    where.mkdir(parents=True, exist_ok=True)
    # no date in it: what did not change is no change to commit
    figure.savefig(where / "fleet.svg", metadata={"Date": None})
    figure.savefig(where / "fleet.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _count(world: World, seconds: float) -> Count:
    world.run(seconds)
    return world.count()


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def main() -> int:
    """Run the fleets and print the table."""
    parser = argparse.ArgumentParser("python -m tests.fleet", description=__doc__)
    parser.add_argument("--agents", default=",".join(map(str, SIZES)), help="sizes (default: %(default)s; minutes)")
    parser.add_argument("--limiter", default=",".join(LIMITERS), help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=None, help="to measure (default: as the size needs)")
    parser.add_argument("--warm-up", type=float, default=None, help="seconds before (default: as the size needs)")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--plot", action="store_true", help="write docs/delivery/fleet.png and .svg")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    rows = []
    for size in options.agents.split(","):
        for limiter in options.limiter.split(","):
            rows.append(measure(int(size), limiter, options.seed, options.seconds, options.warm_up))
            sys.stdout.write(" ".join(rows[-1].cells()) + "\n")
            sys.stdout.flush()
    sys.stdout.write("\n" + table([_HEAD, *(row.cells() for row in rows)]))
    if options.plot:
        plot(rows, WHERE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
