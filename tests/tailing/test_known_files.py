"""What is remembered of files, and what it is good for: first looks, restarts, equal heads, names that move."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipper.config.model import SourceTable
from shipper.events import Checkpoint, Origin
from shipper.tailing.copies import COPY_PATIENCE
from shipper.tailing.files import LogFile
from shipper.tailing.followed import UNLINKED_SILENCE
from shipper.tailing.following import PURGE_INTERVAL, Following
from shipper.tailing.identity import HEAD_BYTES, fingerprint
from shipper.tailing.positions import PAST_OF_LOG, TOMBSTONE_SECONDS
from shipper.tailing.tailer import Halt, Tailer
from tests.simulation.filesystem import MemoryFiles
from tests.tailing.test_following import Host, time_passes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = 24 * 3600.0


@pytest.mark.parametrize("start_at", ["beginning", "end"])
@pytest.mark.parametrize("age", [0.0, 400 * DAY], ids=["new", "old"])
@pytest.mark.parametrize("met", ["at the first start", "at a restart", "later"])
def test_where_reading_begins(tmp_path: Path, start_at: str, age: float, met: str) -> None:
    """A first start obeys `start_at`, a checkpoint goes before it, a file found later is read from 0 (hazard 2.7)."""
    host = Host(tmp_path, start_at=start_at)
    if met == "later":
        host.scan()
    host.write("a.log", "before")
    time_passes(tmp_path / "a.log", -age)
    host.scan()
    if met == "at a restart":
        host.restart(lambda: host.write("a.log", "while down"))
        time_passes(tmp_path / "a.log", -age)
        host.scan()
    host.write("a.log", "after")
    time_passes(tmp_path / "a.log", -age)
    host.scan()
    host.following.close()

    begins_at_end = start_at == "end" and met != "later"
    while_down = ["while down"] if met == "at a restart" else []
    assert host.lines == [*([] if begins_at_end else ["before"]), *while_down, "after"]


SIZES = [0, 1, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1]


def banner(size: int) -> str:
    """Give so many bytes of whole lines."""
    return ("banner 1\nbanner 2\n" * size)[: size - 1] + "\n" if size else ""


@pytest.mark.parametrize("size", SIZES)
def test_two_files_that_begin_alike(tmp_path: Path, size: int) -> None:
    """Each is read, whole, and goes on where it was left when they differ, also after a restart (hazard 1.8)."""
    host = Host(tmp_path)
    names = ("a.log", "b.log")
    for name in names:
        (tmp_path / name).write_text(banner(size))
        host.scan()
    host.clock += COPY_PATIENCE
    host.scan()
    for turn in range(3):
        for name in names:
            host.write(name, f"{name} {turn}")
        host.scan()
        host.restart()
        host.clock += COPY_PATIENCE
        host.scan()
    host.following.close()

    assert Counter(host.lines) == Counter(
        [*banner(size).splitlines() * 2, *(f"{name} {turn}" for name in names for turn in range(3))]
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_new_file_that_begins_as_the_rotated_one_did(tmp_path: Path, size: int) -> None:
    """A service that writes its banner again after a rotation is heard again (hazard 1.8)."""
    host = Host(tmp_path)
    (tmp_path / "a.log").write_text(banner(size))
    host.scan()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_text(banner(size))
    for _ in range(3):
        host.scan()
        host.clock += COPY_PATIENCE
    host.write("a.log", "and on")
    host.scan()
    host.following.close()

    assert host.lines == [*banner(size).splitlines() * 2, "and on"]


@pytest.mark.parametrize("size", [0, HEAD_BYTES - 40])
def test_a_file_that_grows_byte_by_byte_with_a_restart_after_each(tmp_path: Path, size: int) -> None:
    """What a checkpoint knows of the head grows with the file, and is believed at each length (hazard 1.8)."""
    host = Host(tmp_path)
    (tmp_path / "a.log").write_text(banner(size))
    host.scan()
    text = "".join(f"line {number}\n" for number in range(10))
    for byte in text:
        with (tmp_path / "a.log").open("a") as file:
            file.write(byte)
        host.scan()
        host.restart()
        host.scan()
    host.following.close()

    assert host.lines == (banner(size) + text).splitlines()


def test_a_shift_of_ten_generations_with_a_restart_after_each_rename(tmp_path: Path) -> None:
    """A rename changes the name and nothing else: no generation is read again, none is taken for another (1.13)."""
    host = Host(tmp_path, "a.log*")
    names = ["a.log", *(f"a.log.{number}" for number in range(1, 10))]
    for name in reversed(names):
        host.write(name, f"in {name}", "the same in all")
        time_passes(tmp_path / name, -60.0 * names.index(name))
        host.scan()
        host.clock += COPY_PATIENCE
        host.scan()
    for turn in range(2):
        for number in range(len(names) + turn - 1, -1, -1):
            old = tmp_path / (f"a.log.{number}" if number else "a.log")
            host.restart(lambda old=old, number=number: old.rename(tmp_path / f"a.log.{number + 1}"))  # type: ignore[misc]
            host.scan()
            host.clock += COPY_PATIENCE
            host.scan()
        host.write("a.log", f"new {turn}")
        host.scan()
    late = [f"late in generation {number}" for number in range(1, 12)]
    for number, line in enumerate(late, 1):
        host.write(f"a.log.{number}", line)
    host.scan()
    host.following.close()

    assert Counter(host.lines) == Counter(
        [f"in {name}" for name in names] + ["the same in all"] * 10 + ["new 0", "new 1", *late]
    )


@pytest.mark.parametrize("keys", [{"name": "renamed"}, {"encoding": "latin-1"}, {"name": "renamed", "start_at": "end"}])
def test_another_configuration_after_a_restart_keeps_the_positions(tmp_path: Path, keys: dict[str, str]) -> None:
    """Positions belong to files, not to sources: another name or encoding repeats no line (hazard 5.8)."""
    host = Host(tmp_path)
    host.write("a.log", "1")
    host.scan()
    host.following.close()
    host.source = dataclasses.replace(host.source, **keys)  # type: ignore[arg-type]
    host.write("a.log", "2")
    host.start()
    host.scan()
    host.write("a.log", "3")
    host.scan()
    host.following.close()

    assert host.lines == ["1", "2", "3"]


@pytest.mark.parametrize("length", [0, 1, 64, HEAD_BYTES - 1])
def test_a_checkpoint_with_a_head_of_another_length_is_believed(tmp_path: Path, length: int) -> None:
    """Each is verified with the length that it was taken with, whatever this version takes (hazard 5.8)."""
    content = banner(2 * HEAD_BYTES).encode()
    (tmp_path / "a.log").write_bytes(content)
    file = LogFile.open(str(tmp_path / "a.log"))
    tailer = Tailer(file, "a.log", Origin(), max_line_bytes=1024, partial_timeout=5.0)
    checkpoint = Checkpoint(
        file.identity, "a.log", "app", len(content), fingerprint(content[:length]), fingerprint(content[-length:])
    )
    assert tailer.resume(checkpoint)
    assert not tailer.resume(dataclasses.replace(checkpoint, head=fingerprint(b"?" + content[1:length])))
    assert tailer.offset == len(content)
    file.close()


class Years:
    """A host whose time passes at will, with a reading side that is looked at now and then."""

    def __init__(self, *, max_open: int = 100) -> None:
        self.files = MemoryFiles(generations=False, granularity=1, descriptors=1000)
        self.source = SourceTable(name="app", paths=("/logs/*.log",), start_at="beginning")
        self.clock = 0.0
        self.following = Following(
            [self.source],
            [],
            {},
            files=self.files,
            wall=lambda: 1.7e9 + self.clock,
            monotonic=lambda: self.clock,
            max_open=max_open,
        )
        self.lines: list[str] = []

    def write(self, name: str, line: str) -> None:
        path = f"/logs/{name}"
        self.files.now += 1
        inode = self.files.names.get(path) or self.files.create(path)
        self.files.write(inode, line.encode() + b"\n")

    def look(self, seconds: float) -> None:
        """Let time pass, and do what a pass of the reading loop does."""
        self.clock += seconds
        self.files.now += int(seconds * 1e9)
        self.following.scan(self.source, self.clock)
        self.following.search(self.clock)
        for followed in self.following.files.values():
            while not isinstance(block := followed.tailer.next_block(NOW, self.clock), Halt):
                self.lines += block.data.decode().splitlines()
                followed.changed_at = self.clock
            followed.halt = block
            followed.look()
        for followed in list(self.following.finished(self.clock)):
            followed.give_up()
            self.following.let_go(followed)
        self.following.recorded(self.following.changes())


def test_a_file_that_is_there_is_never_forgotten(tmp_path: Path) -> None:
    """Silent for ten times as long as a tombstone is kept, and closed for want of descriptors: one line then (5.6)."""
    years = Years(max_open=2)
    for number in range(8):
        years.write(f"{number}.log", f"first {number}")
    for _ in range(8):
        years.look(1.0)
    for _ in range(100):
        years.look(TOMBSTONE_SECONDS / 10)
    for number in range(8):
        years.write(f"{number}.log", f"second {number}")
    for _ in range(8):
        years.look(PURGE_INTERVAL)
    years.following.close()

    assert sorted(years.lines) == sorted(f"{nth} {number}" for nth in ("first", "second") for number in range(8))


@pytest.mark.parametrize("name", ["app-{}.log", "{:x}-app.log"], ids=["dated", "unrelated names"])
def test_files_that_come_and_go_leave_a_bounded_memory(name: str) -> None:
    """A thousand files in thirty days: of one log the last few are remembered, of others a week's (hazard 5.5)."""
    years = Years()
    days, a_day = 30, 33
    most = 0
    for number in range(days * a_day):
        # no number of an inode is used again: each file is one more to remember
        path = name.format(20260000 + number if "x" not in name else number * 0x9E3779B1)
        years.write(path, f"{number}")
        years.files.names[f"/logs/{path}"].opens += 1
        years.look(DAY / a_day / 3)
        years.files.unlink(f"/logs/{path}")
        years.look(DAY / a_day / 3)
        years.look(DAY / a_day / 3)
        most = max(most, len(years.following.positions))
    years.following.close()

    assert years.lines == [f"{number}" for number in range(days * a_day)]
    week = 7 * a_day
    assert most <= (PAST_OF_LOG + 2 if "x" not in name else week + a_day)


