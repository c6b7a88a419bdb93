"""One file, read from its checkpoint on."""

from __future__ import annotations

import itertools
import os
import re
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.events import Block, LineState, Origin
from shipper.tailing.files import LogFile
from shipper.tailing.tailer import READ_BYTES, Halt, Tailer

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LIMIT = 1024


class Reader:
    """A tailer on a file, with a clock that stands until told."""

    def __init__(self, path: Path) -> None:
        self.file = LogFile.open(str(path))
        self.tailer = Tailer(self.file, str(path), Origin("app"), max_line_bytes=LIMIT, partial_timeout=5.0)
        self.clock = 100.0

    def read(self) -> list[tuple[int, bytes]]:
        """Give all blocks that are there, as (offset, data)."""
        blocks = []
        while isinstance(found := self.tailer.next_block(NOW, self.clock), Block):
            blocks.append((found.offset, found.data))
        self.halt = found
        return blocks

    def halted(self) -> Halt:
        """Tell why `read` ended."""
        return self.halt

    def text(self) -> bytes:
        return b"".join(data for _, data in self.read())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_whole_lines_are_taken_and_the_rest_waits(log: Path) -> None:
    """An unfinished line stays in the file until its newline comes (hazard 3.1)."""
    reader = Reader(log)
    append(log, b"one\ntwo\nthr")

    assert reader.read() == [(0, b"one\ntwo\n")]
    assert reader.halted() is Halt.UNFINISHED
    append(log, b"ee\n")
    assert reader.read() == [(8, b"three\n")]
    assert reader.halted() is Halt.AT_END
    reader.file.close()


def test_an_unfinished_line_is_taken_after_silence(log: Path) -> None:
    """The last words of a crashed program are seen; growth starts the time-out anew, the late newline is no record."""
    reader = Reader(log)
    append(log, b"panic: a")
    assert reader.read() == []
    reader.clock += 4
    append(log, b"b")
    assert reader.read() == []
    reader.clock += 4
    assert reader.read() == []
    reader.clock += 1.5
    assert reader.read() == [(0, b"panic: ab")]
    append(log, b"\r\nnext\n")

    assert reader.read() == [(11, b"next\n")]
    reader.file.close()


LINE = "2026-11-23 错误: disk “sda” is full ✓".encode()


