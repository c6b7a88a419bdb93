"""The host's file system, and what it was asked: calls instead of wall time, so that cost can be asserted."""

from __future__ import annotations

import os
from collections import Counter
from typing import Self

from shipper.tailing.files import HostFiles, Listing, LogFile


class CountedFile(LogFile):
    """An open file that counts how much is read of it."""

    calls: Counter[str]
    bytes_read: Counter[str]
    path: str

    def counted(self, path: str, calls: Counter[str], bytes_read: Counter[str]) -> Self:
        """Count from now on."""
        self.path, self.calls, self.bytes_read = path, calls, bytes_read
        return self

    def read_at(self, offset: int, length: int) -> bytes:
        """Read, counted."""
        data = super().read_at(offset, length)
        self.calls["read"] += 1
        self.bytes_read[self.path] += len(data)
        return data

    def status(self) -> os.stat_result:
        """Look, counted."""
        self.calls["fstat"] += 1
        return super().status()


class CountingFiles(HostFiles):
    """Counts `list`, `stat`, `open`, `read`, `fstat`, and the bytes that were read of each path."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes_read: Counter[str] = Counter()

    def list(self, directory: str) -> Listing:
        """List, counted."""
        self.calls["list"] += 1
        return super().list(directory)

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        """Look, counted."""
        self.calls["stat"] += 1
        return super().status(path, follow=follow)

    def open(self, path: str) -> LogFile:
        """Open, counted."""
        self.calls["open"] += 1
        return CountedFile.open(path).counted(path, self.calls, self.bytes_read)

    def clear(self) -> None:
        """Count anew."""
        self.calls.clear()
        self.bytes_read.clear()
