"""Results as tables, in Markdown: readable in a terminal too."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from tests.bench.goals import GOALS, Results
from tests.bench.grid import Cost, Point
from tests.bench.measuring import Row


def rows_table(rows: Sequence[Row], results: Results, missing: Mapping[str, str]) -> str:
    """Give what each row measured; a row that could not be measured says why."""
    lines = []
    for row in rows:
        if row.name in missing:
            lines.append((row.title, "–", row.unit, f"not measured: {missing[row.name]}"))
        elif row.name in results:
            measured = results[row.name]
            further = "; ".join(f"{name}: {number(value)}" for name, value in measured.further.items())
            lines.append((row.title, number(measured.value), row.unit, further))
    return markdown(("row", "median", "unit", "also"), lines)


def goals_table(results: Results) -> str:
    """Give each goal that can be judged by what was measured."""
    lines = []
    for goal in GOALS:
        judged = goal.judge(results)
        if judged is not None:
            found, word = judged
            sign = "≤" if goal.less else "≥"
            aim = "" if goal.aim is None else f"{sign} {number(goal.aim)}"
            lines.append((goal.title, number(found), goal.unit, f"{sign} {number(goal.least)}", aim, word))
    return markdown(("goal", "found", "unit", "at least", "aim", "so"), lines)


def cost_table(points: Sequence[Point], costs: Sequence[Cost]) -> str:
    """Give what was measured at each point, and how it compares with the plain loop."""
    lines = [
        (
            point.axis,
            point.at,
            number(cost.ours),
            number(cost.events),
            number(cost.plain),
            f"{number(cost.ours / cost.plain)} ×",
        )
        for point, cost in zip(points, costs, strict=True)
    ]
    return markdown(("varied", "at", "file to durable, MB/s", "events/s", "plain loop, MB/s", "ratio"), lines)


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Give a table whose columns are as wide as what is in them."""
    widths = [max(map(_width, column)) for column in zip(head, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (head, rule, *lines)
    )


def number(value: float) -> str:
    """Give a number with three digits that count, in full from a thousand on."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
