"""A backfill leaves the page cache as it found it."""

from __future__ import annotations

import ctypes
import gzip
import mmap
import os
import random
from pathlib import Path

import pytest

from shipper.backfill.passing import STRETCH_BYTES, PassingFiles
from shipper.tailing.archives import open_content

SIZE = 12 * STRETCH_BYTES
FEW = SIZE // mmap.PAGESIZE // 20
"""What the kernel is still reading cannot be let go."""


def cached(path: Path) -> int:
    """Count a file's pages in the page cache, as `mincore` tells its owner."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = path.stat().st_size
    pages = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
    # of the access modes this is the one whose memory ctypes may point at; nothing is written
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        told = libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), pages)
        del start
    assert told == 0, os.strerror(ctypes.get_errno())
    return sum(page & 1 for page in pages)


def uncached(path: Path) -> None:
    """Write a file's pages to the disk, and take them out of the cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    if cached(path):
        pytest.skip("what is on this file system stays in memory")


def read_whole(path: Path) -> bytes:
    file = open_content(PassingFiles(), str(path))
    found = bytearray()
    while piece := file.read_at(len(found), 256 * 1024):
        found += piece
    file.close()
    return bytes(found)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_what_it_brought_into_the_cache_is_let_go(tmp_path: Path, compressed: bool) -> None:
    """A file that lay on the disk alone lies there alone again."""
    content = random.Random(1).randbytes(SIZE)
    path = tmp_path / "old.log"
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    uncached(path)

    assert read_whole(path) == content
    assert cached(path) <= FEW


def test_what_was_in_the_cache_stays_there(tmp_path: Path) -> None:
    """A file that somebody works with is in memory still."""
    path = tmp_path / "hot.log"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    uncached(path)
    path.read_bytes()
    before = cached(path)

    read_whole(path)

    assert before == SIZE // mmap.PAGESIZE
    assert cached(path) == before
