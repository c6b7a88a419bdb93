"""Content that can only be read forwards: stdin, or a pipe such as `<(journalctl)`; plain or gzip."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from typing import TYPE_CHECKING

from shipper.events import FileIdentity
from shipper.tailing.files import MAGIC_BYTES, compression_of
from shipper.tailing.framing import FIRST_LINE_BYTES

if TYPE_CHECKING:
    from typing import BinaryIO

_CHUNK = 256 * 1024
_KEPT_BEHIND = 64 * 1024


class StreamedLog:
    """What a stream gives, by position, as far as `read_more` was called; bounded by what nobody took yet.

    Attributes:
        identity: that of no file.
        ended: whether all was read.
        fault: what ended it too early; None for nothing.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read from a binary stream; it stays the caller's to close.

        Raises:
            ValueError: it is compressed with something that this version does not read; the message names it.
        """
        self.identity = FileIdentity(0, 0)
        self.ended = False
        self.fault: str | None = None
        buffered = io.BufferedReader(_Pieces(stream), _CHUNK)
        kind = compression_of(buffered.peek(MAGIC_BYTES))
        if kind not in {None, "gzip"}:
            raise ValueError(f"{kind} is not read by this version yet; decompress it first")
        self._stream = gzip.GzipFile(fileobj=buffered, mode="rb") if kind else buffered
        self._head = b""
        self._buffer = bytearray()
        self._start = 0
        self._asked = 0

    def read_more(self) -> None:
        """Wait until something comes and take it; sets `ended` when nothing more will come."""
        try:
            chunk = self._stream.read1(_CHUNK)
        except (OSError, EOFError, zlib.error) as error:
            self.fault = str(error)
            chunk = b""
        self.ended = not chunk
        self._head += chunk[: FIRST_LINE_BYTES - len(self._head)]
        spare = self._asked - _KEPT_BEHIND - self._start
        if spare > _CHUNK:
            del self._buffer[:spare]
            self._start += spare
        self._buffer += chunk

    def read_at(self, offset: int, length: int) -> bytes:
        """Give up to `length` bytes of what was read: of its head, or not far behind what was asked for before."""
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        self._asked = max(self._asked, offset)
        at = offset - self._start
        return bytes(self._buffer[at : at + length])

    def reaches(self, offset: int) -> bool:
        """Tell whether at least so many bytes were read."""
        return self._start + len(self._buffer) >= offset


class _Pieces(io.RawIOBase):
    """Reads another stream as its bytes come, and leaves it open."""

    def __init__(self, stream: BinaryIO) -> None:
        # a buffered reader's `read` waits until it has all, its `read1` does not; a raw one has `read` alone
        self._read = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]
        data: bytes = self._read(len(target))
        target[: len(data)] = data
        return len(data)


def is_stream(path: str) -> bool:
    """Tell whether a path is a pipe or a terminal, which gives its bytes only as they come."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
