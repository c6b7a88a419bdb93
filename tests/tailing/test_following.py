"""Files through rotations, restarts and first scans: every line once, as long as it is somewhere."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipper import telemetry
from shipper.config.model import SourceTable
from shipper.events import Block, Checkpoint
from shipper.tailing.condition import FileState, conditions
from shipper.tailing.copies import COPY_PATIENCE
from shipper.tailing.followed import UNLINKED_SILENCE
from shipper.tailing.following import Following
from shipper.tailing.sequels import next_blocks
from shipper.tailing.tailer import Halt
from tests.tailing.archiving import PACK
from tests.tailing.test_discovery import as_nobody, open_path

__all__ = ["open_path"]

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def time_passes(path: Path, seconds: float = 0.001) -> None:
    """Let a file look as if it were written so much later than it was."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + int(seconds * 1e9)))


class Host:
    """A directory of logs, and an agent's reading side that can be killed and started again."""

    def __init__(
        self, root: Path, *globs: str, start_at: str = "beginning", max_open: int = 1000, **keys: object
    ) -> None:
        self.root = root
        paths = tuple(f"{root}/{glob}" for glob in globs or ("*.log",))
        self.source = SourceTable(name="app", paths=paths, start_at=start_at, **keys)  # type: ignore[arg-type]
        self.max_open = max_open
        self.clock = 1000.0
        self.stored: dict[object, Checkpoint] = {}
        self.scanned: dict[str, tuple[str, ...]] = {}
        self.past: dict[str, list[Checkpoint]] = {}
        self.lines: list[str] = []
        self.lost: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        past = [checkpoint for contents in self.past.values() for checkpoint in contents]
        self.following = Following([self.source], self.stored.values(), self.scanned, past=past, max_open=self.max_open)

    def restart(self, while_down: Callable[[], object] = lambda: None) -> None:
        """Kill the reader (its open files are gone), let something happen, and start it from what was stored."""
        self.following.close()
        while_down()
        self.start()

    def scan(self) -> None:
        self.following.scan(self.source, self.clock)
        self.read()

    def read(self) -> None:
        """Read everything there is, and store it, as one pass of the agent does."""
        again = True
        while again:
            again = False
            self.following.search(self.clock)
            for followed in [f for f in self.following.files.values() if not f.held]:
                while not isinstance(blocks := next_blocks(followed, NOW, self.clock), Halt):
                    self.take(blocks)
                    followed.changed_at = self.clock
                if blocks is Halt.REWRITTEN:
                    self.following.rewritten(followed, self.clock)
                    again = True
                followed.halt = blocks
                followed.look()
        self.save()

    def take(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self.lines += block.data.decode().splitlines()

    def save(self) -> None:
        changes = self.following.changes()
        for identity in changes.forgotten:
            self.stored.pop(identity, None)
        for checkpoint in changes.checkpoints:
            self.stored[checkpoint.identity] = checkpoint
        self.scanned.update(changes.scanned)
        self.past.update(changes.past)
        self.following.recorded(changes)
        for followed in self.following.files.values():
            for loss in followed.tailer.take_losses():
                self.lost[loss.reason] = self.lost.get(loss.reason, 0) + loss.amount

    def finish(self) -> list[str]:
        finished = list(self.following.finished(self.clock))
        for followed in finished:
            followed.give_up()
        self.save()
        for followed in finished:
            self.following.let_go(followed)
        self.save()
        return [followed.tailer.path for followed in finished]

    def write(self, name: str, *lines: str) -> None:
        with (self.root / name).open("a") as file:
            file.writelines(line + "\n" for line in lines)

    def copytruncate(self, name: str, copy: str) -> None:
        shutil.copyfile(self.root / name, self.root / copy)
        os.truncate(self.root / name, 0)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("gap", range(5))
def test_rename_and_create_with_a_scan_in_any_gap(host: Host, gap: int) -> None:
    """The old file is read on while its name is gone, the new one from its beginning (hazard 1.1)."""
    host.write("a.log", "1", "2", "3")
    host.scan()
    writer = (host.root / "a.log").open("a")

    def late() -> None:
        writer.write("4\n5\n")
        writer.flush()

    steps: list[Callable[[], object]] = [
        lambda: (host.root / "a.log").rename(host.root / "a.log.1"),
        late,
        (host.root / "a.log").touch,
        lambda: host.write("a.log", "6", "7"),
    ]
    for number, step in enumerate(steps):
        if number == gap:
            host.scan()
        step()
    host.scan()
    host.scan()
    writer.close()

    assert sorted(host.lines) == list("1234567")
    host.following.close()


def test_several_rotations_between_two_looks(tmp_path: Path) -> None:
    """Files that were rotated twice before anybody looked are found under names that a glob matches (hazard 1.2)."""
    host = Host(tmp_path, "a.log*")
    host.scan()
    for number in range(5):
        host.write("a.log", *(f"{number}-{line}" for line in range(100)))
        for old in range(4, 0, -1):
            if (tmp_path / f"a.log.{old}").exists():
                (tmp_path / f"a.log.{old}").rename(tmp_path / f"a.log.{old + 1}")
        (tmp_path / "a.log").rename(tmp_path / "a.log.1")
        if number == 2:
            host.scan()
    host.scan()

    assert sorted(host.lines) == sorted(f"{n}-{line}" for n in range(5) for line in range(100))
    host.following.close()


@pytest.mark.parametrize("glob", ["*.log", "a.log*"], ids=["copy outside the glob", "copy inside the glob"])
@pytest.mark.parametrize("after", [1, 200], ids=["shorter", "regrown"])
def test_copytruncate_loses_and_repeats_nothing_that_is_in_the_copy(tmp_path: Path, glob: str, after: int) -> None:
    """Unread lines are read from the copy, the new content from its beginning, also when regrown (hazard 1.3)."""
    host = Host(tmp_path, glob)
    host.write("a.log", *(f"old {n}" for n in range(50)))
    host.scan()
    host.write("a.log", "unread 1", "unread 2")
    host.copytruncate("a.log", "a.log.1")
    host.write("a.log", *(f"new {n}" for n in range(after)))
    for _ in range(3):
        host.scan()
        host.clock += COPY_PATIENCE

    expected = [f"old {n}" for n in range(50)] + ["unread 1", "unread 2"] + [f"new {n}" for n in range(after)]
    assert sorted(host.lines) == sorted(expected)
    assert host.lost == {}
    host.following.close()


def test_a_copy_that_is_seen_before_the_truncation_is_not_read_twice(tmp_path: Path) -> None:
    """A scan between copy and truncation takes the copy for what it may be (hazard 1.3 c)."""
    host = Host(tmp_path, "a.log*")
    host.write("a.log", *(f"old {n}" for n in range(50)))
    host.scan()
    shutil.copyfile(tmp_path / "a.log", tmp_path / "a.log.1")
    host.scan()
    os.truncate(tmp_path / "a.log", 0)
    host.read()
    host.write("a.log", "new")
    host.clock += COPY_PATIENCE
    host.scan()
    host.clock += COPY_PATIENCE
    host.scan()

    assert host.lines == [f"old {n}" for n in range(50)] + ["new"]
    host.following.close()


def test_a_file_with_the_same_content_is_a_file_of_its_own_after_a_while(host: Host) -> None:
    """Two services may say the same words: both are heard (hazard 1.8)."""
    host.write("a.log", "FATAL: cannot start")
    host.scan()
    host.write("b.log", "FATAL: cannot start")
    host.scan()
    host.clock += COPY_PATIENCE
    host.scan()

    assert host.lines == ["FATAL: cannot start"] * 2
    host.following.close()


@pytest.mark.parametrize("start_at", ["end", "beginning"])
def test_equal_files_of_the_first_scan_are_followed_at_once(tmp_path: Path, start_at: str) -> None:
    """They were there before: `start_at` decides for each of them, and nothing waits."""
    host = Host(tmp_path, start_at=start_at)
    for name in ("a.log", "b.log", "c.log"):
        host.write(name, "same words")
    host.scan()
    host.clock += COPY_PATIENCE
    host.scan()

    assert host.lines == ["same words"] * (3 if start_at == "beginning" else 0)
    host.following.close()


def test_a_copy_made_while_down_is_recognised_whatever_its_name(tmp_path: Path) -> None:
    """Also when it sorts before its original: known files are looked at first (hazards 1.3, 1.6)."""
    host = Host(tmp_path, "*.log")
    host.write("m.log", *(f"line {n}" for n in range(30)))
    host.scan()
    host.write("m.log", "unread")
    host.restart(lambda: host.copytruncate("m.log", "a.log"))
    host.scan()

    assert host.lines == [f"line {n}" for n in range(30)] + ["unread"]
    host.following.close()


def test_truncation_without_a_copy_counts_what_was_known_to_be_unread(host: Host) -> None:
    """Bytes seen but not read before `> file` are lost, and counted."""
    host.write("a.log", "read")
    host.scan()
    (followed,) = host.following.files.values()
    followed.seen = (15, 0)
    os.truncate(host.root / "a.log", 0)
    host.read()
    host.write("a.log", "new")
    host.read()

    assert host.lines == ["read", "new"]
    assert host.lost == {"truncated": 10}
    host.following.close()


@pytest.mark.parametrize("rotations", [1, 3])
def test_rotation_while_down_is_read_on_under_the_new_name(host: Host, rotations: int) -> None:
    """What was left unread is found by identity in the same directory (hazard 1.6)."""
    host.write("a.log", "1", "2")
    host.scan()
    host.write("a.log", "3")

    def rotate() -> None:
        for number in range(rotations):
            (host.root / "a.log").rename(host.root / f"a.log.{rotations - number}")
            host.write("a.log", f"new {number}")

    host.restart(rotate)
    host.scan()

    # those between were never seen under the path: they are newer than what was read of it
    expected = ["1", "2", "3", *(f"new {number}" for number in range(rotations))]
    assert sorted(host.lines) == sorted(expected)
    host.following.close()


def test_rotation_while_down_into_another_directory(tmp_path: Path) -> None:
    """`rotated` names further places (logrotate's olddir)."""
    (tmp_path / "old").mkdir()
    host = Host(tmp_path, rotated=("old/*",))
    host.write("a.log", "1")
    host.scan()
    host.write("a.log", "2")
    host.restart(lambda: (tmp_path / "a.log").rename(tmp_path / "old/a.log-20261123"))
    host.scan()

    assert host.lines == ["1", "2"]
    host.following.close()


def test_copytruncate_while_down(host: Host) -> None:
    """The same inode with other content: the rest is in the copy, found by content (hazards 1.3, 1.6)."""
    host.write("a.log", *(f"line {n}" for n in range(30)))
    host.scan()
    host.write("a.log", "unread")

    def rotate() -> None:
        host.copytruncate("a.log", "a.log.1")
        host.write("a.log", *(f"new {n}" for n in range(60)))

    host.restart(rotate)
    host.scan()

    assert sorted(host.lines) == sorted([f"line {n}" for n in range(30)] + ["unread"] + [f"new {n}" for n in range(60)])
    host.following.close()


def test_a_deleted_and_recreated_file_is_read_from_its_beginning_after_a_restart(host: Host) -> None:
    """Whether the inode number is reused (as ext4 does at once) or not (hazard 1.7)."""
    host.write("a.log", *(f"old {n}" for n in range(100)))
    host.scan()

    def recreate() -> None:
        (host.root / "a.log").unlink()
        host.write("a.log", *(f"new {n}" for n in range(200)))

    host.restart(recreate)
    host.scan()

    assert host.lines[100:] == [f"new {n}" for n in range(200)]
    host.following.close()


def test_a_restart_repeats_nothing(host: Host) -> None:
    """A checkpoint is honoured to the byte."""
    host.write("a.log", "1")
    host.scan()
    host.restart(lambda: host.write("a.log", "2"))
    host.scan()
    host.restart()
    host.scan()

    assert host.lines == ["1", "2"]
    host.following.close()


@pytest.mark.parametrize("start_at", ["end", "beginning"])
def test_start_at_is_for_the_files_of_the_very_first_scan(tmp_path: Path, start_at: str) -> None:
    """Later files, found live or after downtime, are read from 0; known ones go on (hazard 2.7)."""
    host = Host(tmp_path, start_at=start_at)
    host.write("first.log", "before")
    host.scan()
    host.write("later.log", "later")
    host.scan()
    host.restart(lambda: host.write("down.log", "while down"))
    host.scan()
    host.write("first.log", "after")
    host.scan()

    before = ["before"] if start_at == "beginning" else []
    assert host.lines == [*before, "later", "while down", "after"]
    host.following.close()


def test_start_at_applies_to_what_a_new_glob_brings_in(tmp_path: Path) -> None:
    """Adding a glob to a known source does not send its whole history."""
    host = Host(tmp_path, "*.log", start_at="end")
    host.scan()
    host.following.close()
    host.write("x.txt", "history")
    host.source = SourceTable(name="app", paths=(f"{tmp_path}/*.log", f"{tmp_path}/*.txt"), start_at="end")
    host.start()
    host.scan()
    host.write("x.txt", "news")
    host.scan()

    assert host.lines == ["news"]
    host.following.close()


def test_an_empty_file_of_the_first_scan_keeps_its_place_over_a_restart(tmp_path: Path) -> None:
    """What is written while the agent is down is read."""
    host = Host(tmp_path, start_at="end")
    host.write("a.log")
    host.scan()
    host.restart(lambda: host.write("a.log", "while down"))
    host.scan()

    assert host.lines == ["while down"]
    host.following.close()


def test_compressed_files_in_the_glob_are_left_alone(tmp_path: Path) -> None:
    """Told by their first bytes, not by their name, and said why (hazard 1.12)."""
    host = Host(tmp_path, "a.log*")
    (tmp_path / "a.log.2").write_bytes(gzip.compress(b"old line\n"))
    host.write("a.log", "1")
    host.scan()

    assert host.lines == ["1"]
    assert "compressed (gzip)" in host.following.skipped["app"][str(tmp_path / "a.log.2")].reason
    host.following.close()


def test_a_deleted_file_is_read_to_its_end_and_then_released(host: Host) -> None:
    """The disk space comes back soon after the last line was read (hazard 1.9)."""
    host.write("a.log", "1")
    host.scan()
    writer = (host.root / "a.log").open("a")
    (host.root / "a.log").unlink()
    host.scan()
    writer.write("last words\n")
    writer.close()
    host.read()

    assert host.finish() == []
    host.clock += UNLINKED_SILENCE
    assert host.finish() == [str(host.root / "a.log")]
    assert host.lines == ["1", "last words"]
    assert [(position.offset, position.finished) for position in host.stored.values()] == [(13, True)]
    assert host.following.files == {}


def test_a_deleted_file_is_not_held_longer_than_allowed(tmp_path: Path) -> None:
    """When reading is blocked the file is let go at `deleted_hold`, and its unread bytes are counted (hazard 1.9)."""
    host = Host(tmp_path, deleted_hold=60.0)
    host.write("a.log", "1")
    host.scan()
    host.write("a.log", "unread!")
    (tmp_path / "a.log").unlink()
    host.following.scan(host.source, host.clock)
    host.clock += 61

    assert host.finish() == [str(tmp_path / "a.log")]
    assert host.lost == {"deleted": 8}


def test_a_file_renamed_out_of_the_glob_is_read_on_until_it_is_silent(host: Host) -> None:
    """A daemon that has not reopened its log yet still writes to the renamed file (hazard 1.1)."""
    host.write("a.log", "1")
    host.scan()
    (host.root / "a.log").rename(host.root / "a.log.1")
    host.scan()
    host.clock += host.source.deleted_hold - 1
    host.write("a.log.1", "2")
    host.read()
    host.clock += host.source.deleted_hold - 1
    assert host.finish() == []
    host.clock += 1

    assert host.finish() == [str(host.root / "a.log")]
    assert host.lines == ["1", "2"]


def test_two_hard_links_are_one_file(host: Host) -> None:
    """One copy of each line, under either name (hazard 1.11)."""
    host.write("a.log", "1")
    os.link(host.root / "a.log", host.root / "b.log")
    host.scan()
    (host.root / "a.log").unlink()
    host.write("b.log", "2")
    host.scan()

    assert host.lines == ["1", "2"]
    host.following.close()


def test_a_switched_link_is_a_rotation(host: Host) -> None:
    """The old target is read to its end, the new one from its beginning (hazard 1.10)."""
    host.write("v1.txt", "1")
    (host.root / "current.log").symlink_to("v1.txt")
    host.scan()
    host.write("v1.txt", "2")
    host.write("v2.txt", "3")
    (host.root / "new").symlink_to("v2.txt")
    (host.root / "new").rename(host.root / "current.log")
    host.scan()

    assert sorted(host.lines) == ["1", "2", "3"]
    host.following.close()


def test_a_file_of_two_sources_is_read_once_for_both(tmp_path: Path) -> None:
    """One reader, and the rules of both; without the first source it goes on for the second (hazard 1.11)."""
    first = SourceTable(name="first", paths=(f"{tmp_path}/*.log",), start_at="beginning")
    second = SourceTable(name="second", paths=(f"{tmp_path}/a.*",), start_at="beginning", group_id=7)
    (tmp_path / "a.log").write_text("x\n")
    following = Following([first, second], [], {})
    following.scan(first, 0.0)
    following.scan(second, 0.0)
    (followed,) = following.files.values()

    assert [source.name for source in followed.sources] == ["first", "second"]
    assert [origin.group_id for origin in followed.others] == [7]
    assert following.skipped == {"first": {}, "second": {}}

    assert not isinstance(followed.tailer.next_block(NOW, 0.0), Halt)
    (tmp_path / "a.log").rename(tmp_path / "a.txt")
    following.scan(first, 0.0)
    following.scan(second, 0.0)
    assert followed.tailer.origin.source == "second"
    assert followed.tailer.offset == 2
    assert followed.gone_at is None
    following.close()


@pytest.mark.parametrize("program", ["gzip", "bzip2", "xz", "zstd"])
def test_the_rest_of_a_file_that_was_compressed_while_down(host: Host, program: str) -> None:
    """Found by content whatever its name, and read to its end, as are the generations after it (hazards 1.6, 1.12)."""
    suffix = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}[program]
    host.write("a.log", *(f"line {n}" for n in range(100)))
    host.scan()
    host.write("a.log", "unread")

    def rotate() -> None:
        for name, lines in (("somewhere.else", None), (f"a.log.1.{suffix}", ["between"])):
            if lines:
                host.write("a.log", *lines)
            (host.root / name).write_bytes(PACK[program]((host.root / "a.log").read_bytes()))
            (host.root / "a.log").unlink()
            time_passes(host.root / name)
        host.write("a.log", "new")

    host.restart(rotate)
    for _ in range(2):
        host.scan()
    assert sorted(host.lines) == sorted([*(f"line {n}" for n in range(100)), "unread", "between", "new"])
    assert len(host.finish()) == 2
    host.restart()
    host.scan()
    assert len(host.lines) == 103
    host.following.close()


