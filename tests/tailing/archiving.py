"""Makes compressed files of every kind, as their usual programs do."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _checked_zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": _checked_zstd,
}
KINDS = sorted(PACK)
SUFFIX = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\0\0\0index"


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


_COMPRESSORS: dict[str, Callable[[], _Compressor]] = {
    "gzip": lambda: zlib.compressobj(9, wbits=31),
    "bzip2": bz2.BZ2Compressor,
    "xz": lambda: lzma.LZMACompressor(preset=0),
    "zstd": zstd.ZstdCompressor,
}


def packed_zeros(kind: str, megabytes: int) -> bytes:
    """Compress a long run of zeros without ever holding it."""
    compressor = _COMPRESSORS[kind]()
    zeros = bytes(1024 * 1024)
    return b"".join(compressor.compress(zeros) for _ in range(megabytes)) + compressor.flush()


def wide_window(data: bytes) -> bytes:
    """A zstd frame that asks its reader to remember 1 GiB."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 30, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK) + compressor.flush()
