"""What did not become a delivered event: events that the service refused, and records that a rule could not judge.

Of a refused event all is kept, with the service's words, so that it can be sent again. Of an unjudged record only its
place is kept, never its text (spec, section 4 "Time limits"); `shipper backfill` judges it again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shipper.events import LostEvents, Unjudged
from shipper.outbox import rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from shipper.outbox.backlog import Movement
    from shipper.outbox.database import Database

UNJUDGED_FORGOTTEN = "unjudged_forgotten"
"""The counter of places that were over the limit."""
MOST_UNJUDGED = 10_000

_COLUMNS = "rule, event_id, payload, code, message, request_id, died_at"
_WRITE = f"INSERT INTO dead_letters ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  constants
_LIMIT = "DELETE FROM dead_letters WHERE id NOT IN (SELECT id FROM dead_letters ORDER BY id DESC LIMIT ?)"
_CHOSEN = "WHERE ?1 IS NULL OR id IN (SELECT value FROM json_each(?1))"
_READ_CHOSEN = f"SELECT id, rule, length(payload) FROM dead_letters {_CHOSEN} ORDER BY id"  # noqa: S608
# numbered one after the other, in this order
_EVENT = "rule, event_id, payload"
_REVIVE = f"INSERT INTO outbox ({_EVENT}) SELECT {_EVENT} FROM dead_letters {_CHOSEN} ORDER BY id"  # noqa: S608
_REMOVE = f"DELETE FROM dead_letters {_CHOSEN}"  # noqa: S608
_REMOVE_UNJUDGED = f"DELETE FROM unjudged {_CHOSEN} RETURNING id"  # noqa: S608
READ = f"SELECT id, {_COLUMNS} FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
READ_ONE = f"SELECT id, {_COLUMNS} FROM dead_letters WHERE id = ?"  # noqa: S608
COUNT = "SELECT count(*) FROM dead_letters"
READ_UNJUDGED = "SELECT id, rule, path, offset, length, cause, noted_at FROM unjudged ORDER BY id"
COUNT_UNJUDGED = "SELECT count(*) FROM unjudged"
_WRITE_UNJUDGED = (
    "INSERT INTO unjudged (rule, path, offset, length, cause, noted_at) VALUES (?, ?, ?, ?, ?, ?)"
    # what is still being passed by grows
    " ON CONFLICT (rule, path, cause, offset) DO UPDATE SET length = excluded.length, noted_at = excluded.noted_at"
)
_LIMIT_UNJUDGED = "DELETE FROM unjudged WHERE id NOT IN (SELECT id FROM unjudged ORDER BY id DESC LIMIT ?)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the service said when it refused one event for good."""

    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that the service refused.

    Attributes:
        id: its number.
        rule: id of the rule that made it.
        event_id: the event's stable id.
        payload: its encoded form, as it was sent.
        refusal: what the service said.
        died_at: when, ISO 8601.
    """

    id: int
    rule: str
    event_id: str
    payload: bytes
    refusal: Refusal
    died_at: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A place that a rule did not judge.

    Attributes:
        id: its number, among those of places.
        place: which rule, and where.
        noted_at: when, ISO 8601.
    """

    id: int
    place: Unjudged
    noted_at: str


class DeadLetters:
    """Those of one store. Its methods raise what the database's do."""

    def __init__(
        self,
        database: Database,
        moving: Callable[[], AbstractContextManager[tuple[sqlite3.Connection, Movement]]],
    ) -> None:
        """Prepare.

        Args:
            database: the store's.
            moving: begins a transaction that changes what waits.
        """
        self._database = database
        self._moving = moving

    def count(self) -> int:
        """Tell how many refused events are kept."""
        return int(self._database.query(COUNT)[0][0])

    def retry(self, ids: Sequence[int] | None) -> list[int]:
        """Let refused events wait again, behind all others; None means all.

        Returns:
            The numbers of those that were there.
        """
        chosen = _as_list(ids)
        with self._moving() as (run, movement):
            found = run.execute(_READ_CHOSEN, chosen).fetchall()
            if found:
                run.execute(_REVIVE, chosen)
                first = int(run.execute("SELECT last_insert_rowid()").fetchone()[0]) - len(found) + 1
                movement.join((seq, rule, size) for seq, (_, rule, size) in enumerate(found, first))
                run.execute(_REMOVE, chosen)
        return [number for number, _, _ in found]

    def drop(self, ids: Sequence[int] | None) -> list[int]:
        """Let go of refused events, counted as lost; None means all.

        Returns:
            The numbers of those that were there.
        """
        chosen = _as_list(ids)
        with self._database.transaction() as run:
            found = run.execute(_READ_CHOSEN, chosen).fetchall()
            if found:
                run.execute(_REMOVE, chosen)
                run.execute(rows.ADD_LOSS, ("events", LostEvents.DEAD_LETTERS_DROPPED, len(found)))
        return [number for number, _, _ in found]

    def drop_places(self, ids: Sequence[int] | None) -> list[int]:
        """Let go of places that were not judged; None means all. Gives the numbers of those that were there."""
        with self._database.transaction() as run:
            return sorted(number for (number,) in run.execute(_REMOVE_UNJUDGED, _as_list(ids)).fetchall())


def bury(run: sqlite3.Connection, event: tuple[str, str, bytes], refusal: Refusal, limit: int) -> int:
    """Keep a refused event, given as rule, id and payload; gives its number.

    The oldest over the limit goes, counted as lost.
    """
    number = run.execute(_WRITE, (*event, refusal.code, refusal.message, refusal.request_id, _now())).lastrowid
    if gone := run.execute(_LIMIT, (limit,)).rowcount:
        run.execute(rows.ADD_LOSS, ("events", LostEvents.DEAD_LETTERS_FULL, gone))
    return int(number or 0)


def note(run: sqlite3.Connection, places: Sequence[Unjudged]) -> None:
    """Keep places that were not judged; the oldest over `MOST_UNJUDGED` go, counted."""
    if not places:
        return
    now = _now()
    run.executemany(_WRITE_UNJUDGED, [(p.rule, os.fsencode(p.path), p.offset, p.length, p.cause, now) for p in places])
    if gone := run.execute(_LIMIT_UNJUDGED, (MOST_UNJUDGED,)).rowcount:
        run.execute(rows.ADD_TO_COUNTER, (UNJUDGED_FORGOTTEN, gone))


def letter_of(row: tuple[Any, ...]) -> DeadLetter:
    """Give the dead letter of a row of READ or READ_ONE."""
    return DeadLetter(row[0], row[1], row[2], row[3], Refusal(*row[4:7]), row[7])


def noted_of(row: tuple[Any, ...]) -> Noted:
    """Give the place of a row of READ_UNJUDGED."""
    return Noted(row[0], Unjudged(row[1], os.fsdecode(row[2]), *row[3:6]), row[6])


def _as_list(ids: Sequence[int] | None) -> tuple[str | None]:
    return (None if ids is None else json.dumps(list(ids)),)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