def test_a_copy_is_known_although_lines_were_read_between_copy_and_truncation(tmp_path: Path) -> None:
    """What was read last tells where the copy ends (hazard 1.3 c)."""
    host = Host(tmp_path, "a.log*")
    host.write("a.log", *(f"old {n}" for n in range(50)))
    host.scan()
    shutil.copyfile(tmp_path / "a.log", tmp_path / "a.log.1")
    host.write("a.log", "between")
    host.read()
    os.truncate(tmp_path / "a.log", 0)
    host.write("a.log", "new")
    for _ in range(3):
        host.scan()
        host.clock += COPY_PATIENCE

    assert host.lines == [*(f"old {n}" for n in range(50)), "between", "new"]
    host.following.close()


@pytest.mark.parametrize("count", [40, 80], ids=["short", "longer than a head"])
@pytest.mark.parametrize("glob", ["a.log", "a.log*"])
def test_a_generation_is_no_copy_because_it_ends_in_the_same_words(tmp_path: Path, glob: str, count: int) -> None:
    """Many lines may be the same words; the first ones tell one file from another (hazards 1.2, 1.3 c, 1.8)."""
    host = Host(tmp_path, glob)
    host.write("a.log", "first 1", *["the same words"] * count)
    host.scan()
    host.restart()
    host.scan()
    host.copytruncate("a.log", "a.log.2")
    host.write("a.log", "first 2", *["the same words"] * (count - 5))
    host.copytruncate("a.log", "a.log.1")
    host.write("a.log", "new")
    for _ in range(3):
        host.scan()
        host.clock += COPY_PATIENCE

    assert host.lines == ["first 1", *["the same words"] * count, "new", "first 2", *["the same words"] * (count - 5)]
    host.following.close()


