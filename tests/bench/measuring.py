"""What a row of the benchmark is, and what it has at hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.families import KINDS, BenchRule, rule_file, rules
from tests.bench.workloads import Log, write_log

if TYPE_CHECKING:
    from tests.bench.collector import Collector
    from tests.bench.processes import Cores


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a row found.

    Attributes:
        value: the row's number, in its unit.
        further: other numbers, by what they are, units in their names.
    """

    value: float
    further: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A log and the rules for it.

    Attributes:
        rules: how many rules.
        rate: the share of the lines that match.
        length: bytes of a line; None for natural ones.
        kind: of the rules, see `families`.
    """

    rules: int
    rate: float
    length: int | None = None
    kind: str = KINDS[0]

    def chosen(self) -> list[BenchRule]:
        """Give the rules."""
        return rules(self.rules, self.kind)


@dataclass(slots=True)
class Bench:
    """One benchmark: its sizes, its cores, its sink, its logs.

    Attributes:
        scratch: a directory for everything.
        sink: receives events.
        cores: the measured one, and the sink's.
        megabytes: the size of a log, in 10^6 bytes; what is slow measures on a part of it.
        seconds: about how long one run of a row may take.
        appends: lines whose way to the sink is timed.
        idle_seconds: how long an idle agent is watched.
        settling: seconds that an agent gets to fall idle.
        files: by which the counts of watched files are divided; 1 for the goals' own counts.
        fitted: bytes of a log that a program has time for, once known.
    """

    scratch: Path
    sink: Collector
    cores: Cores
    megabytes: float
    seconds: float
    appends: int
    idle_seconds: float
    settling: float
    files: int = 1
    fitted: dict[tuple[str, Work], int] = field(default_factory=dict)
    _logs: dict[Work, Log] = field(default_factory=dict)
    _places: itertools.count[int] = field(default_factory=itertools.count)

    def log(self, work: Work) -> Log:
        """Give the log of a work; written when it is first asked for."""
        if work not in self._logs:
            path = self.place("log").with_suffix(".log")
            self._logs[work] = write_log(path, self.megabytes, work.chosen(), work.rate, work.length)
        return self._logs[work]

    def rule_file(self, work: Work) -> Path:
        """Give a rule file with the rules of a work."""
        path = self.place("rules").with_suffix(".toml")
        path.write_text(rule_file(work.chosen()))
        return path

    def place(self, what: str) -> Path:
        """Give a new name below the scratch directory."""
        return self.scratch / f"{what}-{next(self._places)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured.

    Attributes:
        name: for `--rows`, results and goals.
        title: for people.
        unit: of its value.
        run: measures once; raises `WrongCountError` when other events came out than should.
        missing: tells why it cannot be measured here; None when it can.
        once: whether a run has many measurements in it, so that one run is enough.
        peer: whether it needs a program that ships logs and is not ours.
    """

    name: str
    title: str
    unit: str
    run: Callable[[Bench], Measured]
    missing: Callable[[], str | None] = lambda: None
    once: bool = False
    peer: bool = False
