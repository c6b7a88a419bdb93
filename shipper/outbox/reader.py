"""Reads a store, whether its agent runs or not: a connection that never writes and takes no lock (hazard 5.7)."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shipper.errors import StateError
from shipper.events import LimitState
from shipper.outbox import rows
from shipper.outbox.schema import BYTES_READ, VERSION, refuse_newer, version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shipper.events import Checkpoint


class StoreReader:
    """A store as its last commit left it. Its methods raise `StateError` when it cannot be read.

    Attributes:
        file: the database.
    """

    def __init__(self, directory: Path, name: str = "shipper.db") -> None:
        """Open the database of a state directory; nothing is created or migrated.

        Args:
            directory: the state directory.
            name: the database's file name.

        Raises:
            StateError: there is none, it cannot be opened, or it is of another version.
        """
        self.file = directory / name
        # without a write-ahead log nobody writes it, and `immutable` leaves no files of ours in the agent's directory
        mode = "mode=ro" if self.file.with_name(name + "-wal").exists() else "immutable=1"
        if not self.file.exists():
            raise StateError(f"there is no store {self.file}: no agent has run with this state_dir yet")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(os.fsencode(self.file.absolute()))}?{mode}", uri=True, timeout=30
            )
        except sqlite3.Error as error:
            raise StateError(f"the store {self.file} cannot be opened: {error}") from None
        try:
            self._refuse_other_versions()
        except BaseException:
            self.close()
            raise

    def checkpoints(self) -> list[Checkpoint]:
        """Give where every known file was left."""
        return self._query(rows.READ_CHECKPOINTS, make=rows.checkpoint_of)

    def scanned_sources(self) -> dict[str, tuple[str, ...]]:
        """Give the globs of every source that was scanned to the end once, by name."""
        return dict(self._query(rows.READ_SOURCES, make=rows.source_of))

    def losses(self) -> dict[tuple[str, str], int]:
        """Give what was lost, by ("bytes" or "events", reason)."""
        return {(what, reason): amount for what, reason, amount in self._query(rows.READ_LOSSES)}

    def bytes_read(self) -> int:
        """Give the bytes of files that were ever matched: skipped ones are among the losses instead (I1)."""
        found = self._query(rows.READ_COUNTER, (BYTES_READ,))
        return int(found[0][0]) if found else 0

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Give number and encoded bytes of the events that wait, by rule."""
        return {rule: (count, size) for rule, count, size in self._query(rows.READ_WAITING)}

    def limits(self, kind: str) -> list[LimitState]:
        """Give what limits of a kind remember."""
        return [LimitState(*row) for row in self._query(rows.READ_LIMITS, (kind,))]

    def dead_letter_count(self) -> int:
        """Tell how many dead letters are kept."""
        return int(self._query(rows.COUNT_DEAD_LETTERS)[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _refuse_other_versions(self) -> None:
        try:
            version = version_of(self._connection)
        except sqlite3.Error as error:
            raise StateError(f"the store {self.file} cannot be read: {error}") from None
        refuse_newer(version, self.file)
        if version < VERSION:
            raise StateError(
                f"{self.file} was written by an older version of shipper (store version {version}, this one reads "
                f"{VERSION}): start the agent once, which brings it up to date"
            )

    def _query(
        self, statement: str, parameters: tuple[object, ...] = (), *, make: Callable[[Any], Any] = tuple
    ) -> list[Any]:
        try:
            return [make(row) for row in self._connection.execute(statement, parameters)]
        except (sqlite3.Error, ValueError) as error:
            raise StateError(f"the store {self.file} cannot be read: {error}") from None
