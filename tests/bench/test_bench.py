"""The benchmark measures what it says: every row works, and none passes that did not do all of the job."""

from __future__ import annotations

import dataclasses
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import regex

from tests.bench import table
from tests.bench.choices import CHOICES
from tests.bench.collector import WrongCountError
from tests.bench.families import KINDS, MOST_RULES, rules
from tests.bench.goals import GOALS
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.runner import ROWS, Sizes, bench, measure, median, write_json
from tests.bench.scanning import FEW
from tests.bench.sink import SERIAL
from tests.bench.workloads import matching_line, write_log

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the benchmark needs Linux")

SMALL = Sizes(
    megabytes=0.3, seconds=0.2, runs=1, appends=2, idle_seconds=0.1, fewer_files=500, settling=0.1, patience=5
)
OURS = [row for row in (*ROWS, *CHOICES) if not row.peer]


@pytest.fixture
def at_hand() -> Iterator[Bench]:
    with bench(dataclasses.replace(SMALL, patience=3)) as ready:
        yield ready


def named(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


@pytest.mark.parametrize("row", OURS, ids=lambda row: row.name)
def test_every_row_that_needs_no_peer_measures(row: Row) -> None:
    """A run on a small log ends, has checked its events, and gives a number."""
    results, missing = measure([row], SMALL, told=io.StringIO())

    if row.name in missing:
        pytest.skip(missing[row.name])
    assert results[row.name].value >= 0
    assert row.title in table.rows_table([row], results, {})


@pytest.mark.system
@pytest.mark.parametrize("row", [row for row in ROWS if row.peer], ids=lambda row: row.name)
def test_every_row_of_a_peer_measures(row: Row) -> None:
    """The same job done by another program: its configuration is right for the version that is installed."""
    if reason := row.missing():
        pytest.skip(reason)
    results, _ = measure([row], SMALL, told=io.StringIO())

    assert results[row.name].value > 0


@pytest.mark.parametrize("name", ["wc-10", "plain-10", "rg-10", "match-10", "durable-10", "shipper-10"])
def test_a_row_fails_that_did_not_find_everything(at_hand: Bench, name: str) -> None:
    """A matching line is in the numbers and not in the file: the row ends with an error, not with a speed."""
    row = named(name)
    if reason := row.missing():
        pytest.skip(reason)
    log = at_hand.log(FEW)
    lines = log.path.read_bytes().splitlines(keepends=True)
    matching = next(line for line in lines if b"#000000000#" in line)
    lines.remove(matching)
    # as long as before, and a line less
    lines[0] = b"x" * len(matching) + lines[0]
    log.path.write_bytes(b"".join(lines))

    with pytest.raises(WrongCountError):
        row.run(at_hand)


def test_a_benchmark_that_went_wrong_ends_and_names_the_row() -> None:
    """No table is printed of which one number is a lie."""

    def lose(_: Bench) -> Measured:
        raise WrongCountError("9 events came, 10 were expected")

    row = dataclasses.replace(named("start"), run=lose)
    with pytest.raises(WrongCountError, match="start: 9 events came"):
        measure([row], SMALL, told=io.StringIO())


def test_the_sink_tells_a_double_from_a_loss(at_hand: Bench) -> None:
    """One lost and another twice is the right count and the wrong sum; and what never comes is missed."""
    first, second = (matching_line(rules(1)[0], serial) for serial in range(2))
    with socket.create_connection(("127.0.0.1", at_hand.sink.port)) as stream:
        stream.sendall(first + second)
        at_hand.sink.wait_for(2)
        at_hand.sink.require(2)
        at_hand.sink.reset()
        stream.sendall(second + second)
        assert at_hand.sink.wait_for(2).events == 2
        with pytest.raises(WrongCountError):
            at_hand.sink.require(2)
        with pytest.raises(WrongCountError):
            at_hand.sink.wait_for(3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [None, 80, 2000])
def test_each_matching_line_is_matched_by_one_rule(tmp_path: Path, kind: str, length: int | None) -> None:
    """So that every event has a serial of its own; noise matches nothing, whatever the lines' length."""
    chosen = rules(30, kind)
    log = write_log(tmp_path / "a.log", 0.15, chosen, 0.2, length)
    patterns = [regex.compile(rule.match) for rule in chosen]
    found = []
    at = 0
    for line in log.path.read_bytes().splitlines(keepends=True):
        at += len(line)
        found += [at for pattern in patterns if pattern.search(line.decode())]

    assert at == log.size
    assert found == list(log.ends)
    assert log.matching > 5


def test_a_log_is_the_same_each_time(tmp_path: Path) -> None:
    """Numbers of different days are of the same bytes."""
    first, second = (write_log(tmp_path / name, 0.2, rules(10), 0.01) for name in ("a", "b"))

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.ends == second.ends


def test_parts_of_a_log_know_their_matching_lines(tmp_path: Path) -> None:
    """Its head, and each of the files that it is split into, down to files of less than a line."""
    log = write_log(tmp_path / "a.log", 0.2, rules(10), 0.05)
    (tmp_path / "parts").mkdir()
    for part in (log.head(50_000), *log.split(tmp_path / "parts", 7)):
        lines = part.path.read_bytes().splitlines(keepends=True)
        ends = [sum(map(len, lines[: number + 1])) for number, line in enumerate(lines) if SERIAL.search(line)]
        assert part.size == part.path.stat().st_size
        assert part.lines == len(lines)
        assert list(part.ends) == ends


def test_every_rule_of_a_kind_differs() -> None:
    """A rule that were there twice would make two events of a line."""
    for kind in KINDS:
        assert len({rule.match for rule in rules(MOST_RULES, kind)}) == MOST_RULES


def test_goals_name_rows_that_there_are() -> None:
    """A goal whose row has another name would never be judged."""
    assert {row for goal in GOALS for row in goal.rows} <= {row.name for row in ROWS}


def test_a_goal_is_reached_or_missed_by_its_limits() -> None:
    """`at least` and `aim`, from the side from which they hold."""
    start = next(goal for goal in GOALS if goal.rows == ("start",))
    ratio = next(goal for goal in GOALS if goal.rows == ("match-10", "wc-10"))

    assert [start.judge({"start": Measured(value)}) for value in (0.3, 0.9, 1.1)] == [
        (0.3, "aim reached"),
        (0.9, "reached"),
        (1.1, "missed"),
    ]
    judged = [ratio.judge({"match-10": Measured(value), "wc-10": Measured(100.0)}) for value in (50.0, 30.0, 20.0)]
    assert judged == [(0.5, "aim reached"), (0.3, "reached"), (0.2, "missed")]
    assert ratio.judge({"match-10": Measured(1.0)}) is None


def test_numbers_are_medians_of_the_runs(tmp_path: Path) -> None:
    """One odd run changes nothing, and the file of numbers has what the table has."""
    found = median([Measured(value, {"p99, ms": 2 * value}) for value in (1.0, 100.0, 3.0)])
    assert found == Measured(3.0, {"p99, ms": 6.0})

    row = dataclasses.replace(named("start"), run=lambda _: found)
    write_json(tmp_path / "all.json", [row], {"start": found}, {"rg-10": "not installed"})
    written = orjson.loads((tmp_path / "all.json").read_bytes())
    assert written["rows"]["start"]["value"] == 3.0
    assert written["missing"] == {"rg-10": "not installed"}


def test_a_row_that_cannot_be_measured_says_why() -> None:
    """A missing program is told in the table, and no failure."""
    row = dataclasses.replace(named("rg-10"), missing=lambda: "it is not installed")
    results, missing = measure([row], SMALL, told=io.StringIO())

    assert results == {}
    assert "it is not installed" in table.rows_table([row], results, missing)
