"""Opens log files safely and reads them by position (hazards 1.10, 2.6): regular files only, never blocking."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Self

from shipper.events import FileIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class UnreadableError(Exception):
    """A path that cannot be followed now; the message is the reason, for people."""


def compression_of(head: bytes) -> str | None:
    """Tell by its first bytes how a file is compressed, never by its name (hazard 1.12)."""
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


class LogFile:
    """An open descriptor of a regular file, read by position."""

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        self._descriptor = descriptor
        self.identity = FileIdentity(status.st_dev, status.st_ino)

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a path for reading.

        Raises:
            UnreadableError: it is missing, not permitted, or no regular file.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise UnreadableError("not a regular file")
        return cls(descriptor, status)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end of the file."""
        return os.pread(self._descriptor, length, offset)

    def reaches(self, offset: int) -> bool:
        """Tell whether the file is at least so long."""
        return os.fstat(self._descriptor).st_size >= offset

    def status(self) -> os.stat_result:
        """Give size, times and link count of the open file, whatever its name is now."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


def confirmed(path: str, confirm: Callable[[LogFile], bool]) -> LogFile | None:
    """Open a path and keep it open only if `confirm` recognises it."""
    try:
        file = LogFile.open(path)
    except UnreadableError:
        return None
    if confirm(file):
        return file
    file.close()
    return None
