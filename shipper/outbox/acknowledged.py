"""Acknowledged events, between the answer and their removal.

Rules take turns, so the events of one batch lie far apart in the outbox: to remove each at once would write a page of
the disk for each. Their numbers are noted instead, a row for a batch, and what was noted is removed in one sweep, which
finds many on each page. What is noted is as gone as what is removed, for every reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

SWEEP_AT = 5000
"""Events that are noted at most: three times as many gain another tenth, and hold the store up for longer."""
_NOTE = "INSERT INTO acknowledged (events) VALUES (?)"
NOTED = "SELECT value FROM acknowledged, json_each(acknowledged.events)"
_SWEEP = f"DELETE FROM outbox WHERE seq IN ({NOTED})"  # noqa: S608  constants
_FORGET = "DELETE FROM acknowledged"


class Acknowledged:
    """Knows how many are noted. Its methods belong into a transaction."""

    def __init__(self) -> None:
        """Begin with none: `sweep` makes that true of a store that was opened."""
        self._noted = 0

    def note(self, run: sqlite3.Connection, numbers: Sequence[int], *, is_last: bool) -> None:
        """Let go of events.

        Args:
            run: the database.
            numbers: of the events; they must be waiting.
            is_last: whether no other waits, so that this is the time to tidy up.
        """
        run.execute(_NOTE, (orjson.dumps(numbers).decode(),))
        self._noted += len(numbers)
        if is_last or self._noted >= SWEEP_AT:
            self.sweep(run)

    def sweep(self, run: sqlite3.Connection) -> None:
        """Remove what is noted."""
        run.execute(_SWEEP)
        run.execute(_FORGET)
        self._noted = 0
