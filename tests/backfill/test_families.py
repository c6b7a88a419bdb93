"""Rotated files of one log are read as the one log that they are."""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipper.backfill.generations import in_order
from shipper.backfill.selection import families, select
from shipper.config.model import MultilineTable, SourceTable
from tests.backfill.jobs import Kept, orders_of, run
from tests.tailing.archiving import KINDS, PACK


@pytest.mark.parametrize(
    "oldest_first",
    [
        ["a.log.10.gz", "a.log.2.gz", "a.log.1", "a.log"],
        ["a.log-20261122.gz", "a.log-20261123", "a.log"],
        ["a-20261122.log.gz", "a-20261123.log", "a.log"],
        ["a.log.2026-10-31", "a.log.2026-11-01.zst", "a.log"],
        ["a.log.2026-Oct-31", "a.log.2026-Nov-01"],
        ["a.log.2026-11-23T09", "a.log.2026-11-23T10"],
        ["a.log.old", "a.log"],
        ["a.log.1", "a.log.1.gz", "a.log"],
        ["a.log-1795720480", "a.log-1795806880.gz"],
    ],
)
def test_names_tell_the_order(oldest_first: list[str]) -> None:
    """Numbers count down to the log itself, dates count up to it."""
    assert in_order([f"/l/{name}" for name in sorted(oldest_first)]) == [f"/l/{name}" for name in oldest_first]


@pytest.mark.parametrize(
    "names",
    [["a.log", "a.1.log", "a.2.log"], ["a.log.1", "a.log-20261123"], ["a.log.31-10-2026", "a.log.01-11-2026"]],
)
def test_names_that_do_not_tell_are_not_guessed_at(names: list[str]) -> None:
    """A number within the name, two schemes at once, the day first."""
    assert in_order(names) is None


def test_where_names_do_not_tell_the_first_times_do_and_else_the_ages(tmp_path: Path) -> None:
    """For some programs a.1.log is the oldest, for others a.9.log."""
    for name, day, age in (
        ("a.1.log", 1, 30),
        ("a.2.log", 2, 20),
        ("a.log", 3, 10),
        ("b.1.log", 0, 5),
        ("b.log", 0, 9),
    ):
        line = f"2026-11-0{day} 10:00:00 x\n" if day else "x\n"
        (tmp_path / name).write_text(line)
        os.utime(tmp_path / name, (10**9 + age, 10**9 + age))
    found = families(select([str(tmp_path)], (), None))

    assert [[Path(each.path).name for each in family] for family in found] == [
        ["b.1.log", "b.log"],
        ["a.1.log", "a.2.log", "a.log"],
    ]


RULES = """
[[rule]]
id = 'each'
match = '(?s)(?<all>.*)'
event = 'Each'
content = '{line}'

[[rule]]
id = 'often'
match = 'ERROR'
event = 'Often'
content = '{count} {line}'
[rule.threshold]
count = 3
within = '20s'

[[rule]]
id = 'seldom'
match = '[0-9]'
event = 'Seldom'
content = '{line}'
[rule.throttle]
max = 2
per = '30s'
"""
LINES = st.lists(
    st.tuples(
        st.sampled_from(["stamp ", "stamp ", "", " at frame ", "plain "]),
        st.sampled_from(["ERROR", "ok", "Ärger"]),
        st.integers(0, 9),
    ),
    min_size=2,
    max_size=60,
)
JAVA = SourceTable(name="app", paths=("/none/*.log",), multiline=MultilineTable(preset="java"), max_line_bytes=1024)
STARTED = SourceTable(name="app", paths=("/none/*.log",), multiline=MultilineTable(start=r"^\d{4}-", max_lines=5))


@settings(max_examples=60, deadline=None)
@given(LINES, st.lists(st.integers(0, 60), max_size=5), st.sampled_from([None, JAVA, STARTED]), st.sampled_from(KINDS))
@example([("stamp ", "ERROR", 1), (" at frame ", "x", 2), (" at frame ", "x", 3)], [1, 2], JAVA, "gzip")
@example([("stamp ", "ERROR", 1), *[("", "ok", 2)] * 9], [2, 4, 6, 8], STARTED, "zstd")
def test_a_log_cut_into_a_family_makes_the_same_events(
    lines: list[tuple[str, str, int]], cuts: list[int], source: SourceTable | None, kind: str
) -> None:
    """Records, thresholds, throttles and the times of lines without one run through it as if it were one file."""
    written = []
    for number, (begin, word, digit) in enumerate(lines):
        stamp = f"2026-11-23 10:{number // 6:02}:{number % 6 * 10:02} " if begin == "stamp " else begin
        # no two alike: files that hold the same are one content
        written.append(f"{stamp}{word} {digit} no. {number}\n".encode())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        whole, parts = directory / "whole", directory / "parts"
        whole.mkdir()
        parts.mkdir()
        (whole / "a.log").write_bytes(b"".join(written))
        places = [0, *sorted({cut for cut in cuts if 0 < cut < len(written)}), len(written)]
        for age, (start, end) in enumerate(pairwise(places)):
            number = len(places) - 2 - age
            content = b"".join(written[start:end])
            path = parts / (f"a.log.{number}" if number else "a.log")
            path.write_bytes(PACK[kind](content) if number > 1 else content)
            os.utime(path, (1795720480, 1795720480))
        os.utime(whole / "a.log", (1795720480, 1795720480))
        orders = orders_of(directory, RULES)
        found = []
        for where in (whole, parts):
            kept = Kept()
            done, job = run(orders, kept, [where], source=source)
            assert done
            assert not job.progress.faults
            found.append([(event.name, event.content, event.time) for event in kept.events])

    assert found[0] == found[1]