@pytest.mark.parametrize("when", ["before the time-out", "after it", "a restart between", "after it, and a restart"])
def test_a_line_in_two_pieces(log: Path, when: str) -> None:
    """Cut at any byte: one record when the rest comes in time, two when it does not; no byte twice or lost (3.1)."""
    for split in range(1, len(LINE) + 1):
        log.write_bytes(b"")
        reader = Reader(log)
        append(log, LINE[:split])
        blocks = reader.read()
        if when.startswith("after"):
            reader.clock += 6
            blocks += reader.read()
        if when.endswith("restart") or when.startswith("a restart"):
            checkpoint = reader.tailer.checkpoint()
            reader.file.close()
            reader = Reader(log)
            assert reader.tailer.resume(checkpoint)
        append(log, LINE[split:] + b"\n")
        blocks += reader.read()
        reader.file.close()

        if not when.startswith("after"):
            assert blocks == [(0, LINE + b"\n")]
        elif split < len(LINE):
            assert blocks == [(0, LINE[:split]), (split, LINE[split:] + b"\n")]
        else:
            # a newline that comes late ends a line and is none
            assert blocks == [(0, LINE)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("length", [LIMIT - 2, LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 2])
def test_lines_about_the_limit(log: Path, length: int, end: bytes) -> None:
    """A line of just the limit is whole; of a longer one the limit is kept and the rest counted (hazard 3.2)."""
    reader = Reader(log)
    append(log, b"x" * length)
    text = reader.text()
    append(log, end + b"next\n")
    text += reader.text()
    lost = {loss.reason: loss.amount for loss in reader.tailer.take_losses()}
    reader.file.close()
    # its CR is one of a line's bytes
    over = max(0, length + len(end) - 1 - LIMIT)

    assert text == (b"x" * length + end)[: LIMIT if over else None] + b"next\n"
    assert lost == ({"line_too_long": over} if over else {})


def test_a_line_of_a_gigabyte(log: Path) -> None:
    """It costs its head: a few reads' memory, also over a restart in the middle of it (hazard 3.2)."""
    size = 2**30
    with log.open("r+b") as file:
        file.write(b"x" * READ_BYTES * 4)
        file.truncate(size - 1)
        file.seek(size - 1)
        file.write(b"y")
    reader = Reader(log)
    bytes_read = 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal bytes_read
        bytes_read += length
        return LogFile.read_at(reader.file, offset, length)

    tracemalloc.start()
    try:
        reader.file.read_at = read_at  # type: ignore[method-assign]
        block = reader.tailer.next_block(NOW, 0.0)
        assert isinstance(block, Block)
        assert block.data == b"x" * LIMIT
        for _ in range(2):
            assert reader.tailer.next_block(NOW, 0.0, most_skipped=READ_BYTES) is Halt.SKIPPED
        checkpoint = reader.tailer.checkpoint()
        lost = reader.tailer.take_losses()
        reader.file.close()
        reader = Reader(log)
        assert reader.tailer.resume(checkpoint)
        assert LIMIT < reader.tailer.offset < 4 * READ_BYTES
        reader.file.read_at = read_at  # type: ignore[method-assign]
        assert reader.read() == []
        append(log, b"z\nnext\n")
        assert reader.text() == b"next\n"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    lost += reader.tailer.take_losses()
    reader.file.close()

    assert sum(loss.amount for loss in lost if loss.reason == "line_too_long") == size + 1 - LIMIT
    assert peak < 16 * READ_BYTES
    assert bytes_read < 20 * READ_BYTES


@pytest.mark.parametrize("length", [1, 100, LIMIT, 5 * READ_BYTES, 5 * 2**30])
@pytest.mark.parametrize("restart", [False, True])
def test_text_is_written_over_the_nuls_at_the_end(log: Path, length: int, restart: bool) -> None:
    """NULs up to the end are nothing yet, however long they stay: what is written there is read once (hazard 3.6)."""
    reader = Reader(log)
    append(log, b"first\n")
    blocks = reader.read()
    os.truncate(log, 6 + length)
    for _ in range(3):
        assert reader.read() == []
        assert reader.halted() is Halt.AT_END
        assert reader.tailer.padding == length
        reader.clock += 1000
    if restart:
        checkpoint = reader.tailer.checkpoint()
        reader.file.close()
        reader = Reader(log)
        assert reader.tailer.resume(checkpoint)
    with log.open("r+b") as file:
        file.seek(6)
        file.write(b"\n" if length == 1 else b"second, as long as you like"[: length - 1] + b"\n")
    blocks += reader.read()
    assert reader.tailer.take_losses() == []
    # and what stays NUL when something follows it is none of its line
    append(log, b"last\n")
    text = b"".join(data for _, data in blocks) + reader.text()
    lost = [(loss.reason, loss.amount) for loss in reader.tailer.take_losses()]
    written = min(length, 28)
    reader.file.close()

    assert text == b"first\n" + b"second, as long as you like"[: written - 1] + b"\nlast\n"
    assert lost == ([("nul", length - written)] if length > written else [])


def test_the_nuls_at_the_end_of_a_finished_file_are_passed(log: Path) -> None:
    """Nobody will write over them: they are counted, and are no record (hazards 1.4, 3.6)."""
    append(log, b"only\n" + bytes(300))
    reader = Reader(log)
    block = reader.tailer.next_block(NOW, 0.0)
    assert isinstance(block, Block)
    assert block.data == b"only\n"
    assert reader.tailer.next_block(NOW, 0.0, flush=True) is Halt.AT_END
    assert [(loss.reason, loss.amount) for loss in reader.tailer.take_losses()] == [("nul", 300)]
    reader.file.close()


def test_the_head_of_a_line_over_the_limit_is_taken_and_the_rest_counted(log: Path) -> None:
    """A huge line costs its head; the line after it is read, and the bytes skipped are known (hazard 3.2)."""
    reader = Reader(log)
    append(log, b"a\n" + b"x" * 700_000 + b"\nafter\n")
    blocks = reader.read()

    assert [data[:6] for _, data in blocks] == [b"a\n", b"xxxxxx", b"after\n"]
    assert len(blocks[1][1]) == LIMIT
    assert [loss.amount for loss in reader.tailer.take_losses()] == [700_000 - LIMIT]
    reader.file.close()


def test_skipping_survives_a_restart(log: Path) -> None:
    """A restart in the middle of a line over the limit does not take its rest for a line (hazard 3.2)."""
    reader = Reader(log)
    append(log, b"y" * 5000)
    reader.read()
    checkpoint = reader.tailer.checkpoint()
    reader.file.close()
    append(log, b"yyy\nnext\n")
    again = Reader(log)

    assert checkpoint.line is LineState.SKIPPING
    assert again.tailer.resume(checkpoint)
    assert again.text() == b"next\n"
    again.file.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.data())