def test_a_generation_that_came_and_went_between_two_looks(host: Host) -> None:
    """Read although no glob ever matched it and no scan ever saw it under the log's name (hazard 1.2)."""
    host.write("a.log", "1")
    host.scan()
    for number in range(3):
        for old in range(3, 0, -1):
            if (host.root / f"a.log.{old}").exists():
                (host.root / f"a.log.{old}").rename(host.root / f"a.log.{old + 1}")
        (host.root / "a.log").rename(host.root / "a.log.1")
        host.write("a.log", f"new {number}")
    host.scan()
    host.scan()

    assert sorted(host.lines) == ["1", "new 0", "new 1", "new 2"]
    host.following.close()


def test_logs_of_their_own_are_not_taken_for_generations(tmp_path: Path) -> None:
    """What no glob names is not read because its name begins like a log's, though it is written later (hazard 1.2)."""
    host = Host(tmp_path, "app.log")
    others = ["app.log.debug", "app.log.json", "app-error.log", "app.log-slow.txt"]
    for number in range(4):
        host.write("app.log", str(number))
        for other in others:
            host.write(other, "not ours")
        host.scan()
        (tmp_path / "app.log").rename(tmp_path / f"app.log.{number}")
        host.clock += 1.0
        host.scan()

    assert host.lines == ["0", "1", "2", "3"]
    host.following.close()


