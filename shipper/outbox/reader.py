"""Reads a store, whether its agent runs or not: a connection that never writes and takes no lock (hazard 5.7)."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shipper.errors import StateError
from shipper.events import Checkpoint, FileIdentity, Fingerprint, LineState

if TYPE_CHECKING:
    from pathlib import Path

_UNSIGNED = 1 << 64


class StoreReader:
    """A store as its last commit left it. Its methods raise `StateError` when it cannot be read."""

    def __init__(self, directory: Path, name: str = "shipper.db") -> None:
        """Open the database of a state directory; it must exist.

        Raises:
            StateError: it does not exist or cannot be opened.
        """
        self.file = directory / name
        if not self.file.exists():
            raise StateError(f"there is no store {self.file}")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(os.fsencode(self.file.absolute()))}?mode=ro", uri=True, timeout=30
            )
        except sqlite3.Error as error:
            raise StateError(f"the store {self.file} cannot be opened: {error}") from None

    def checkpoints(self) -> list[Checkpoint]:
        """Give where every known file was left."""
        rows = self._query(
            "SELECT device, inode, generation, path, source, offset,"
            " head_length, head_digest, guard_length, guard_digest, line, modified, gone_at, finished FROM files"
        )
        return [
            Checkpoint(
                FileIdentity(row[0] % _UNSIGNED, row[1] % _UNSIGNED, row[2]),
                os.fsdecode(row[3]),
                row[4],
                row[5],
                Fingerprint(row[6], row[7]),
                Fingerprint(row[8], row[9]),
                LineState(row[10]),
                row[11],
                row[12],
                bool(row[13]),
            )
            for row in rows
        ]

    def scanned_sources(self) -> dict[str, tuple[str, ...]]:
        """Give the globs of every source that was scanned to the end once, by name."""
        return {name: tuple(json.loads(globs)) for name, globs in self._query("SELECT name, globs FROM sources")}

    def losses(self) -> dict[tuple[str, str], int]:
        """Give what was lost, by ("bytes" or "events", reason)."""
        return {(what, reason): amount for what, reason, amount in self._query("SELECT * FROM losses")}

    def bytes_read(self) -> int:
        """Give the bytes of the known files that were judged."""
        return int(self._query("SELECT coalesce(sum(offset), 0) FROM files")[0][0])

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Give number and encoded bytes of the events that wait, by rule."""
        found = self._query("SELECT rule, count(*), sum(length(payload)) FROM outbox GROUP BY rule")
        return {rule: (count, size) for rule, count, size in found}

    def dead_letter_count(self) -> int:
        """Tell how many dead letters are kept."""
        return int(self._query("SELECT count(*) FROM dead_letters")[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _query(self, statement: str) -> list[Any]:
        try:
            return self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"the store {self.file} cannot be read: {error}") from None
