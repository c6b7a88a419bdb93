"""The connection to one database, shared by threads: queries, and transactions that are all or nothing."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shipper.outbox.opening import open_or_set_aside
from shipper.outbox.trouble import translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


class Database:
    """Its methods raise `StateError` when the disk fails, `StoreDamagedError` when the content is damaged.

    Attributes:
        file: where it lies.
        lock: held during each query and each transaction; reentrant, for what must go together.
    """

    def __init__(self, file: Path) -> None:
        """Open or create it.

        Raises:
            StateError: it cannot be opened, or belongs to a newer version.
        """
        self.file = file
        self.lock = threading.RLock()
        self._connection = open_or_set_aside(file)

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Give all rows."""
        with self.lock, translated(self.file):
            return self._connection.execute(statement, parameters).fetchall()

    def stretches(self, statement: str, size: int) -> Iterator[list[Any]]:
        """Give the rows so many at a time, so that they need not be in memory together."""
        with self.lock, translated(self.file):
            found = self._connection.execute(statement)
            while some := found.fetchmany(size):
                yield some

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything in the block or nothing."""
        with self.lock, translated(self.file):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def sync(self) -> None:
        """Make every commit so far survive a power loss: the write-ahead log is flushed to the disk."""
        wal = self.file.with_name(self.file.name + "-wal")
        with self.lock, translated(self.file):
            try:
                descriptor = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Close it; what was committed stays."""
        with self.lock:
            self._connection.close()
