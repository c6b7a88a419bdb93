"""Plain and compressed files, read by position."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.backfill.archives import PlainLog, open_archive
from shipper.events import Block, Origin
from shipper.tailing.archives import CompressedLog
from shipper.tailing.tailer import Tailer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def read_all(path: Path) -> tuple[bytes, str | None]:
    file = open_archive(str(path))
    tailer = Tailer(file, str(path), Origin(), max_line_bytes=65536, partial_timeout=5.0)
    data = b""
    while isinstance(block := tailer.next_block(NOW, 0.0, flush=True), Block):
        data += block.data
    fault = file.fault
    file.close()
    return data, fault


CONTENT = b"".join(b"line %d of a log that is longer than one block\n" % n for n in range(40_000)) + b"unfinished"


@pytest.mark.parametrize("kind", ["plain", "gzip", "two members", "gzip named .log"])
def test_content_is_the_same_however_it_is_kept(tmp_path: Path, kind: str) -> None:
    """By the first bytes, not by the name; members follow each other; the last line needs no newline."""
    path = tmp_path / ("a.log" if kind in {"plain", "gzip named .log"} else "a.log.1.gz")
    middle = len(CONTENT) // 2
    path.write_bytes(
        {
            "plain": CONTENT,
            "two members": gzip.compress(CONTENT[:middle]) + gzip.compress(CONTENT[middle:]),
        }.get(kind, gzip.compress(CONTENT))
    )

    assert read_all(path) == (CONTENT, None)


@pytest.mark.parametrize("damage", ["truncated", "corrupt"])
def test_a_damaged_archive_is_read_up_to_the_fault(tmp_path: Path, damage: str) -> None:
    """What is before the fault is kept, and the fault is told (a decoder may notice damage some bytes late)."""
    path = tmp_path / "a.gz"
    whole = gzip.compress(CONTENT)
    path.write_bytes(whole[:-2000] if damage == "truncated" else whole[:-2000] + b"\0" * 2000)
    data, fault = read_all(path)

    assert fault
    assert data[: len(CONTENT) // 2] == CONTENT[: len(CONTENT) // 2]


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_every_kind_of_compression_is_read(tmp_path: Path, kind: str) -> None:
    """One stream or several, with bytes missing at the end, and empty (hazard 1.12)."""
    pack, path = COMPRESS[kind], tmp_path / "a.log.1"
    middle = len(CONTENT) // 3
    path.write_bytes(pack(CONTENT))
    assert read_all(path) == (CONTENT, None)
    path.write_bytes(pack(CONTENT[:middle]) + pack(CONTENT[middle:]))
    assert read_all(path) == (CONTENT, None)
    path.write_bytes(pack(b""))
    assert read_all(path) == (b"", None)
    path.write_bytes(pack(CONTENT)[:-9])
    data, fault = read_all(path)
    assert fault
    assert CONTENT.startswith(data)


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_fills_no_memory(tmp_path: Path, kind: str) -> None:
    """A small file of very many zeros is read in small pieces (hazards 1.12, 10.3)."""
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](bytes(50_000_000)))
    file = open_archive(str(path))
    assert isinstance(file, CompressedLog)
    tracemalloc.start()
    assert file.reaches(50_000_000)
    assert not file.reaches(50_000_001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file.close()

    assert peak < 40_000_000


def test_a_search_goes_on_in_steps(tmp_path: Path) -> None:
    """Decompressing towards an offset takes at most about the budget each time: others are read between."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    file = open_archive(str(path))
    assert isinstance(file, CompressedLog)
    steps = 0
    while not file.advance(9_000_000, 1_000_000):
        steps += 1
    file.close()

    assert 5 <= steps <= 9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, 400_000)), max_size=6))
def test_any_reads_by_position_agree(tmp_path_factory: pytest.TempPathFactory, reads: list[tuple[int, int]]) -> None:
    """Forwards and backwards, a compressed file answers as the plain one."""
    directory = tmp_path_factory.mktemp("t")
    (directory / "a").write_bytes(CONTENT)
    (directory / "a.gz").write_bytes(gzip.compress(CONTENT, 1))
    plain, packed = open_archive(str(directory / "a")), open_archive(str(directory / "a.gz"))
    assert isinstance(plain, PlainLog)
    assert isinstance(packed, CompressedLog)
    for offset, length in reads:
        assert plain.read_at(offset, length) == packed.read_at(offset, length)
        assert plain.reaches(offset) == packed.reaches(offset)
    plain.close()
    packed.close()


def test_a_checkpoint_of_a_plain_file_holds_in_its_compressed_copy(tmp_path: Path) -> None:
    """Offsets are those of the content (hazard 1.12)."""
    (tmp_path / "a").write_bytes(CONTENT)
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT))
    plain, packed = open_archive(str(tmp_path / "a")), open_archive(str(tmp_path / "a.gz"))
    first = Tailer(plain, "a", Origin(), max_line_bytes=65536, partial_timeout=5.0)
    block = first.next_block(NOW, 0.0)
    assert isinstance(block, Block)
    second = Tailer(packed, "a.gz", Origin(), max_line_bytes=65536, partial_timeout=5.0)

    assert second.resume(first.checkpoint())
    rest = second.next_block(NOW, 0.0)
    assert isinstance(rest, Block)
    assert rest.offset == len(block.data)
    plain.close()
    packed.close()
