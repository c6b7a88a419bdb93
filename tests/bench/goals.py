"""What the engine and the agent should reach, as ratios within one run, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.bench.measuring import Measured

Results = Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Goal:
    """One of them.

    Attributes:
        title: what is judged.
        unit: of the number.
        rows: that must have been measured for it.
        find: gives the number.
        least: what it should be at least; at most, where less is better.
        aim: what it would better be; None where no aim is set.
        less: whether less is better.
    """

    title: str
    unit: str
    rows: tuple[str, ...]
    find: Callable[[Results], float]
    least: float
    aim: float | None
    less: bool = False

    def judge(self, results: Results) -> tuple[float, str] | None:
        """Give the number and in a word how it is; None when its rows were not measured."""
        if not all(row in results for row in self.rows):
            return None
        found = self.find(results)
        if self.aim is not None and self._holds(found, self.aim):
            return found, "aim reached"
        return found, "reached" if self._holds(found, self.least) else "missed"

    def _holds(self, found: float, limit: float) -> bool:
        return found <= limit if self.less else found >= limit


def _ratio(title: str, row: str, base: str, of: str, least: float, aim: float) -> Goal:
    return Goal(title, of, (row, base), lambda results: results[row].value / results[base].value, least, aim)


def _value(title: str, row: str, unit: str, least: float, aim: float | None, *, less: bool) -> Goal:
    return Goal(title, unit, (row,), lambda results: results[row].value, least, aim, less)


def _further(title: str, row: str, name: str, unit: str, least: float, aim: float | None) -> Goal:
    return Goal(title, unit, (row,), lambda results: results[row].further[name], least, aim, less=True)


GOALS: Final = (
    _ratio("matching alone, 200 rules, 0.1 %", "match-200", "wc-200", "of `wc -l`", 0.15, 0.30),
    _ratio("matching alone, 10 rules, 0.1 %", "match-10", "wc-10", "of `wc -l`", 0.25, 0.45),
    _ratio("file to durable outbox, 200 rules, 0.1 %", "durable-200", "rg-200", "× ripgrep", 3, 5),
    _ratio("file to acknowledged, 10 rules, 0.1 %", "shipper-10", "syslog-ng-10", "× syslog-ng", 10, 20),
    _ratio("file to acknowledged, 200 rules, 0.1 %", "shipper-200", "syslog-ng-200", "× syslog-ng", 100, 200),
    _value("5 % of lines match, durable", "durable-5%", "events/s", 60_000, 80_000, less=False),
    _value("5 % of lines match, acknowledged", "shipper-5%", "events/s", 25_000, 40_000, less=False),
    _ratio("matching alone, 200 rules, 0.1 %", "match-200", "plain-200", "× the plain loop", 500, 900),
    _value("an appended line to the sink, p50", "latency", "ms", 5, 1.5, less=True),
    _further("an appended line to the sink, p99", "latency", "p99, ms", "ms", 20, 5),
    _further("within a second of a rotation", "latency", "after a rotation, longest, ms", "ms", 250, None),
    _value("sending at an account's quota, CPU", "quota", "% of a core", 20, None, less=True),
    _value("100,000 lines/s of a storm: delay of another rule's events, p50", "storm", "ms", 1000, None, less=True),
    _value("resident memory, 200 rules, 1,000 files", "memory", "MiB", 64, 56, less=True),
    _further("more during a reload", "memory", "more during a reload, MiB", "MiB", 16, None),
    _value("idle CPU, 1,000 files", "idle-1000", "% of a core", 0.2, 0.05, less=True),
    _value("idle CPU, 10,000 files", "idle-10000", "% of a core", 1, 0.4, less=True),
    _value("start to first acknowledged event, 200 rules", "start", "s", 1, 0.4, less=True),
)
