"""Which events were delivered lately, by their ids, so that a backfill can leave them out (spec, `remember_delivered`).

A row holds the ids of one batch, as they lie there: an index over them would have a page of the disk written for each
id. Who asks whether an event is among them reads them all once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from shipper.outbox.database import Database

ID_BYTES = 16
_NOTE = "INSERT INTO delivered (ids) VALUES (?)"
_SIZES = "SELECT batch, length(ids) FROM delivered ORDER BY batch"
_FORGET = "DELETE FROM delivered WHERE batch <= ?"
_FORGET_ALL = "DELETE FROM delivered"
READ = "SELECT ids FROM delivered ORDER BY batch"


class Delivered:
    """Those of one store."""

    def __init__(self, database: Database, limit: int) -> None:
        """Count what is there.

        Args:
            database: the store's.
            limit: how many ids are kept at least; 0 keeps no more than there are.
        """
        self._database = database
        self._limit = limit
        self._count = sum(size // ID_BYTES for _, size in database.query(_SIZES))

    def ids(self) -> Iterator[bytes]:
        """Give all that are kept, the oldest first, in their short form."""
        return split(self._database.query(READ))

    def forget(self) -> None:
        """Forget all."""
        with self._database.transaction() as run:
            run.execute(_FORGET_ALL)
        self._count = 0

    def note(self, run: sqlite3.Connection, events: Iterable[str]) -> None:
        """Keep the ids of delivered events, given as hex; the oldest over the limit go. What is no id is left out.

        Belongs into a transaction.
        """
        ids = b"".join(filter(None, map(id_of, events)))
        if not ids or not self._limit:
            return
        run.execute(_NOTE, (ids,))
        self._count += len(ids) // ID_BYTES
        if self._count >= self._limit + max(1, self._limit // 100):
            self._shrink(run)

    def _shrink(self, run: sqlite3.Connection) -> None:
        """Forget the oldest batches that are not needed, many at a time."""
        last = None
        for batch, size in run.execute(_SIZES).fetchall():
            amount = size // ID_BYTES
            if self._count - amount < self._limit:
                break
            self._count -= amount
            last = batch
        if last is not None:
            run.execute(_FORGET, (last,))


def id_of(text: str) -> bytes | None:
    """Give an event's id in its short form; None for what is none, such as a heartbeat's."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == ID_BYTES else None


def split(rows: Iterable[tuple[bytes]]) -> Iterator[bytes]:
    """Give the ids of rows of READ."""
    for (ids,) in rows:
        yield from (ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES))
