"""`--since` and `--until`: what people write, and the part of a sorted log that it means."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipper.backfill.opening import OpenFile
from shipper.backfill.quick_start import DISORDER, wanted_part
from shipper.backfill.selection import select
from shipper.backfill.span import Span, parse_moment
from shipper.matching.timestamps import find_time
from shipper.tailing.files import LogFile
from tests.backfill.jobs import Kept, orders_of, run

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
RULE = "[[rule]]\nid = 'e'\nmatch = 'no\\. (?<n>[0-9]+)'\nevent = 'E'\ncontent = '{n}'\n"


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host whose clock was set back on 2026-10-25."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T10:00:00+08:00", "2026-11-23T02:00:00+00:00"),
        ("2026-11-23 10:00", "2026-11-23T09:00:00+00:00"),
        ("2026-07-01", "2026-06-30T22:00:00+00:00"),
        ("2h", "2026-10-26T08:00:00+00:00"),
        ("7d", "2026-10-19T10:00:00+00:00"),
        ("today", "2026-10-25T23:00:00+00:00"),
        ("yesterday", "2026-10-24T22:00:00+00:00"),
        ("now", "2026-10-26T10:00:00+00:00"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    """ISO times, dates and days of the host's zone, and how long ago."""
    now = datetime(2026, 10, 26, 10, tzinfo=UTC).astimezone()

    assert parse_moment(text, now).astimezone(UTC).isoformat() == expected


def test_a_day_as_the_end_is_all_of_it() -> None:
    """`--until yesterday` has yesterday in it, all 25 hours."""
    now = datetime(2026, 10, 26, 10, tzinfo=UTC).astimezone()
    begin, end = parse_moment("yesterday", now), parse_moment("yesterday", now, is_end=True)

    assert end - begin == timedelta(hours=25)
    assert parse_moment("2026-07-01", now, is_end=True) - parse_moment("2026-07-01", now) == timedelta(days=1)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2 weeks", "10:00"])
def test_what_is_no_moment_is_told(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match=r"2026-11-23|duration"):
        parse_moment(text, datetime.now(UTC))


def sorted_log(path: Path, lines: int, seconds: int, disorder: int = 0) -> None:
    """A line each `seconds`, of which some are a little late."""
    with path.open("w") as file:
        for number in range(lines):
            late = disorder if number % 7 == 3 else 0
            moment = BEGIN + timedelta(seconds=number * seconds - late)
            file.write(f"{moment.isoformat()} no. {number} {'x' * 80}\n")
    os.utime(path, (BEGIN.timestamp() + lines * seconds,) * 2)


def clock(text: str) -> datetime | None:
    return find_time(text, BEGIN, None)


@pytest.mark.parametrize("disorder", [0, 600])
def test_a_sorted_log_is_read_where_the_time_is(tmp_path: Path, disorder: int) -> None:
    """A few looks find it; nothing of the time asked for is outside, and not much else is inside."""
    path = tmp_path / "a.log"
    sorted_log(path, 40_000, 60, disorder)
    log, size = LogFile.open(str(path)), path.stat().st_size
    for day in (-1, 0, 3, 20, 27, 40):
        span = Span(BEGIN + timedelta(days=day), BEGIN + timedelta(days=day, hours=5))
        start, end = wanted_part(log, size, span, [clock], "utf-8")
        data = path.read_bytes()
        inside = data[start:end].decode().splitlines()
        wanted = [line for line in data.decode().splitlines() if (found := clock(line)) is not None and found in span]
        assert set(wanted) <= set(inside)
        assert len(inside) < len(wanted) + 2 * DISORDER.total_seconds() / 60 + 2000
        assert start == 0 or data[start - 1 : start] == b"\n"
    log.close()


def test_a_log_that_is_not_sorted_is_read_whole(tmp_path: Path) -> None:
    """Two logs that somebody has joined; one without times."""
    for name in ("a", "b"):
        sorted_log(tmp_path / name, 20_000, 60)
    joined = tmp_path / "joined.log"
    joined.write_bytes((tmp_path / "b").read_bytes() + (tmp_path / "a").read_bytes())
    plain = tmp_path / "plain.log"
    plain.write_text("nothing that is a time\n" * 100_000)
    for path in (joined, plain):
        log = LogFile.open(str(path))
        span = Span(BEGIN + timedelta(days=3), BEGIN + timedelta(days=4))
        assert wanted_part(log, path.stat().st_size, span, [clock], "utf-8") == (0, None)
        log.close()


def test_only_events_of_the_time_are_made_and_little_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a second run, which has nothing to do, and after the log has grown."""
    path = tmp_path / "a.log"
    sorted_log(path, 40_000, 60)
    read: list[int] = []
    read_at = LogFile.read_at

    def counted(self: LogFile, offset: int, length: int) -> bytes:
        data = read_at(self, offset, length)
        read.append(len(data))
        return data

    monkeypatch.setattr(LogFile, "read_at", counted)
    span = Span(BEGIN + timedelta(days=20), BEGIN + timedelta(days=20, hours=1))
    orders, kept = orders_of(tmp_path, RULE, span), Kept()
    assert run(orders, kept, [path])[0]
    expected = list(range(20 * 1440, 20 * 1440 + 60))
    assert [int(event.content) for event in kept.events] == expected
    assert sum(read) < path.stat().st_size / 2
    done, job = run(orders, kept, [path])
    assert (done, job.progress.files_before, len(kept.events)) == (True, 1, 60)
    with path.open("a") as file:
        file.write(f"{(BEGIN + timedelta(days=20, minutes=5)).isoformat()} no. 77 late\n")
    os.utime(path, (BEGIN.timestamp() + 40_001 * 60,) * 2)
    run(orders, kept, [path])
    # all of it has been judged, so what was written later is out of its order; a run for all time finds it
    everything = Kept()
    run(orders_of(tmp_path, RULE), everything, [path])
    assert len(everything.events) == 40_001


def test_lines_without_a_time_belong_to_the_line_before(tmp_path: Path) -> None:
    """A trace is in the span if what it belongs to is; the missing year is that of the file."""
    path = tmp_path / "a.log"
    path.write_text(
        "Dec 31 23:59:58 host app: no. 1\n  no. 2\nJan  1 00:00:01 host app: no. 3\n  no. 4\nJan  2 00:00:01 no. 5\n"
    )
    os.utime(path, (datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp(),) * 2)
    since = datetime(2025, 12, 31, 22, tzinfo=UTC)

    def contents(span: Span) -> list[str]:
        kept = Kept()
        run(orders_of(tmp_path, RULE, span), kept, [path])
        return [event.content for event in kept.events]

    midnight = datetime(2025, 12, 31, 23, tzinfo=UTC)  # in Berlin
    assert contents(Span(since, midnight)) == ["1", "2"]
    assert contents(Span(midnight, midnight + timedelta(days=1))) == ["3", "4"]
    assert contents(Span(since=midnight)) == ["3", "4", "5"]


def test_what_is_binary_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    """Text in wide characters is text."""
    for name, content, is_binary in (
        ("wtmp", b"\x02\0\0\0a\0\n", True),
        ("wide", "a\n".encode("utf-16"), False),
        ("text", b"\0\0\0a\n\0\0", False),
        ("empty", b"", False),
    ):
        (tmp_path / name).write_bytes(content)
        file = OpenFile(select([str(tmp_path / name)], (), None)[0])
        assert file.is_binary is is_binary, name
        file.close()