def test_old_generations_are_nobodys_business(host: Host) -> None:
    """What was rotated before the log was known is history, also when it is compressed later (hazard 2.7)."""
    host.write("a.log.1", "history")
    time_passes(host.root / "a.log.1", -3600)
    host.write("a.log", "1")
    host.scan()
    history = host.root / "a.log.1"
    status = history.stat()
    (host.root / "a.log.2.gz").write_bytes(gzip.compress(history.read_bytes()))
    os.utime(host.root / "a.log.2.gz", ns=(status.st_atime_ns, status.st_mtime_ns))
    history.unlink()
    (host.root / "a.log").rename(history)
    host.write("a.log", "2")
    host.scan()
    host.scan()

    assert sorted(host.lines) == ["1", "2"]
    host.following.close()


@pytest.mark.parametrize("size", [10, 2000])
def test_a_file_that_an_editor_saved_anew(host: Host, size: int) -> None:
    """A long one is read on; a short one, which may be a banner, from 0: rather twice than not at all (hazard 1.5)."""
    text = "x" * size
    host.write("a.log", text)
    host.scan()
    (host.root / "new").write_text(f"{text}\nadded\n")
    (host.root / "new").rename(host.root / "a.log")
    host.clock += COPY_PATIENCE
    for _ in range(3):
        host.scan()
        host.clock += COPY_PATIENCE

    assert host.lines == [text, *([text] if size == 10 else []), "added"]
    host.following.close()


