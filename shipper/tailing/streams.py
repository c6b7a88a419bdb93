"""Content that can only be read forwards: stdin, or a pipe such as `<(journalctl)`; plain or compressed."""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

from shipper.events import FileIdentity
from shipper.tailing.compression import DamagedError, Streams
from shipper.tailing.files import MAGIC_BYTES, UnreadableError, compression_of
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
        position: bytes that were read of the stream, compressed or not.
    """

    def __init__(self, stream: BinaryIO, *, plain: bool = False) -> None:
        """Read from a binary stream; it stays the caller's to close. Waits for its first bytes.

        One that is `plain` is not compressed, whatever it begins with.

        Raises:
            UnreadableError: it is compressed with something that this Python cannot decode.
            OSError: it cannot be read.
        """
        self.identity = FileIdentity(0, 0)
        self.ended = False
        self.fault: str | None = None
        self.position = 0
        self._stream = stream
        # a buffered reader's `read` waits until it has all, its `read1` does not; a raw one has `read` alone
        self._read = getattr(stream, "read1", stream.read)
        self._first = b""
        # a short line that somebody waits for is text
        while len(self._first) < MAGIC_BYTES and b"\n" not in self._first and (more := self._read(_CHUNK)):
            self._first += more
        kind = None if plain else compression_of(self._first)
        try:
            self._streams = None if kind is None else Streams(kind)
        except ImportError:
            raise UnreadableError(f"compressed with {kind}, which this Python was built without") from None
        self._kind = kind
        self._head = b""
        self._buffer = bytearray()
        self._start = 0
        self._asked = 0

    def is_ready(self, seconds: float) -> bool:
        """Wait at most so long; tells whether `read_more` will not wait any longer."""
        if self._first or (self._streams is not None and not self._streams.wants_input):
            return True
        return bool(select.select([self._stream], [], [], seconds)[0])

    def read_more(self) -> None:
        """Wait until something comes and take it; sets `ended` when nothing more will come."""
        try:
            chunk = self._next_piece()
        except (OSError, DamagedError) as error:
            self.fault = str(error)
            chunk, self.ended = b"", True
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

    def _next_piece(self) -> bytes:
        """Give what comes next of the content; of a compressed stream perhaps nothing yet."""
        data = b""
        if self._streams is None or self._streams.wants_input:
            data = self._first or self._read(_CHUNK)
            self._first = b""
            self.position += len(data)
            if not data:
                self.ended = True
                if self._streams is not None and self._streams.inside:
                    self.fault = f"it ends in the middle of its {self._kind} content"
                return b""
        return data if self._streams is None else self._streams.decode(data, _CHUNK)


def is_stream(path: str) -> bool:
    """Tell whether a path is a pipe or a terminal, which gives its bytes only as they come."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
