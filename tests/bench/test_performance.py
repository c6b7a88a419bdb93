"""The page about performance is made of what was measured, and of nothing else."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.grid import BASE, POINTS, Cost, Point, measure_grid
from tests.bench.measuring import Measured
from tests.bench.performance import PAGE, SECTIONS, fill
from tests.bench.runner import Sizes
from tests.bench.table import cost_table, goals_table, markdown

COSTS = [Cost(ours=900.0, plain=1.5, events=70_000.0), Cost(ours=0.5, plain=1.0, events=0.0)]
RULES, FILES = Point("rules", "200", replace(BASE, rules=200)), Point("files", "10", BASE, 10)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the benchmark needs Linux")
def test_a_point_is_measured_in_both_ways() -> None:
    """The whole way to the outbox, over several files too, and the plain loop; both check their counts."""
    sizes = Sizes(megabytes=0.15, seconds=0.5, runs=1)
    points = [replace(FILES, work=replace(BASE, rate=0.5)), Point("bytes", "300,000", replace(BASE, length=300_000))]
    many, long = measure_grid(points, sizes, told=io.StringIO())

    assert many.ours > 0
    assert many.plain > 0
    assert many.events > 0
    assert long.ours > 0


def test_each_axis_varies_one_thing() -> None:
    """All else stays at its default, and the default is on each axis."""
    for axis in {point.axis for point in POINTS}:
        works = {(point.work, point.files) for point in POINTS if point.axis == axis}
        assert len(works) == len([point for point in POINTS if point.axis == axis])
        changed = {
            name
            for work, files in works
            for name in ("rules", "rate", "length", "kind", "files")
            if (files if name == "files" else getattr(work, name)) != (1 if name == "files" else getattr(BASE, name))
        }
        assert len(changed) == 1, axis


def test_cost_is_told_beside_the_plain_loop() -> None:
    """The last column says whether the plain loop would be better."""
    lines = cost_table([RULES, FILES], COSTS).splitlines()

    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["rules", "200", "900", "70,000", "1.5", "600 ×"]
    assert lines[3].split("|")[-2].strip() == "0.5 ×"


def test_a_goal_is_told_with_its_limits() -> None:
    """What was found, what should be, and whether it is; goals that were not measured are not told."""
    told = goals_table({"memory": Measured(60.0, {"more during a reload, MiB": 17.0})})

    assert "| ≤ 64     | ≤ 56 | reached |" in told
    assert "missed" in told
    assert "idle CPU" not in told


def test_a_place_of_the_page_is_filled_again_and_again() -> None:
    """What was between the markers goes, whatever it was; a page without the place is an error."""
    page = "a\n<!-- measured: goals -->\nold \\1\n<!-- end -->\nb\n<!-- measured: rows -->\n<!-- end -->\n"
    once = fill(page, "goals", "| \\1 |")

    assert once == "a\n<!-- measured: goals -->\n| \\1 |\n<!-- end -->\nb\n<!-- measured: rows -->\n<!-- end -->\n"
    assert fill(once, "goals", "| \\1 |") == once
    with pytest.raises(ValueError, match="0 places for cost"):
        fill(page, "cost", "")


def test_the_page_has_all_places_and_they_are_filled() -> None:
    """A page with an empty place would tell nothing."""
    text = PAGE.read_text()
    for name in SECTIONS:
        fill(text, name, "")
        assert f"<!-- measured: {name} -->\n<!-- end -->" not in text


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    """In a terminal too, with signs that are two columns wide."""
    assert markdown(("a", "b"), [("中文", "1"), ("x", "22")]).splitlines() == [
        "| a    | b  |",
        "| ---- | -- |",
        "| 中文 | 1  |",
        "| x    | 22 |",
    ]


def test_pictures_are_the_same_for_the_same_numbers(tmp_path: Path) -> None:
    """So that what did not change is no change to commit."""
    pytest.importorskip("matplotlib", reason="pictures need the dependency group bench")
    from tests.bench.plots import plot_cost, plot_throughput

    results = {"wc-10": Measured(5000.0), "wc-200": Measured(5000.0), "match-200": Measured(0.3)}
    for place in (tmp_path / "first", tmp_path / "second"):
        plot_throughput(results, place)
        plot_cost([RULES, FILES], COSTS, place)

    made = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert made == ["cost.png", "cost.svg", "throughput.png", "throughput.svg"]
    for name in made:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
