"""Files that are read in passing: the page cache is left as it was found, for the programs that live on this host.

What lay in the cache before stays there, what this reading brings in is let go again behind it. Without this, a
backfill of old logs as large as the memory would push everything else out of it.
"""

from __future__ import annotations

import os

from shipper.tailing.files import HostFiles, LogFile

STRETCH_BYTES = 1024 * 1024


class PassingFile(LogFile):
    """An open file that is read from its beginning to its end, more or less.

    The kernel's own reading ahead is turned off, for after it nobody could tell what was in the cache before. A stretch
    is asked for here when the one before it is read, just after it was looked at.
    """

    _asked = _passed = 0
    _ours: list[int] | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes, and let go of what lies behind a stretch that was passed."""
        if self._ours is None:
            self._ours = []
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        while self._asked * STRETCH_BYTES < offset + length + STRETCH_BYTES:
            self._ask(self._asked, self._ours)
            self._asked += 1
        data = super().read_at(offset, length)
        # the last one is kept: its end may be read again
        here = (offset + len(data)) // STRETCH_BYTES - 1
        while self._passed < len(self._ours) and self._ours[self._passed] < here:
            self._let_go(self._ours[self._passed])
            self._passed += 1
        return data

    def close(self) -> None:
        """Let go of all, also of what was read twice, and close the descriptor."""
        for stretch in self._ours or ():
            self._let_go(stretch)
        super().close()

    def _ask(self, stretch: int, ours: list[int]) -> None:
        """Look whether a stretch is in the page cache, and bring it there if not."""
        if not _is_cached(self._descriptor, stretch * STRETCH_BYTES):
            ours.append(stretch)
            os.posix_fadvise(self._descriptor, stretch * STRETCH_BYTES, STRETCH_BYTES, os.POSIX_FADV_WILLNEED)

    def _let_go(self, stretch: int) -> None:
        os.posix_fadvise(self._descriptor, stretch * STRETCH_BYTES, STRETCH_BYTES, os.POSIX_FADV_DONTNEED)


class PassingFiles(HostFiles):
    """The host's own file system, whose files are read in passing where the system knows how."""

    def open(self, path: str) -> LogFile:
        """Open a regular file for reading. Raises `UnreadableError`."""
        return PassingFile.open(path) if _CAN_TELL else LogFile.open(path)


_CAN_TELL = hasattr(os, "RWF_NOWAIT") and hasattr(os, "posix_fadvise")


def _is_cached(descriptor: int, offset: int) -> bool:
    """Tell whether a byte is in the page cache: then it can be read without waiting for the disk.

    Where the file system does not tell, it is taken for cached: nothing is let go that may be somebody's.
    """
    try:
        os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