def test_few_descriptors_serve_many_files(tmp_path: Path) -> None:
    """Idle files are closed and remembered; each change is read, whoever has a descriptor at the time (hazard 6.1)."""
    host = Host(tmp_path, max_open=8)
    for turn in range(3):
        for number in range(50):
            host.write(f"{number}.log", f"{turn} {number}")
        for _ in range(12):
            host.scan()
            assert len(host.following.files) <= 8
    assert sorted(host.lines) == sorted(f"{turn} {number}" for turn in range(3) for number in range(50))
    host.restart()
    host.scan()
    assert len(host.lines) == 150
    host.following.close()


def test_files_of_a_first_scan_that_wait_for_a_descriptor_were_there_before(tmp_path: Path) -> None:
    """`start_at = "end"` holds for all of them, and the scan counts as complete only then (hazards 2.7, 6.1)."""
    for number in range(20):
        (tmp_path / f"{number}.log").write_text("history\n")
    host = Host(tmp_path, start_at="end", max_open=4)
    host.scan()
    assert host.scanned == {}
    for _ in range(10):
        host.scan()
    assert list(host.scanned) == ["app"]
    host.write("19.log", "news")
    host.scan()
    host.scan()

    assert host.lines == ["news"]
    host.following.close()


def test_other_sources_after_a_reload_keep_the_positions(tmp_path: Path) -> None:
    """A source that is renamed, or given other settings, goes on where the files were left (hazard 5.8)."""
    host = Host(tmp_path)
    host.write("a.log", "1")
    host.scan()
    host.source = SourceTable(name="renamed", paths=(f"{tmp_path}/*.log",), start_at="beginning")
    host.following.reconfigure([host.source])
    host.write("a.log", "2")
    host.scan()

    assert host.lines == ["1", "2"]
    host.following.close()


