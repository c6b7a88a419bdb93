"""Records that begin in one generation of a log and end in its successor: whole, once, and never at others' cost."""

from __future__ import annotations

import dataclasses
import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from shipper.config.model import MultilineTable, SourceTable
from shipper.events import Block
from shipper.matching.records import records_of
from shipper.tailing.copies import COPY_PATIENCE
from shipper.tailing.files import LogFile
from shipper.tailing.tailer import READ_BYTES
from tests.tailing.test_following import Host, time_passes

START = MultilineTable(start=r"^\d{4}-")
FIRST = "2026-11-23 before"
TRACE = ["2026-11-23 first", *(f"\tat line {n}" for n in range(28))]
LAST = "2026-11-23 last"


class Logs(Host):
    """A directory of logs whose records are noted one by one: file, offset, first line of the file, text."""

    def __init__(self, root: Path, *globs: str, **keys: object) -> None:
        self.records: list[tuple[str, int, str, str]] = []
        self.numbers: dict[str, int] = {}
        super().__init__(root, *globs, **keys)  # type: ignore[arg-type]

    def take(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            assert block.records is not None
            for record in records_of(dataclasses.replace(block, first_line=1)):
                self.records.append((Path(block.path).name, record.offset, block.head.decode(), record.text))
                self.numbers[record.text] = record.number

    @property
    def texts(self) -> list[str]:
        return [text for *_, text in self.records]

    def look(self, seconds: float = 0.1) -> None:
        self.clock += seconds
        self.scan()

    def rest(self) -> None:
        """Let every time-out pass."""
        for _ in range(3):
            self.look()
        for _ in range(3):
            self.look(10.0)

    def put(self, name: str, data: bytes) -> None:
        with (self.root / name).open("ab") as file:
            file.write(data)


def compress(path: Path) -> None:
    status = path.stat()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()


def rename(logs: Logs) -> Iterator[None]:
    for number in (2, 1):
        if (logs.root / f"a.log.{number}").exists():
            (logs.root / f"a.log.{number}").rename(logs.root / f"a.log.{number + 1}")
    yield
    (logs.root / "a.log").rename(logs.root / "a.log.1")
    yield
    logs.write("a.log")
    yield


def infix(logs: Logs) -> Iterator[None]:
    (logs.root / "a.log").rename(logs.root / "a-20261123.log")
    yield
    logs.write("a.log")
    yield


def olddir(logs: Logs) -> Iterator[None]:
    (logs.root / "old").mkdir(exist_ok=True)
    (logs.root / "a.log").rename(logs.root / "old/a.log.1")
    yield
    logs.write("a.log")
    yield


def copytruncate(logs: Logs) -> Iterator[None]:
    logs.copytruncate("a.log", "a.log.1")
    yield


Rotate = Callable[[Logs], Iterator[None]]
ROTATIONS: dict[str, tuple[Rotate, str]] = {
    "rename": (rename, "*.log"),
    "rename inside the glob": (rename, "a.log*"),
    "date before the extension": (infix, "*.log"),
    "olddir": (olddir, "a.log"),
    "copytruncate": (copytruncate, "*.log"),
    "copytruncate inside the glob": (copytruncate, "a.log*"),
}


def logs_of(root: Path, how: str, **keys: object) -> tuple[Logs, Rotate]:
    rotate, glob = ROTATIONS[how]
    return Logs(root, glob, rotated=("old/*",), **{"multiline": START, **keys}), rotate


@pytest.mark.parametrize("cut", range(1, len(TRACE)))
@pytest.mark.parametrize("when", ["seen in every gap", "seen at the end", "down", "killed after"])
@pytest.mark.parametrize("how", ROTATIONS)
def test_a_trace_cut_at_every_line_by_a_rotation(tmp_path: Path, how: str, when: str, cut: int) -> None:
    """One record with path, offset and first line of the file in which it begins, whoever looks when (hazard 4.1)."""
    logs, rotate = logs_of(tmp_path, how)
    logs.write("a.log", FIRST, *TRACE[:cut])
    logs.look()

    def turn() -> None:
        for _ in rotate(logs):
            if when == "seen in every gap":
                logs.look()

    if when == "down":
        logs.restart(turn)
    else:
        turn()
    logs.write("a.log", *TRACE[cut:])
    logs.look()
    if when == "killed after":
        logs.restart()
        logs.look()
    logs.write("a.log", LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == [FIRST, "\n".join(TRACE), LAST]
    assert [offset for _, offset, _, _ in logs.records] == [0, len(FIRST) + 1, sum(map(len, TRACE[cut:])) + 29 - cut]
    assert [head for _, _, head, _ in logs.records] == [FIRST, FIRST, TRACE[cut]]
    assert logs.lost == {}


def test_a_file_that_begins_with_a_start_line_ends_nothing(tmp_path: Path) -> None:
    """It is read at once, and what an old process still writes belongs to the old file's record (hazards 1.1, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:3])
    logs.look()
    list(rotate(logs))
    logs.write("a.log", LAST, "\tof the last", FIRST)
    logs.look()
    logs.look()
    assert logs.texts == [f"{LAST}\n\tof the last"]
    logs.write("a.log.1", *TRACE[3:])
    logs.rest()
    logs.following.close()

    assert logs.texts == [f"{LAST}\n\tof the last", "\n".join(TRACE), FIRST]


def test_a_record_that_timed_out_before_is_not_continued(tmp_path: Path) -> None:
    """It was taken as it was; the new file's lines are records of their own, at once (hazard 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:3])
    logs.rest()
    list(rotate(logs))
    logs.write("a.log", *TRACE[3:5])
    logs.look()
    logs.following.close()

    assert logs.texts == ["\n".join(TRACE[:3]), *TRACE[3:5]]


def test_a_new_file_waits_no_longer_than_the_record_may_be_open(tmp_path: Path) -> None:
    """Continued or not: after the silence it is taken with what is there, and the new file goes on (hazard 4.1, I5)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:3])
    logs.look()
    list(rotate(logs))
    logs.write("a.log", *TRACE[3:5])
    logs.look(0.9)
    logs.look(0.9)
    assert logs.records == []
    logs.look(0.2)
    assert logs.texts == ["\n".join(TRACE[:5])]
    logs.write("a.log", "\tlate", LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\n".join(TRACE[:5]), "\tlate", LAST]


def test_what_is_written_to_the_old_file_meanwhile_is_read_first(tmp_path: Path) -> None:
    """A daemon reopens its log a moment after the rotation, and may have written much by then (hazards 1.1, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST)
    logs.look()
    list(rotate(logs))
    logs.look()
    many = [f"2026-11-23 {n:030}" for n in range(20_000)]
    logs.write("a.log.1", *many, *TRACE[:4])
    logs.look()
    logs.write("a.log", *TRACE[4:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == [FIRST, *many, "\n".join(TRACE), LAST]


def test_a_file_that_others_go_on_writing_keeps_its_successor_only_for_one_record(tmp_path: Path) -> None:
    """A process that never reopens its log does not hold up those that do (hazard 1.1, I5)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.write("a.log", "\tstray")
    logs.look()
    for number in range(3):
        logs.write("a.log.1", f"2026-11-23 busy {number}")
        logs.look()
    logs.following.close()

    assert "\tstray" in logs.texts


def test_half_a_line_at_the_end_of_the_old_file_is_not_continued(tmp_path: Path) -> None:
    """Its own writer ends it or nobody does; the new file does not wait (hazard 3.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.put("a.log", b"\tat ha")
    logs.look()
    list(rotate(logs))
    logs.write("a.log", "\tstray")
    logs.look()
    logs.look()
    assert logs.texts == ["\tstray"]
    logs.put("a.log.1", b"lf\n")
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\tstray", "\n".join([*TRACE[:2], "\tat half"])]


@pytest.mark.parametrize("begin", [b"\xef\xbb\xbf", b"\0" * 40])
def test_a_file_that_begins_with_a_mark_or_a_hole_begins_anew(tmp_path: Path, begin: bytes) -> None:
    """Neither is the continuation of anything (hazards 1.4, 3.3)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.put("a.log", begin + b"\tstray\n" + LAST.encode() + b"\n")
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted(["\n".join(TRACE[:2]), "\tstray", LAST])


@pytest.mark.parametrize("cut", range(1, 7))
def test_limits_hold_over_the_rotation(tmp_path: Path, cut: int) -> None:
    """Lines and bytes are counted as in one file; what is over is skipped up to the next start (hazards 3.2, 4.1)."""
    lines = ["2026-1", *(f" {n:09}" for n in range(6)), "2026-2"]
    kinds: dict[str, dict[str, object]] = {
        "lines": {"multiline": MultilineTable(start=r"^\d{4}-", max_lines=3)},
        "bytes": {"multiline": START, "max_line_bytes": 30},
    }
    for name, keys in kinds.items():
        (tmp_path / name).mkdir()
        logs, rotate = logs_of(tmp_path / name, "rename", **keys)
        logs.write("a.log", *lines[:cut])
        logs.look()
        list(rotate(logs))
        logs.look()
        logs.write("a.log", *lines[cut:])
        logs.rest()
        logs.following.close()

        assert logs.texts == ["\n".join(lines[:3]), "2026-2"]
        assert logs.lost == {"record_too_long": 4 * 11}


@pytest.mark.parametrize("cut", [2, 4])
def test_a_record_over_its_limits_goes_on_being_skipped_after_a_kill(tmp_path: Path, cut: int) -> None:
    """The new file's first lines are the rest of it, and stay that (hazards 3.2, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename", multiline=MultilineTable(start=r"^\d{4}-", max_lines=3))
    logs.write("a.log", *TRACE[:cut])
    logs.look()
    list(rotate(logs))
    logs.look()
    logs.write("a.log", *TRACE[cut:10])
    logs.look()
    logs.restart()
    logs.look()
    logs.write("a.log", *TRACE[10:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\n".join(TRACE[:3]), LAST]


def test_only_what_directly_follows_is_skipped(tmp_path: Path) -> None:
    """A record over its limits may fill a whole file, but not beyond the part of it that was looked at (3.2, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename", multiline=MultilineTable(start=r"^\d{4}-", max_lines=3))
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.look()
    logs.write("a.log", *["x" * 63] * (READ_BYTES // 64 + 10), LAST)
    logs.following.scan(logs.source, logs.clock)
    list(rotate(logs))
    logs.write("a.log", "\tof the last", FIRST)
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\n".join([*TRACE[:2], "x" * 63]), f"{LAST}\n\tof the last", FIRST]


@pytest.mark.parametrize("end", ["\n", "lf\n"])
def test_half_a_line_of_the_new_file_is_taken_after_its_silence(tmp_path: Path, end: str) -> None:
    """As in one file: it belongs to the record, and its newline alone is no record (hazards 3.1, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.put("a.log", b"\tat ha")
    logs.look()
    logs.look(3.0)
    assert logs.texts == []
    logs.look(3.0)
    logs.put("a.log", end.encode())
    logs.write("a.log", LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\n".join([*TRACE[:2], "\tat ha"]), *([end.strip()] if end.strip() else []), LAST]


def test_a_predecessor_that_cannot_be_read_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is read when it can be, as it is (hazards 2.3, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.write("a.log", "\tstray", LAST)
    (old,) = logs.following.files.values()
    logs.following.scan(logs.source, logs.clock)
    reads = LogFile.read_at

    def stale(file: LogFile, offset: int, length: int) -> bytes:
        if file is old.tailer.file:
            raise OSError(116, "Stale file handle")
        return reads(file, offset, length)

    monkeypatch.setattr(LogFile, "read_at", stale)
    with pytest.raises(OSError, match="Stale"):
        logs.read()
    logs.following.fail(old, "Stale file handle", logs.clock)
    assert [followed.predecessor for followed in logs.following.files.values()] == [None]
    logs.read()
    assert logs.texts == ["\tstray"]
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted(["\tstray", LAST, "\n".join(TRACE[:2])])


def test_a_successor_that_cannot_be_read_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record before it is taken as it is, after its silence (hazards 2.3, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.look()
    old, new = logs.following.files.values()
    logs.write("a.log", "\tstray")
    reads = LogFile.read_at

    def stale(file: LogFile, offset: int, length: int) -> bytes:
        if file is new.tailer.file:
            raise OSError(116, "Stale file handle")
        return reads(file, offset, length)

    monkeypatch.setattr(LogFile, "read_at", stale)
    for _ in range(3):
        logs.clock += 1.0
        with pytest.raises(OSError, match="Stale"):
            logs.read()
    monkeypatch.undo()
    assert logs.texts == ["\n".join(TRACE[:2])]
    assert old.tailer.offset == sum(map(len, TRACE[:2])) + 2
    logs.following.close()


def test_a_file_that_came_between_is_not_jumped_over(tmp_path: Path) -> None:
    """With two rotations between two looks the last two files belong together, not first and last (1.2, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST, "\tof the first")
    logs.look()
    list(rotate(logs))
    logs.write("a.log", *TRACE[:5])
    list(rotate(logs))
    logs.write("a.log", *TRACE[5:], LAST)
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted([f"{FIRST}\n\tof the first", "\n".join(TRACE), LAST])


def test_where_it_is_not_certain_what_came_between_nothing_is_joined(tmp_path: Path) -> None:
    """A newer file beside the log may hold what is missing: then there are two records (hazards 1.2, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *TRACE[:5])
    logs.look()
    list(rotate(logs))
    logs.write("a.log.old")
    time_passes(tmp_path / "a.log.old")
    logs.write("a.log", "\tstray", LAST)
    logs.rest()
    logs.following.close()

    assert "\tstray" in logs.texts
    assert "\n".join(TRACE[:5]) in logs.texts


def test_an_old_process_that_writes_on_makes_its_file_no_predecessor(tmp_path: Path) -> None:
    """It is the newest by its time, but not what the log was before it was rotated last (hazards 1.1, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST)
    logs.look()
    list(rotate(logs))
    logs.write("a.log", *TRACE[:3])
    logs.look()
    list(rotate(logs))
    logs.write("a.log.2", LAST)
    time_passes(tmp_path / "a.log.2")
    logs.write("a.log", "\tstray", FIRST)
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted([FIRST, "\n".join(TRACE[:3]), LAST, "\tstray", FIRST])


def test_a_file_that_is_older_than_the_end_of_the_other_did_not_come_after_it(tmp_path: Path) -> None:
    """An old file that is moved to the log's name continues nothing (hazards 1.13, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST, *TRACE[:3])
    logs.look()
    list(rotate(logs))
    logs.write("a.log", "\tstray", LAST)
    time_passes(tmp_path / "a.log", -3600.0)
    logs.rest()
    logs.following.close()

    assert "\tstray" in logs.texts


def test_two_generations_of_one_time_are_in_no_order(tmp_path: Path) -> None:
    """Nobody knows which of them the new file came after (hazard 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST, *TRACE[:3])
    logs.look()
    list(rotate(logs))
    logs.write("a.log.2", LAST)
    status = (tmp_path / "a.log.1").stat()
    os.utime(tmp_path / "a.log.2", ns=(status.st_atime_ns, status.st_mtime_ns))
    logs.write("a.log", "\tstray", LAST)
    logs.rest()
    logs.following.close()

    assert "\tstray" in logs.texts


@pytest.mark.parametrize("before", [(), (FIRST,)])
def test_an_old_file_that_is_cut_after_its_rotation(tmp_path: Path, before: tuple[str, ...]) -> None:
    """The new file neither waits for what is no more, nor goes on with what came instead (hazards 1.3, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", *before, *TRACE[:2])
    logs.look()
    list(rotate(logs))
    logs.look()
    logs.write("a.log", "\tstray")
    logs.look()
    os.truncate(tmp_path / "a.log.1", 0)
    if before:
        logs.write("a.log.1", LAST)
    logs.look()
    logs.look()
    assert logs.texts == [*before, "\tstray"]
    logs.rest()
    logs.following.close()

    assert logs.texts == [*before, "\tstray", *([LAST] if before else [])]


def test_another_log_with_a_number_in_its_name_is_no_generation(tmp_path: Path) -> None:
    """`a-1.log` may be the log of another process: its open record is not continued in `a.log` (hazard 4.1)."""
    logs = Logs(tmp_path, multiline=START)
    logs.write("a-1.log", *TRACE[:5])
    logs.look()
    logs.write("a.log", "banner", LAST)
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted(["\n".join(TRACE[:5]), "banner", LAST])


def test_an_archive_that_is_made_of_the_old_file_is_no_other_generation(tmp_path: Path) -> None:
    """`compress` begins at once, while the old file's record is still open (hazards 1.12, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST, *TRACE[:5])
    logs.look()
    list(rotate(logs))
    (tmp_path / "a.log.1.gz").write_bytes(b"")
    time_passes(tmp_path / "a.log.1.gz")
    logs.write("a.log", *TRACE[5:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == [FIRST, "\n".join(TRACE), LAST]


def test_an_old_file_that_was_compressed_between_two_looks(tmp_path: Path) -> None:
    """It has no name any more, and its archive has its time: that is no other generation (hazards 1.12, 4.1)."""
    logs, rotate = logs_of(tmp_path, "rename")
    logs.write("a.log", FIRST, *TRACE[:5])
    logs.look()
    list(rotate(logs))
    compress(tmp_path / "a.log.1")
    logs.write("a.log", *TRACE[5:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == [FIRST, "\n".join(TRACE), LAST]


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
@pytest.mark.parametrize("lines", [10, 60_000])
def test_the_first_part_may_be_found_in_an_archive(tmp_path: Path, how: str, lines: int) -> None:
    """Rotated and compressed while down, or cut with a copy that is compressed already (hazards 1.3, 1.6, 4.1)."""
    logs, rotate = logs_of(tmp_path, how)
    logs.write("a.log", *[FIRST] * lines, *TRACE[:5])
    logs.look()

    def turn() -> None:
        list(rotate(logs))
        compress(tmp_path / "a.log.1")

    if how == "rename":
        logs.restart(turn)
    else:
        turn()
        logs.write("a.log", *TRACE[5:8])
        logs.clock += 0.1
        logs.read()
    logs.write("a.log", *TRACE[8 if how == "copytruncate" else 5 :], LAST)
    logs.rest()
    logs.following.close()

    # a search that takes more than one step ends after the new file was begun, unless that waits for it
    parts = ["\n".join(TRACE[:5]), *TRACE[5:]] if (how, lines) == ("rename", 60_000) else ["\n".join(TRACE)]
    assert sorted(logs.texts) == sorted([*[FIRST] * lines, *parts, LAST])


def test_a_number_before_the_extension_outside_the_globs(tmp_path: Path) -> None:
    """What no source reads under its present name was rotated, whatever its number looks like (hazards 1.6, 4.1)."""
    logs = Logs(tmp_path, "a.log", multiline=START)
    logs.write("a.log", FIRST, *TRACE[:5])
    logs.look()
    logs.restart(lambda: (tmp_path / "a.log").rename(tmp_path / "a-1.log"))
    logs.write("a.log", *TRACE[5:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == [FIRST, "\n".join(TRACE), LAST]


def test_a_predecessor_whose_content_is_looked_for_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Nobody knows how long that takes (hazards 1.3, 4.1, I5)."""
    logs, rotate = logs_of(tmp_path, "rename inside the glob")
    logs.write("a.log", FIRST, *TRACE[:5])
    logs.look()
    # an archive that is not whole may hold it
    (tmp_path / "a.log.9.gz").write_bytes(gzip.compress(b"other")[:12])
    time_passes(tmp_path / "a.log.9.gz", -1.0)
    list(rotate(logs))
    os.truncate(tmp_path / "a.log.1", 0)
    logs.write("a.log.1", *["2026-11-23 other"] * 10)
    logs.write("a.log", "\tstray", LAST)
    logs.look()
    assert [followed.held for followed in logs.following.files.values()] == [True, False]
    logs.following.close()

    assert logs.texts == [FIRST, "\tstray"]


@pytest.mark.parametrize("first", [0, 1])
def test_files_that_are_read_in_different_ways_are_not_joined(tmp_path: Path, first: int) -> None:
    """Whichever source finds the new file first: what one makes of the lines says nothing to the other (1.11, 4.1)."""
    logs = Logs(tmp_path, multiline=START)
    logs.write("a.log", *TRACE[:3])
    logs.look()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    logs.look()
    start = MultilineTable(start="^S")
    other = SourceTable(name="other", paths=(f"{tmp_path}/a.log",), start_at="beginning", multiline=start)
    sources = [other, logs.source]
    logs.following.reconfigure(sources)
    logs.write("a.log", "\tstray", "S")
    for source in (sources[first], sources[1 - first]):
        logs.following.scan(source, logs.clock)
    logs.read()
    logs.clock += 2.0
    logs.read()
    logs.following.close()

    assert sorted(logs.texts) == sorted(["\n".join(TRACE[:3]), "\tstray", "S"])


def test_a_file_that_was_deleted_and_made_anew(tmp_path: Path) -> None:
    """The old one is held by its descriptor alone, and its record ends in the new one all the same (1.9, 4.1)."""
    logs = Logs(tmp_path, multiline=START)
    logs.write("a.log", *TRACE[:5])
    logs.look()
    (tmp_path / "a.log").unlink()
    logs.write("a.log", *TRACE[5:], LAST)
    logs.rest()
    logs.following.close()

    assert logs.texts == ["\n".join(TRACE), LAST]


def cri(stream: str, tag: str, text: str) -> bytes:
    return f"2026-11-23T10:00:00.123456789Z {stream} {tag} {text}\n".encode()


def docker(stream: str, tag: str, text: str) -> bytes:
    return orjson.dumps({"log": text + "\n" * (tag == "F"), "stream": stream, "time": "2026-11-23T10:00:00Z"}) + b"\n"


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("how", ["rename", "rename inside the glob", "copytruncate"])
@pytest.mark.parametrize(("form", "line"), [("cri", cri), ("docker", docker)])
def test_parts_in_three_generations_while_the_other_stream_goes_on(
    tmp_path: Path, form: str, line: Callable[[str, str, str], bytes], how: str, killed: bool
) -> None:
    """P | P | F of one stream, each in its own file, with whole messages of the other between (hazards 4.2, 4.3)."""
    logs, rotate = logs_of(tmp_path, how, format=form, multiline=MultilineTable())
    files = [
        [line("stdout", "F", "zero"), line("stdout", "P", "one,")],
        [line("stderr", "F", "err 1"), line("stdout", "P", "two,"), line("stderr", "P", "err ")],
        [line("stderr", "F", "2"), line("stdout", "F", "three"), line("stdout", "F", "four")],
    ]
    for number, parts in enumerate(files):
        if number and how != "copytruncate":
            list(rotate(logs))
        elif number == 2:
            # nothing was taken of what is cut now, so that nobody could notice
            break
        elif number:
            list(rotate(logs))
        for part in parts:
            logs.put("a.log", part)
            logs.look(0.01)
        if killed:
            logs.restart()
            logs.look(0.01)
    if how == "copytruncate":
        for part in files[2]:
            logs.put("a.log", part)
    logs.rest()
    logs.following.close()

    assert sorted(logs.texts) == sorted(["zero", "one,two,three", "err 1", "err 2", "four"])
    first = len(files[0][0])
    assert [(offset, head) for _, offset, head, text in logs.records if text == "one,two,three"] == [
        (first, files[0][0].decode().strip())
    ]
    assert [(offset, head) for _, offset, head, text in logs.records if text == "err 2"] == [
        (len(files[1][0]) + len(files[1][1]), files[1][0].decode().strip())
    ]
    assert logs.numbers["err 2"] == 2


def test_a_message_that_ended_in_the_old_file_is_no_reason_to_wait(tmp_path: Path) -> None:
    """What the container wrote into the new file is read at once (hazard 4.3, I5)."""
    logs, rotate = logs_of(tmp_path, "rename", format="cri", multiline=MultilineTable())
    logs.put("a.log", cri("stdout", "P", "one,") + cri("stdout", "F", "two"))
    logs.look()
    list(rotate(logs))
    logs.put("a.log", cri("stdout", "F", "three"))
    logs.look(0.0)
    logs.following.close()

    assert logs.texts == ["one,two", "three"]


def test_lines_that_are_records_never_wait(tmp_path: Path) -> None:
    """Without records of several lines the files are read side by side, whatever the old one ends with (hazard 3.1)."""
    host = Host(tmp_path)
    host.write("a.log", "1")
    with (tmp_path / "a.log").open("a") as file:
        file.write("half")
    host.scan()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    host.write("a.log", "2")
    host.scan()
    host.following.close()

    assert host.lines == ["1", "2"]


def test_a_truncated_log_is_joined_to_its_copy_alone(tmp_path: Path) -> None:
    """A program that cuts its log without a copy leaves nothing to go on with (hazards 1.3, 4.1)."""
    logs = Logs(tmp_path, multiline=START)
    logs.write("a.log", FIRST, *TRACE[:5])
    logs.look()
    os.truncate(tmp_path / "a.log", 0)
    logs.write("a.log", "\tstray", LAST)
    logs.rest()
    logs.look(COPY_PATIENCE)
    logs.following.close()

    assert logs.texts == [FIRST, "\tstray", LAST]
    assert logs.lost == {"truncated": sum(map(len, TRACE[:5])) + 5}
