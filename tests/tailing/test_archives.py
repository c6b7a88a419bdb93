"""Compressed files answer as the plain ones they were made of, up to their first fault (hazard 1.12)."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.events import Block, Origin
from shipper.tailing import compression
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError, compression_of
from shipper.tailing.tailer import Tailer
from tests.tailing.archiving import KINDS, PACK, SKIPPABLE, packed_zeros, wide_window

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CONTENT = b"".join(b"line %d of a log that is longer than one block\n" % n for n in range(40_000)) + b"unfinished"
NOISE = random.Random(7).randbytes(150_000).hex().encode() + b"\n"


def opened(path: Path, data: bytes) -> CompressedLog:
    path.write_bytes(data)
    log = open_content(HOST_FILES, str(path))
    assert isinstance(log, CompressedLog)
    return log


def read_all(log: CompressedLog, offset: int = 0, length: int = 100_000) -> bytes:
    pieces = []
    while piece := log.read_at(offset, length):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def cut_short(log: CompressedLog) -> bool:
    return log.incomplete and "ends in the middle" in (log.fault or "")


def streams(kind: str, how: str) -> bytes:
    pack, middle = PACK[kind], len(CONTENT) // 2
    first, second = CONTENT[:middle], CONTENT[middle:]
    return {
        "one stream": pack(CONTENT),
        "two streams": pack(first) + pack(second),
        "with empty streams": pack(b"") + pack(first) + pack(b"") * 3 + pack(second) + pack(b""),
        "a stream for each of many lines": b"".join(
            pack(CONTENT[at : at + 5000]) for at in range(0, len(CONTENT), 5000)
        ),
        "with padding": pack(first) + bytes(512) + pack(second) + bytes(100_000),
    }[how]


@pytest.mark.parametrize(
    "how", ["one stream", "two streams", "with empty streams", "a stream for each of many lines", "with padding"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_content_is_the_same_however_it_is_kept(tmp_path: Path, kind: str, how: str) -> None:
    """Members, frames and padding follow each other; the kind is told by content, not by name (hazard 1.12)."""
    log = opened(tmp_path / "a.log", streams(kind, how))

    assert log.kind == kind
    assert read_all(log) == CONTENT
    assert (log.fault, log.incomplete, log.position) == (None, False, (tmp_path / "a.log").stat().st_size)
    log.close()


def test_frames_of_parallel_zstd_are_read(tmp_path: Path) -> None:
    """Skippable frames, first, between and last, hold no content (hazard 1.12)."""
    half = len(CONTENT) // 2
    pack = PACK["zstd"]
    log = opened(tmp_path / "a", SKIPPABLE + pack(CONTENT[:half]) + SKIPPABLE + pack(CONTENT[half:]) + SKIPPABLE)

    assert read_all(log) == CONTENT
    assert log.fault is None
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_nothing_is_empty(tmp_path: Path, kind: str) -> None:
    """An empty log may be rotated and compressed, too: no content, and no fault."""
    log = opened(tmp_path / "a", PACK[kind](b""))

    assert log.read_at(0, 10) == b""
    assert log.reaches(0)
    assert not log.reaches(1)
    assert (log.fault, log.incomplete) == (None, False)
    log.close()


def test_a_plain_file_stays_plain(tmp_path: Path) -> None:
    """Text is no archive, also when it is empty or begins like one (hazard 1.12)."""
    for number, text in enumerate([b"", b"plain\n", b"BZh is a line of text\n"]):
        path = tmp_path / str(number)
        path.write_bytes(text)
        file = open_content(HOST_FILES, str(path))
        assert isinstance(file, LogFile)
        assert file.read_at(0, 100) == text
        file.close()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A FIFO does not block, and a missing file is a reason for people (hazard 2.6)."""
    os.mkfifo(tmp_path / "x.gz")
    for name in ("x.gz", "missing.gz"):
        with pytest.raises(UnreadableError):
            open_content(HOST_FILES, str(tmp_path / name))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_archive_gives_the_beginning_and_grows_on(tmp_path: Path, kind: str) -> None:
    """Wherever a compressor stands, what is there is read, and read on when it has written more (hazard 1.12)."""
    whole = PACK[kind](NOISE)
    assert read_all(opened(tmp_path / "whole", whole)) == NOISE
    for cut in [*range(6, 40), *range(1000, len(whole) - 40, len(whole) // 12), *range(len(whole) - 40, len(whole))]:
        path = tmp_path / "cut"
        log = opened(path, whole[:cut])
        beginning = read_all(log)
        assert NOISE.startswith(beginning)
        assert cut_short(log)
        with path.open("ab") as file:
            file.write(whole[cut:])
        assert read_all(log, len(beginning)) == NOISE[len(beginning) :]
        assert not cut_short(log)
        assert log.fault is None
        log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_so_far_is_given(tmp_path: Path, kind: str) -> None:
    """A cut loses no more than the compressor's last block."""
    content = random.Random(8).randbytes(1_000_000).hex().encode()
    whole = PACK[kind](content)
    log = opened(tmp_path / "a", whole[: len(whole) // 2])
    beginning = read_all(log)

    assert content.startswith(beginning)
    assert len(beginning) > len(content) * 2 // 5
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_all_content_is_given_when_only_the_end_is_corrupt(tmp_path: Path, kind: str) -> None:
    """A checksum that does not match is told, and costs no line (hazard 1.12: corrupt last byte)."""
    whole = PACK[kind](CONTENT)
    log = opened(tmp_path / "a", whole[:-1] + bytes([whole[-1] ^ 0xFF]))
    data = read_all(log)

    assert data == CONTENT
    assert log.fault
    assert not log.incomplete
    assert log.read_at(100, 50) == CONTENT[100:150]
    assert log.fault
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_the_middle_is_where_reading_ends(tmp_path: Path, kind: str) -> None:
    """The streams before the damage are given whole, and nothing behind it."""
    second = bytearray(PACK[kind](NOISE))
    second[2000:2064] = bytes(64)
    log = opened(tmp_path / "a", PACK[kind](CONTENT) + bytes(second) + PACK[kind](CONTENT))
    data = read_all(log)

    assert data.startswith(CONTENT)
    assert len(data) <= len(CONTENT) + len(NOISE)
    assert log.fault
    assert not log.incomplete
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_last_stream_is_told(tmp_path: Path, kind: str) -> None:
    """Bytes that are neither padding nor a stream cost no content, but are not passed over in silence."""
    log = opened(tmp_path / "a", PACK[kind](CONTENT) + b"this is not compressed, and long enough to be sure of it\n")

    assert read_all(log) == CONTENT
    assert log.fault
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_costs_no_memory(tmp_path: Path, kind: str) -> None:
    """200 MB of zeros in a small file pass through a few MB; none of them is kept (hazards 1.12, 10.3)."""
    data = packed_zeros(kind, 200)
    assert len(data) < 300_000
    log = opened(tmp_path / "bomb", data)
    tracemalloc.start()
    try:
        total = 200 * 1024 * 1024
        assert log.read_at(total - 100, 200) == bytes(100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    log.close()

    assert peak < 16 * 1024 * 1024


MEASURE = """
import resource, sys
from shipper.tailing.archives import open_content
from shipper.tailing.files import HOST_FILES
log = open_content(HOST_FILES, sys.argv[1])
log.read_at(0, 1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert log.read_at(200 * 1024 * 1024 - 100, 200) == bytes(100)
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(used if sys.platform == "linux" else used // 1024)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_costs_the_process_no_memory(tmp_path: Path, kind: str) -> None:
    """What the libraries take for themselves is bounded, too (hazard 10.3)."""
    (tmp_path / "bomb").write_bytes(packed_zeros(kind, 200))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "bomb")], capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    assert int(done.stdout) < 32 * 1024


def test_a_window_over_the_limit_is_refused(tmp_path: Path) -> None:
    """A zstd frame that asks for a gigabyte of memory gets a fault (hazard 10.3)."""
    log = opened(tmp_path / "a", PACK["zstd"](b"before\n") + wide_window(NOISE))

    assert read_all(log) == b"before\n"
    assert log.fault
    assert not log.incomplete
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_without_content_end_the_reading(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding without end, as in a sparse file, holds the agent up for a bounded time only (hazard 10.3)."""
    monkeypatch.setattr(compression, "_BARREN_BYTES", 1024 * 1024)
    path = tmp_path / "a"
    path.write_bytes(PACK[kind](b"content\n"))
    os.truncate(path, 2**40)
    log = open_content(HOST_FILES, str(path))
    assert isinstance(log, CompressedLog)

    assert log.read_at(0, 100) == b"content\n"
    assert log.fault == "there is no content in 1 MiB of it"
    log.close()


def test_a_kind_without_library_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that was built without a library says so instead of failing."""
    (tmp_path / "a").write_bytes(PACK["xz"](CONTENT))
    monkeypatch.setitem(sys.modules, "lzma", None)
    compression._codec.cache_clear()

    with pytest.raises(UnreadableError, match="compressed with xz, which this Python was built without"):
        open_content(HOST_FILES, str(tmp_path / "a"))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from([[len(CONTENT)], [1], [0, 700_000], [65536, 65537, 300_000]]),
    st.lists(st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, 400_000)), max_size=6),
)
def test_any_reads_by_position_are_slices(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cuts: list[int], reads: list[tuple[int, int]]
) -> None:
    """Forwards and backwards, within and over the ends of streams, a compressed file answers as the plain one."""
    edges = [0, *cuts, len(CONTENT)]
    data = b"".join(PACK[kind](CONTENT[start:end]) for start, end in itertools.pairwise(edges))
    log = opened(tmp_path_factory.mktemp("t") / "a", data)
    for offset, length in reads:
        assert log.read_at(offset, length) == CONTENT[offset : offset + length]
        assert log.reaches(offset) == (offset <= len(CONTENT))
    log.close()


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=400), st.integers(0, 300))
def test_hostile_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, kind: str, junk: bytes, keep: int) -> None:
    """Whatever follows a true beginning, reading ends, with a fault or without (hazard 10.3)."""
    data = PACK[kind](b"some content\n" * 20)[: max(10, keep)] + junk
    log = opened(tmp_path_factory.mktemp("t") / "a", data)
    first = read_all(log)

    assert len(first) < 10_000_000
    assert read_all(log) == first
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_going_towards_an_offset_costs_no_more_than_its_budget(tmp_path: Path, kind: str) -> None:
    """A large archive is decoded in steps, so that other files are not delayed (I5)."""
    log = opened(tmp_path / "a", packed_zeros(kind, 40))
    steps = 0
    while not log.advance(40 * 1024 * 1024, 1024 * 1024):
        steps += 1

    assert steps >= 30
    assert log.reaches(40 * 1024 * 1024)
    assert log.advance(10**12, 10**12)
    log.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_a_plain_file_holds_in_its_compressed_copy(tmp_path: Path, kind: str) -> None:
    """Offsets are those of the content (hazard 1.12)."""
    (tmp_path / "a").write_bytes(CONTENT)
    plain = LogFile.open(str(tmp_path / "a"))
    first = Tailer(plain, "a", Origin(), max_line_bytes=65536, partial_timeout=5.0)
    block = first.next_block(NOW, 0.0)
    assert isinstance(block, Block)
    packed = opened(tmp_path / "a.1", PACK[kind](CONTENT))
    second = Tailer(packed, "a.1", Origin(), max_line_bytes=65536, partial_timeout=5.0)

    assert second.resume(first.checkpoint())
    data = b""
    while isinstance(found := second.next_block(NOW, 0.0, flush=True), Block):
        data += found.data
    assert block.data + data == CONTENT
    plain.close()
    packed.close()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", None),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh91A", "bzip2"),
        (b"BZh9\x17r", "bzip2"),
        (b"BZh9 is text", None),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x5f\x2a\x4d\x18", "zstd"),
        (b"2026-11-23 text", None),
    ],
)
def test_kinds_are_told_by_the_first_bytes(head: bytes, kind: str | None) -> None:
    """Never by a name (hazard 1.12)."""
    assert compression_of(head) == kind