def scan_as_nobody(host: Host) -> None:
    """Scan with the rights of an ordinary user: root may read everything."""
    with as_nobody() if os.geteuid() == 0 else nullcontext():
        host.scan()


def test_permission_that_is_missing_for_a_while(open_path: Path) -> None:
    """An open file is read on, a closed one keeps its position until it may be opened again, and says why (2.4)."""
    host = Host(open_path)
    log = open_path / "a.log"
    host.write("a.log", "1")
    log.chmod(0o644)
    scan_as_nobody(host)
    with log.open("a", buffering=1) as writer:
        log.chmod(0)
        writer.write("2\n")
        scan_as_nobody(host)
        assert host.lines == ["1", "2"]
        assert host.following.unreadable == {}
        host.restart()
        writer.write("3\n")
        for _ in range(3):
            scan_as_nobody(host)
    assert host.lines == ["1", "2"]
    assert "the file (mode 0000" in host.following.skipped["app"][str(log)].reason
    (told,) = conditions(host.following, host.clock)
    assert (told.state, told.offset) == (FileState.SKIPPED, 4)
    assert "the file (mode 0000" in told.reason
    log.chmod(0o644)
    scan_as_nobody(host)
    assert host.following.unreadable == {}
    host.following.close()

    assert host.lines == ["1", "2", "3"]


