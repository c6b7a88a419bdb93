"""Results as pictures: PNG and SVG, the same bytes for the same numbers. Needs the dependency group `bench`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.goals import Results
from tests.bench.grid import Cost, Point
from tests.bench.table import number

OURS: Final = "#1f6feb"
OTHERS: Final = "#8c959f"
_BARS: Final[Mapping[str, tuple[str, str]]] = {
    "wc": ("wc -l", OTHERS),
    "rg": ("ripgrep, counting", OTHERS),
    "match": ("matching alone", OURS),
    "durable": ("file to durable", OURS),
    "shipper": ("file to acknowledged", OURS),
    "syslog-ng": ("syslog-ng", OTHERS),
    "rsyslog": ("rsyslog", OTHERS),
    "plain": ("the plain loop", OTHERS),
}


def plot_throughput(results: Results, where: Path) -> None:
    """Draw what each program reads in a second, for 10 and for 200 rules."""
    pyplot = _pyplot()
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 3.6), sharex=True, layout="constrained")
    for panel, rules in zip(panels, ("10", "200"), strict=True):
        shown = [name for name in _BARS if f"{name}-{rules}" in results][::-1]
        values = [results[f"{name}-{rules}"].value for name in shown]
        bars = panel.barh([_BARS[name][0] for name in shown], values, color=[_BARS[name][1] for name in shown])
        panel.bar_label(bars, [number(value) for value in values], padding=3)
        panel.set_xscale("log")
        panel.set_xlabel("MB/s, one core")
        panel.set_title(f"{rules} rules, 0.1 % of the lines match")
        panel.margins(x=0.2)
    _save(figure, where / "throughput")


def plot_cost(points: Sequence[Point], costs: Sequence[Cost], where: Path) -> None:
    """Draw how cost grows, a panel for each thing that is varied."""
    pyplot = _pyplot()
    axes = list(dict.fromkeys(point.axis for point in points))
    figure, panels = pyplot.subplots(1, len(axes), figsize=(3.2 * len(axes), 3.6), sharey=True, layout="constrained")
    for panel, axis in zip(panels, axes, strict=True):
        here = [(point.at, cost) for point, cost in zip(points, costs, strict=True) if point.axis == axis]
        places = [at for at, _ in here]
        panel.plot(places, [cost.ours for _, cost in here], "o-", color=OURS, label="file to durable")
        panel.plot(places, [cost.plain for _, cost in here], "s--", color=OTHERS, label="the plain loop")
        panel.set_yscale("log")
        panel.set_xlabel(axis)
        panel.tick_params(axis="x", rotation=30)
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("MB/s, one core")
    panels[0].legend()
    _save(figure, where / "cost")


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, name: Path) -> None:
    name.parent.mkdir(exist_ok=True)
    # no date in it: what did not change is no change to commit
    figure.savefig(name.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(name.with_suffix(".png"), dpi=110, metadata={"Software": None})
    _pyplot().close(figure)