def test_nothing_is_forgotten_while_a_volume_is_away(tmp_path: Path) -> None:
    """However long its directory is gone: when it is back, its files go on where they were left (hazards 2.4, 5.5)."""
    years = Years()
    years.write("a.log", "1")
    years.look(1.0)
    names, years.files.names = years.files.names, {}
    years.files.directories.remove("/logs")
    for _ in range(30):
        years.look(TOMBSTONE_SECONDS / 10)
    years.files.directories.add("/logs")
    years.files.names = names
    years.write("a.log", "2")
    years.look(1.0)
    years.look(1.0)
    years.following.close()

    assert years.lines == ["1", "2"]


def test_a_rotated_file_that_ends_in_nuls_is_let_go(tmp_path: Path) -> None:
    """Nobody will write text over them any more: counted, and the descriptor is free (hazards 3.6, 6.1)."""
    host = Host(tmp_path)
    host.write("a.log", "1")
    os.truncate(tmp_path / "a.log", 100_000)
    host.scan()
    assert host.following.files
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    host.scan()
    assert host.finish() == []
    host.clock += max(host.source.deleted_hold, UNLINKED_SILENCE)
    host.read()

    assert host.finish() == [str(tmp_path / "a.log")]
    assert host.lines == ["1"]
    assert host.lost == {"nul": 100_000 - 2}
