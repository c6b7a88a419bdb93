"""The content of compressed files read by position: gzip, bzip2, xz, zstd, told by their first bytes (hazard 1.12).

Offsets are those of the uncompressed content, so a checkpoint means the same in `app.log` and `app.log.1.gz`. It can
only be read forwards: going back reads it anew and throws away what comes before. Memory is bounded whatever the ratio.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from shipper.tailing.files import compression_of
from shipper.tailing.framing import FIRST_LINE_BYTES

if TYPE_CHECKING:
    import os

    from shipper.events import FileIdentity
    from shipper.tailing.files import Files, LogFile

_MAGIC_BYTES = 6
_RAW_BYTES = 64 * 1024
_PIECE_BYTES = 256
_CHUNK = 256 * 1024
_KEPT_BEHIND = 64 * 1024
_ZSTD_WINDOW = 128 * 1024 * 1024
_XZ_MEMORY = 256 * 1024 * 1024


class _Stream(Protocol):
    """One compressed stream; several may follow each other in a file."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes) -> bytes: ...


def _stream(kind: str) -> _Stream:
    if kind == "gzip":
        return zlib.decompressobj(31)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _faults(kind: str) -> tuple[type[Exception], ...]:
    if kind != "zstd":
        return zlib.error, OSError, EOFError, lzma.LZMAError, ValueError
    import zstandard

    return (zstandard.ZstdError,)


class CompressedLog:
    """A compressed file of any number of streams, read up to its end or its first fault.

    Attributes:
        identity: of the compressed file.
        fault: why it cannot be read further; None while it can, and at its proper end.
        incomplete: it ends in the middle of a stream: cut, or still being written.
        position: bytes of the compressed file that were taken.
    """

    def __init__(self, raw: LogFile, kind: str) -> None:
        """Read the content of an open file compressed with `kind` (see `compression_of`)."""
        self.identity: FileIdentity = raw.identity
        self.fault: str | None = None
        self.incomplete = False
        self._raw = raw
        self._kind = kind
        self._faults = _faults(kind)
        self._head = b""
        self._rewind()
        self._head = self.read_at(0, FIRST_LINE_BYTES)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes of the content; fewer at its end or at a fault."""
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if offset < self._start:
            self._rewind()
        while self.end < offset + length and not self._ended:
            self._fill(offset)
        at = offset - self._start
        return bytes(self._buffer[at : at + length]) if at >= 0 else b""

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes of content."""
        return offset == 0 or len(self.read_at(offset - 1, 1)) == 1

    def advance(self, offset: int, budget: int) -> bool:
        """Decompress towards an offset, at most about `budget` bytes; True when it is reached, or the end is."""
        stop = self.end + budget
        while self.end < min(offset, stop) and not self._ended:
            self._fill(self.end)
        return self._ended or self.end >= offset

    @property
    def end(self) -> int:
        """How far the content was decompressed."""
        return self._start + len(self._buffer)

    def status(self) -> os.stat_result:
        """Give size, times and link count of the compressed file."""
        return self._raw.status()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _rewind(self) -> None:
        self._stream = _stream(self._kind)
        self._input = b""
        self.position = 0
        self._buffer = bytearray()
        self._start = 0
        self._ended = False

    def _fill(self, wanted: int) -> None:
        """Decompress a chunk; what lies further before `wanted` than anybody asks for again is let go."""
        chunk = 0
        while chunk < _CHUNK and not self._ended:
            try:
                piece = self._piece()
            except self._faults as error:
                self._end(str(error) or "damaged")
                break
            self._buffer += piece
            chunk += len(piece)
        spare = min(wanted - _KEPT_BEHIND, self.end) - self._start
        if spare > _CHUNK:
            del self._buffer[:spare]
            self._start += spare

    def _piece(self) -> bytes:
        """Decompress the next few bytes: so few that no bomb fills the memory."""
        if self._stream.eof:
            # padding between streams is allowed (gzip, xz); anything else behind the last one is ignored, as gzip does
            rest = (self._stream.unused_data + self._input).lstrip(b"\0")
            while not rest and (more := self._more()):
                rest = more.lstrip(b"\0")
            if len(rest) < _MAGIC_BYTES:
                rest += self._more()
            if compression_of(rest) != self._kind:
                self._ended = True
                return b""
            self._stream, self._input = _stream(self._kind), rest
        if not self._input:
            self._input = self._more()
            if not self._input:
                self.incomplete = True
                self._end("it ends in the middle of a compressed stream")
                return b""
        piece, self._input = self._input[:_PIECE_BYTES], self._input[_PIECE_BYTES:]
        return self._stream.decompress(piece)

    def _more(self) -> bytes:
        more = self._raw.read_at(self.position, _RAW_BYTES)
        self.position += len(more)
        return more

    def _end(self, fault: str) -> None:
        self.fault = fault
        self._ended = True


def open_content(files: Files, path: str) -> LogFile | CompressedLog:
    """Open a file's content, whatever it is compressed with.

    Raises:
        UnreadableError: it is missing, not permitted, or no regular file.
        OSError: it cannot be read.
    """
    raw = files.open(path)
    try:
        kind = compression_of(raw.read_at(0, _MAGIC_BYTES))
        return raw if kind is None else CompressedLog(raw, kind)
    except BaseException:
        raw.close()
        raise
