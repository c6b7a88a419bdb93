"""How cost grows with the work: one thing is varied at a time, all others stay as they are; beside the plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TextIO

from tests.bench.durable import durable
from tests.bench.families import KINDS
from tests.bench.measuring import Bench, Measured, Work
from tests.bench.runner import Sizes, bench, median
from tests.bench.scanning import plain_loop

BASE: Final = Work(10, 0.001)


@dataclass(frozen=True, slots=True)
class Point:
    """One place on an axis.

    Attributes:
        axis: what is varied.
        at: its value there, for people.
        work: the log and the rules.
        files: over how many files the log is spread.
    """

    axis: str
    at: str
    work: Work
    files: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured at a point, in MB/s.

    Attributes:
        ours: files to durable outbox.
        plain: the plain loop, reading one file and recording nothing.
        events: that ours made in a second.
    """

    ours: float
    plain: float
    events: float


POINTS: Final = (
    *(Point("rules", f"{count:,}", replace(BASE, rules=count)) for count in (1, 10, 50, 200, 1000)),
    *(
        Point("lines that match", f"{rate * 100:g} %", replace(BASE, rate=rate))
        for rate in (0.0, 0.001, 0.01, 0.05, 0.5)
    ),
    # the last one is longer than a block, and than the longest line that is matched whole
    *(
        Point("bytes of a line", f"{length:,}", replace(BASE, length=length))
        for length in (80, 200, 500, 2000, 8000, 300_000)
    ),
    *(Point("files", f"{files:,}", BASE, files) for files in (1, 10, 100, 1000, 10_000)),
    *(Point("kind of rules", kind, replace(BASE, kind=kind)) for kind in KINDS),
)


def measure_grid(points: Sequence[Point], sizes: Sizes, told: TextIO) -> list[Cost]:
    """Measure points, each several times in turn with the others; raises `WrongCountError`."""
    with bench(sizes) as at_hand:
        runs = [[_measure(at_hand, point, told) for point in points] for _ in range(sizes.runs)]
    medians = [(median([ours for ours, _ in at]), median([plain for _, plain in at])) for at in zip(*runs, strict=True)]
    return [Cost(ours.value, plain.value, ours.further["events/s"]) for ours, plain in medians]


def _measure(at_hand: Bench, point: Point, told: TextIO) -> tuple[Measured, Measured]:
    ours = durable(at_hand, point.work, max(1, point.files // at_hand.files))
    plain = plain_loop(at_hand, point.work)
    told.write(f"{point.axis} {point.at}: {ours.value:.4g} MB/s, the plain loop {plain.value:.4g} MB/s\n")
    told.flush()
    return ours, plain