def test_any_restarts_give_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    """Wherever the writer pauses and the reader restarts, the lines come out once, in order."""
    path = tmp_path_factory.mktemp("t") / "a.log"
    content = b"".join(b"." + line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    path.write_bytes(b"")
    seen = b""
    checkpoint = None
    start = 0
    for cut in [*cuts, len(content)]:
        append(path, content[start:cut])
        start = cut
        reader = Reader(path)
        if checkpoint is not None:
            assert reader.tailer.resume(checkpoint)
        seen += reader.text()
        checkpoint = reader.tailer.checkpoint()
        reader.file.close()

    assert content == seen


NUL_LINES = st.lists(st.text("\0\0ab\r", max_size=6).map(str.encode), max_size=8)


@settings(max_examples=100, deadline=None)
@given(NUL_LINES, st.lists(st.integers(0, 60), max_size=4))
def test_nuls_are_the_same_in_any_pieces(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cuts: list[int]
) -> None:
    """What is a record, where it begins and what is skipped depends on the bytes, not on when they came (1.4, 3.5)."""
    log = tmp_path_factory.mktemp("t") / "a.log"
    content = b"".join(line + b"\n" for line in lines)
    expected, at = [], 0
    for line in lines:
        skipped = len(line) - len(line.lstrip(b"\0"))
        expected.append((at + skipped, line.lstrip(b"\0") + b"\n"))
        at += len(line) + 1
    log.touch()
    reader = Reader(log)
    found = []
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]):
        append(log, content[start:end])
        for offset, data in reader.read():
            found += [(offset + line.start(), line.group()) for line in re.finditer(rb"[^\n]*\n", data)]
    lost = sum(loss.amount for loss in reader.tailer.take_losses() if loss.reason == "nul")
    reader.file.close()

    assert found == expected
    assert lost == sum(len(line) - len(line.lstrip(b"\0")) for line in lines)


@pytest.mark.parametrize("after", [b"", b"short\n", b"other" * 100 + b"\n", b"z" * 90 + b"\nmore than before\n" * 50])
def test_a_rewrite_is_noticed_whatever_its_size(log: Path, after: bytes) -> None:
    """Truncated, shorter, same size or already regrown past the offset: noticed before a byte is misread (1.3, 1.5)."""
    reader = Reader(log)
    append(log, b"a line of the first content\n" * 20)
    reader.text()
    log.write_bytes(after)

    assert reader.tailer.next_block(NOW, 0.0) is Halt.REWRITTEN
    reader.tailer.restart()
    assert reader.text() == after
    reader.file.close()


def test_a_checkpoint_of_other_content_is_refused(log: Path) -> None:
    """An inode that was reused carries no offset over (hazard 1.7)."""
    reader = Reader(log)
    append(log, b"first generation\n" * 3)
    reader.text()
    checkpoint = reader.tailer.checkpoint()
    reader.file.close()
    log.write_bytes(b"second generation, longer than the first was\n" * 3)
    again = Reader(log)

    assert not again.tailer.resume(checkpoint)
    assert again.tailer.offset == 0
    again.file.close()


def test_nul_bytes_of_a_hole_are_skipped_and_counted(log: Path) -> None:
    """A writer without O_APPEND leaves NULs at the head after a truncation: they are no part of a line (hazard 1.4)."""
    with log.open("wb", buffering=0) as writer:
        writer.write(b"0123456789\n")
        reader = Reader(log)
        reader.text()
        writer.truncate(0)
        assert reader.tailer.next_block(NOW, 0.0) is Halt.REWRITTEN
        reader.tailer.restart()
        writer.write(b"B\n")

    assert reader.read() == [(11, b"B\n")]
    assert [(loss.reason, loss.amount) for loss in reader.tailer.take_losses()] == [("nul", 11)]
    reader.file.close()


def test_a_huge_hole_costs_neither_memory_nor_the_first_line(log: Path) -> None:
    """A sparse head of 64 MB is passed in pieces, and the line behind it is whole."""
    with log.open("wb") as writer:
        writer.seek(64 * 1024 * 1024)
        writer.write(b"line\n")
    reader = Reader(log)

    assert reader.text() == b"line\n"
    reader.file.close()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"old\n", 4),
        (b"old\nbeing wri", 4),
        (b"unfinished", 0),
        (b"x" * 3000, 3000),
        (b"x" * 3000 + b"\ny", 3001),
    ],
)
def test_starting_at_the_end_keeps_the_line_being_written(log: Path, content: bytes, expected: int) -> None:
    """`start_at = "end"` begins behind the last finished line."""
    log.write_bytes(content)
    reader = Reader(log)
    reader.tailer.skip_to_end(len(content))

    assert expected == reader.tailer.offset
    reader.file.close()


def test_a_block_carries_the_first_line_of_the_file(log: Path) -> None:
    """Part of `{id}`, also for blocks far behind it."""
    reader = Reader(log)
    append(log, b"header\r\nrow\n")
    reader.text()
    append(log, b"row 2\n")
    found = reader.tailer.next_block(NOW, 0.0)

    assert isinstance(found, Block)
    assert found.head == b"header"
    reader.file.close()
