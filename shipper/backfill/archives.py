"""Finished files read by position, plain or gzip, told apart by their first bytes (hazard 1.12).

Offsets are always those of the uncompressed content, so a checkpoint means the same in `app.log` and `app.log.1.gz`.
A compressed file can only be read forwards: going back (a resume) reads it anew and throws away what comes before.
"""

from __future__ import annotations

import gzip
import os
import zlib
from typing import TYPE_CHECKING

from shipper.events import FileIdentity
from shipper.tailing.files import LogFile, compression_of
from shipper.tailing.framing import FIRST_LINE_BYTES

if TYPE_CHECKING:
    from typing import BinaryIO

_MAGIC_BYTES = 6
_CHUNK = 256 * 1024
_KEPT_BEHIND = 64 * 1024


class GzipLog:
    """A gzip file, of any number of members. Reads up to the first fault and keeps what it was in `fault`."""

    def __init__(self, path: str) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._raw: BinaryIO = open(path, "rb")  # noqa: SIM115  closed by close()
        status = os.fstat(self._raw.fileno())
        self.identity = FileIdentity(status.st_dev, status.st_ino)
        self.fault: str | None = None
        self._head = b""
        self._rewind()
        self._head = self.read_at(0, FIRST_LINE_BYTES)

    @property
    def position(self) -> int:
        """Bytes of the compressed file that were taken so far."""
        return min(self._raw.tell(), os.fstat(self._raw.fileno()).st_size)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes of the content; fewer at its end or at a fault."""
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if offset < self._start:
            self._rewind()
        while self._start + len(self._buffer) < offset + length and not self._ended:
            self._fill(offset)
        at = offset - self._start
        return bytes(self._buffer[at : at + length])

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes of content."""
        return offset == 0 or len(self.read_at(offset - 1, 1)) == 1

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()

    def _rewind(self) -> None:
        self._raw.seek(0)
        self._stream = gzip.GzipFile(fileobj=self._raw, mode="rb")
        self._buffer = bytearray()
        self._start = 0
        self._ended = False

    def _fill(self, wanted: int) -> None:
        """Decompress a chunk; what lies further before `wanted` than anybody asks for again is let go."""
        try:
            chunk = self._stream.read1(_CHUNK)
        except (OSError, EOFError, zlib.error) as error:
            self.fault = str(error)
            chunk = b""
        self._ended = not chunk
        self._buffer += chunk
        spare = min(wanted - _KEPT_BEHIND, self._start + len(self._buffer)) - self._start
        if spare > _CHUNK:
            del self._buffer[:spare]
            self._start += spare


class PlainLog(LogFile):
    """A plain file; like `GzipLog` it tells how far it was read."""

    fault: str | None = None
    position = 0

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end."""
        data = super().read_at(offset, length)
        self.position = max(self.position, offset + len(data))
        return data


def open_archive(path: str) -> PlainLog | GzipLog:
    """Open a file for reading, whatever it is compressed with.

    Raises:
        UnreadableError: it is missing, not permitted, or no regular file.
        ValueError: it is compressed with something this version does not read; the message names it.
    """
    plain = PlainLog.open(path)
    kind = compression_of(plain.read_at(0, _MAGIC_BYTES))
    if kind is None:
        plain.position = 0
        return plain
    plain.close()
    if kind != "gzip":
        raise ValueError(f"{kind} files are not read by this version yet; decompress it first")
    return GzipLog(path)
