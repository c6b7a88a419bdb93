"""Finished files read by position, plain or compressed, told apart by their first bytes (hazard 1.12)."""

from __future__ import annotations

from shipper.tailing.archives import CompressedLog
from shipper.tailing.files import LogFile, compression_of

_MAGIC_BYTES = 6


class PlainLog(LogFile):
    """A plain file; like `CompressedLog` it tells how far it was read."""

    fault: str | None = None
    position = 0

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end."""
        data = super().read_at(offset, length)
        self.position = max(self.position, offset + len(data))
        return data


def open_archive(path: str) -> PlainLog | CompressedLog:
    """Open a file for reading, whatever it is compressed with.

    Raises:
        UnreadableError: it is missing, not permitted, or no regular file.
        OSError: it cannot be read.
    """
    plain = PlainLog.open(path)
    kind = compression_of(plain.read_at(0, _MAGIC_BYTES))
    if kind is None:
        plain.position = 0
        return plain
    return CompressedLog(plain, kind)
