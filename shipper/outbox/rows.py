"""How the store's values lie in its tables; what writes and what only reads share it."""

from __future__ import annotations

import json
import os
from itertools import chain
from typing import TYPE_CHECKING, Any

from shipper.events import Checkpoint, FileIdentity, Fingerprint, History, LineState
from shipper.outbox.acknowledged import NOTED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from shipper.events import LimitState

WRITE_EVENT = "INSERT INTO outbox (rule, event_id, payload) VALUES (?, ?, ?)"
EVENTS_AT_ONCE = 50
"""Rows of one statement: it costs half as much as fifty, and more rows gain no more."""
WRITE_EVENTS = WRITE_EVENT + ", (?, ?, ?)" * (EVENTS_AT_ONCE - 1)
READ_SOURCES = "SELECT name, globs FROM sources"
WRITE_SOURCE = "INSERT OR REPLACE INTO sources VALUES (?, ?)"
READ_LOSSES = "SELECT what, reason, amount FROM losses"
WRITE_COUNTER = "INSERT OR REPLACE INTO counters (name, amount) VALUES (?, ?)"
READ_COUNTER = "SELECT amount FROM counters WHERE name = ?"
READ_WAITING = f"SELECT rule, count(*), sum(length(payload)) FROM outbox WHERE seq NOT IN ({NOTED}) GROUP BY rule"  # noqa: S608
READ_WAITING_IDS = f"SELECT event_id FROM outbox WHERE seq NOT IN ({NOTED})"  # noqa: S608
READ_OUTBOX = "SELECT seq, rule, length(payload) FROM outbox ORDER BY seq"
SETTLE_EVENT = "DELETE FROM outbox WHERE seq = ?"
READ_EVENTS = "SELECT seq, rule, event_id, payload FROM outbox WHERE seq IN (SELECT value FROM json_each(?))"
ADD_LOSS = (
    "INSERT INTO losses (what, reason, amount) VALUES (?, ?, ?)"
    " ON CONFLICT (what, reason) DO UPDATE SET amount = amount + excluded.amount"
)
ADD_TO_COUNTER = (
    "INSERT INTO counters (name, amount) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET amount = amount + excluded.amount"
)
_CHECKPOINT = (
    "device, inode, generation, path, source, offset, head_length, head_digest, guard_length, guard_digest,"
    " line, modified, gone_at, finished"
)
_VALUES = ", ".join("?" * len(_CHECKPOINT.split(",")))
READ_CHECKPOINTS = f"SELECT {_CHECKPOINT} FROM files"  # noqa: S608  constants
WRITE_CHECKPOINT = f"INSERT OR REPLACE INTO files ({_CHECKPOINT}) VALUES ({_VALUES})"  # noqa: S608
FORGET_FILE = "DELETE FROM files WHERE device = ? AND inode = ? AND generation = ?"
READ_PAST = f"SELECT {_CHECKPOINT} FROM past ORDER BY log, place"  # noqa: S608
WRITE_PAST = f"INSERT INTO past (log, place, {_CHECKPOINT}) VALUES (?, ?, {_VALUES})"  # noqa: S608
READ_HISTORIES = "SELECT log, modified, set_back FROM histories"
WRITE_HISTORY = "INSERT INTO histories (log, modified, set_back) VALUES (?, ?, ?)"
FORGET_HISTORY = "DELETE FROM histories WHERE log = ?"
READ_LIMITS = "SELECT rule, kind, key, state FROM limits WHERE ?1 IS NULL OR kind = ?1"
WRITE_LIMIT = "INSERT OR REPLACE INTO limits (rule, kind, key, state) VALUES (?, ?, ?, ?)"
FORGET_LIMIT = "DELETE FROM limits WHERE rule = ? AND kind = ? AND key = ?"
FORGET_LIMITS = "DELETE FROM limits"
FORGET_PAST = "DELETE FROM past WHERE log = ?"

# device and inode are unsigned numbers of 64 bits, SQLite's are signed
_SIGNED = 1 << 63


def identity_row(identity: FileIdentity) -> tuple[int, int, int]:
    """Give the primary key of a file."""
    return _signed(identity.device), _signed(identity.inode), identity.generation


def checkpoint_row(checkpoint: Checkpoint) -> tuple[object, ...]:
    """Give the parameters of WRITE_CHECKPOINT."""
    return (
        *identity_row(checkpoint.identity),
        os.fsencode(checkpoint.path),
        checkpoint.source,
        checkpoint.offset,
        checkpoint.head.length,
        checkpoint.head.digest,
        checkpoint.guard.length,
        checkpoint.guard.digest,
        int(checkpoint.line),
        checkpoint.modified,
        checkpoint.gone_at,
        int(checkpoint.finished),
    )


def past_rows(log: str, past: Sequence[Checkpoint]) -> list[tuple[object, ...]]:
    """Give the parameters of WRITE_PAST for all that is remembered of one log."""
    return [(os.fsencode(log), place, *checkpoint_row(each)) for place, each in enumerate(past)]


def source_rows(scanned: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Give the parameters of WRITE_SOURCE for sources by name."""
    return [(name, json.dumps(list(globs))) for name, globs in scanned.items()]


def source_of(row: tuple[str, str]) -> tuple[str, tuple[str, ...]]:
    """Give the name and the globs of a row of READ_SOURCES."""
    return row[0], tuple(json.loads(row[1]))


def history_row(log: str, history: History) -> tuple[object, ...]:
    """Give the parameters of WRITE_HISTORY."""
    return os.fsencode(log), json.dumps(history.times), history.set_back


def history_of(row: tuple[Any, ...]) -> tuple[str, History]:
    """Give the log and the history of a row of READ_HISTORIES."""
    return os.fsdecode(row[0]), History(tuple(json.loads(row[1])), bool(row[2]))


def checkpoint_of(row: tuple[Any, ...]) -> Checkpoint:
    """Give the checkpoint of a row of READ_CHECKPOINTS or READ_PAST."""
    return Checkpoint(
        identity=FileIdentity(row[0] % (2 * _SIGNED), row[1] % (2 * _SIGNED), row[2]),
        path=os.fsdecode(row[3]),
        source=row[4],
        offset=row[5],
        head=Fingerprint(row[6], row[7]),
        guard=Fingerprint(row[8], row[9]),
        line=LineState(row[10]),
        modified=row[11],
        gone_at=row[12],
        finished=bool(row[13]),
    )


def _signed(number: int) -> int:
    return number - 2 * _SIGNED if number >= _SIGNED else number


def write_limits(run: sqlite3.Connection, limits: Sequence[LimitState]) -> None:
    """Keep what limits remember now, and forget what they do not any more."""
    run.executemany(FORGET_LIMIT, [limit[:3] for limit in limits if limit.state is None])
    run.executemany(WRITE_LIMIT, [limit for limit in limits if limit.state is not None])


def write_events(run: sqlite3.Connection, events: Sequence[tuple[str, str, bytes]]) -> int:
    """Insert events as rule, id, payload; gives the number of the last, the others' are just before it."""
    whole = len(events) - len(events) % EVENTS_AT_ONCE
    for at in range(0, whole, EVENTS_AT_ONCE):
        run.execute(WRITE_EVENTS, list(chain.from_iterable(events[at : at + EVENTS_AT_ONCE])))
    run.executemany(WRITE_EVENT, events[whole:])
    return int(run.execute("SELECT last_insert_rowid()").fetchone()[0])
