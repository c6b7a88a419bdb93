"""Reads a store, whether its agent runs or not: a connection that never writes and takes no lock (hazard 5.7)."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shipper.errors import StateError
from shipper.events import LimitState
from shipper.outbox import dead_letters, delivered, passes, rows
from shipper.outbox.schema import BYTES_READ, VERSION, refuse_newer, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shipper.events import Checkpoint
    from shipper.outbox.dead_letters import DeadLetter, Noted
    from shipper.outbox.passes import Pass

_AT_ONCE = 100


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
        return self._counter(BYTES_READ)

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Give number and encoded bytes of the events that wait, by rule."""
        return {rule: (count, size) for rule, count, size in self._query(rows.READ_WAITING)}

    def limits(self, kind: str | None = None) -> list[LimitState]:
        """Give what limits of a kind, or all, remember."""
        return [LimitState(*row) for row in self._query(rows.READ_LIMITS, (kind,))]

    def dead_letter_count(self) -> int:
        """Tell how many dead letters are kept."""
        return int(self._query(dead_letters.COUNT)[0][0])

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Give events that were refused, the oldest first; a few at a time, for they may be large."""
        after = 0
        while found := self._query(dead_letters.READ, (after, _AT_ONCE), make=dead_letters.letter_of):
            yield from found
            after = found[-1].id

    def dead_letter(self, number: int) -> DeadLetter | None:
        """Give one of them; None when there is none of this number."""
        found = self._query(dead_letters.READ_ONE, (number,), make=dead_letters.letter_of)
        return found[0] if found else None

    def unjudged_count(self) -> int:
        """Tell how many places are kept that rules did not judge."""
        return int(self._query(dead_letters.COUNT_UNJUDGED)[0][0])

    def unjudged(self) -> list[Noted]:
        """Give the places that rules did not judge, the oldest first."""
        return self._query(dead_letters.READ_UNJUDGED, make=dead_letters.noted_of)

    def unjudged_forgotten(self) -> int:
        """Tell how many older places are not kept any more."""
        return self._counter(dead_letters.UNJUDGED_FORGOTTEN)

    def delivered(self) -> Iterator[bytes]:
        """Give the ids of the events that were delivered lately, in their short form."""
        return delivered.split(self._query(delivered.READ))

    def passes(self) -> list[Pass]:
        """Give how far backfills have come."""
        return self._query(passes.READ, make=passes.pass_of)

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

    def _counter(self, name: str) -> int:
        found = self._query(rows.READ_COUNTER, (name,))
        return int(found[0][0]) if found else 0

    def _query(
        self, statement: str, parameters: tuple[object, ...] = (), *, make: Callable[[Any], Any] = tuple
    ) -> list[Any]:
        try:
            return [make(row) for row in self._connection.execute(statement, parameters)]
        except (sqlite3.Error, ValueError) as error:
            raise StateError(f"the store {self.file} cannot be read: {error}") from None