def test_what_may_not_be_read_is_known_of_each_source(open_path: Path) -> None:
    """The first path and how many more; other reasons to leave a file out are none of it, nor do they make good for it.

    A directory that may not be listed any more leaves open files being read: then not all of the source is shut.
    """
    host = Host(open_path, "*")
    (open_path / "0.gz").write_bytes(gzip.compress(b"old\n"))
    (open_path / "1.log").symlink_to(open_path / "nowhere")
    host.write("2.log", "2")
    host.write("3.log", "3")
    for name, mode in (("0.gz", 0o644), ("2.log", 0), ("3.log", 0)):
        (open_path / name).chmod(mode)
    scan_as_nobody(host)
    before = host.following.unreadable
    told = before["app"]
    assert (told.source, told.path, told.more, told.is_all) == ("app", str(open_path / "2.log"), 1, True)
    assert "setfacl" in told.reason

    (open_path / "2.log").chmod(0o644)
    scan_as_nobody(host)
    told = host.following.unreadable["app"]
    assert (told.path, told.more, told.is_all) == (str(open_path / "3.log"), 0, False)
    assert before["app"].more == 1
    scan_as_nobody(host)
    assert host.following.unreadable["app"] is told
    open_path.chmod(0o700)
    scan_as_nobody(host)
    told = host.following.unreadable["app"]
    assert (told.path, told.more, told.is_all) == (str(open_path), 0, False)
    assert host.lines == ["2"]
    open_path.chmod(0o755)
    host.following.reconfigure([])
    assert host.following.unreadable == {}
    host.following.close()


