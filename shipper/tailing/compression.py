"""Decodes gzip, bzip2, xz and zstd in bounded pieces, one stream after the other (hazards 1.12, 10.3). Pure.

The libraries are imported when a file needs them: an agent that meets no compressed file does not pay for them.
"""

from __future__ import annotations

import functools
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES = 128 * 1024 * 1024
"""The most that a decoder may keep of its past; a stream that asks for more is refused (hazard 10.3)."""
_WINDOW_LOG = 27
_BARREN_BYTES = 64 * 1024 * 1024
_STREAM_COST = 4096
_GZIP_FORMAT = 31


class DamagedError(Exception):
    """The compressed bytes cannot be decoded further; the message says why, for people."""


class Decoder(Protocol):
    """Decodes one stream; the shape that the standard library's decoders share."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was decoded."""

    @property
    def needs_input(self) -> bool:
        """Whether it has nothing left to decode without further bytes."""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the stream's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give at most `max_length` bytes of content."""


class Streams:
    """The content of a file that is one compressed stream, or several in a row: members, frames, zero padding."""

    def __init__(self, kind: str) -> None:
        """Start before the first stream.

        Args:
            kind: `"gzip"`, `"bzip2"`, `"xz"` or `"zstd"`.

        Raises:
            ImportError: this Python was built without the library.
        """
        self._codec = _codec(kind)
        self._decoder: Decoder | None = None
        self._behind = b""
        self._barren = 0

    @property
    def wants_input(self) -> bool:
        """Whether `decode` needs further bytes; else it is to be called with none."""
        return not self._behind and (self._decoder is None or self._decoder.needs_input)

    @property
    def inside(self) -> bool:
        """Whether a stream has begun and not ended: a file that ends here is incomplete."""
        return self._decoder is not None

    def decode(self, data: bytes, limit: int) -> bytes:
        """Give the next piece of content.

        Args:
            data: the next bytes of the file; empty unless `wants_input`.
            limit: the longest piece to give; never is more memory taken for it, whatever the bytes say.

        Returns:
            The piece; often empty before the content's end.

        Raises:
            DamagedError: the bytes are not what they should be, need more than `MEMORY_BYTES`, or are without content
                for so long that reading on would only cost time (hazard 10.3).
        """
        self._barren += len(data)
        data = self._behind or data
        self._behind = b""
        if self._decoder is None:
            data = data.lstrip(b"\0")
            if data:
                self._decoder = self._codec.begin()
                self._barren += _STREAM_COST
        piece = self._advance(data, limit) if self._decoder is not None else b""
        if piece:
            self._barren = 0
        elif self._barren > _BARREN_BYTES:
            raise DamagedError(f"there is no content in {_BARREN_BYTES // 1024 // 1024} MiB of it")
        return piece

    def _advance(self, data: bytes, limit: int) -> bytes:
        decoder = self._decoder
        if decoder is None:
            return b""
        try:
            piece = decoder.decompress(data, limit)
        except self._codec.errors as error:
            raise DamagedError(str(error)) from None
        if decoder.eof:
            self._behind = decoder.unused_data
            self._decoder = None
        return piece


@dataclass(frozen=True, slots=True)
class _Codec:
    """How a kind is decoded: what begins a stream, and what its decoder raises for bytes that are none."""

    begin: Callable[[], Decoder]
    errors: tuple[type[Exception], ...]


class _Inflater:
    """A decoder of one gzip member, in the shape of the others."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._filled = False

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        # a piece of full length may have left content behind without leaving bytes behind
        return not self._filled and not self._member.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._member.decompress(self._member.unconsumed_tail or data, max_length)
        self._filled = len(piece) == max_length
        return piece


@functools.cache
def _codec(kind: str) -> _Codec:
    if kind == "gzip":
        return _Codec(_Inflater, (zlib.error,))
    if kind == "bzip2":
        import bz2

        return _Codec(bz2.BZ2Decompressor, (OSError, ValueError))
    if kind == "xz":
        import lzma

        return _Codec(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY_BYTES), (lzma.LZMAError,))
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    window: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return _Codec(lambda: zstd.ZstdDecompressor(options=window), (zstd.ZstdError,))