def cri_part(tag: str, text: str) -> str:
    return f"2026-11-23T10:00:00Z stdout {tag} {text}"


def docker_part(tag: str, text: str) -> str:
    end = "\\n" if tag == "F" else ""
    return f'{{"log":"{text}{end}","stream":"stdout","time":"2026-11-23T10:00:00Z"}}'


@pytest.mark.parametrize(("form", "part"), [("docker", docker_part), ("cri", cri_part)])
def test_parts_of_a_message_on_both_sides_of_a_rotation(
    tmp_path: Path, form: str, part: Callable[[str, str], str]
) -> None:
    """Whether they are joined or not, no part is lost, repeated or out of order (hazards 4.2, 4.3)."""
    host = Host(tmp_path, format=form)
    host.write("a.log", part("P", "first "))
    host.scan()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    host.write("a.log", part("F", "last"))
    for _ in range(3):
        host.scan()
        host.clock += host.source.partial_timeout
    host.following.close()

    assert "".join(sorted(host.lines)) == "first last"


def told(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Count what was told by code, with what is for those who want to hear all left out."""
    codes = [getattr(record, "code", "") for record in caplog.records if record.levelname != "DEBUG"]
    return {code: codes.count(code) for code in set(codes)}


def test_of_many_files_at_once_a_few_are_told_and_how_many_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When they are found, when they are taken up again, and when they are not read."""
    caplog.set_level("DEBUG", "shipper")
    many = telemetry.FEW + 30
    for n in range(many):
        (tmp_path / f"{n}.log").write_text(f"{n}\n")
        (tmp_path / f"{n}.pipe.log").symlink_to("/dev/null")
    host = Host(tmp_path)
    host.scan()
    assert told(caplog) == {
        "file_found": telemetry.FEW,
        "more_files": 1,
        "file_skipped": telemetry.FEW,
        "more_files_skipped": 1,
    }
    assert "Reading 30 more files of source 'app'" in caplog.text
    caplog.clear()
    host.scan()
    (tmp_path / "late.log").write_text("late\n")
    host.scan()
    assert told(caplog) == {"file_found": 1}
    caplog.clear()
    host.restart()
    host.scan()
    assert told(caplog)["file_resumed"] == telemetry.FEW
    assert sum(getattr(record, "code", "") == "file_resumed" for record in caplog.records) == many + 1
    assert sorted(host.lines, key=str) == sorted([*map(str, range(many)), "late"])
