"""How the store's values lie in its tables; what writes and what only reads share it."""

from __future__ import annotations

import os
from typing import Any

from shipper.events import Checkpoint, FileIdentity, Fingerprint, LineState

READ_SOURCES = "SELECT name, globs FROM sources"
READ_LOSSES = "SELECT what, reason, amount FROM losses"
READ_COUNTER = "SELECT amount FROM counters WHERE name = ?"
READ_WAITING = "SELECT rule, count(*), sum(length(payload)) FROM outbox GROUP BY rule"
COUNT_DEAD_LETTERS = "SELECT count(*) FROM dead_letters"
ADD_LOSS = (
    "INSERT INTO losses (what, reason, amount) VALUES (?, ?, ?)"
    " ON CONFLICT (what, reason) DO UPDATE SET amount = amount + excluded.amount"
)
ADD_TO_COUNTER = (
    "INSERT INTO counters (name, amount) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET amount = amount + excluded.amount"
)
READ_CHECKPOINTS = (
    "SELECT device, inode, generation, path, source, offset, head_length, head_digest, guard_length, guard_digest,"
    " line, modified, gone_at, finished FROM files"
)
WRITE_CHECKPOINT = (
    "INSERT OR REPLACE INTO files (device, inode, generation, path, source, offset, head_length, head_digest,"
    " guard_length, guard_digest, line, modified, gone_at, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
FORGET_FILE = "DELETE FROM files WHERE device = ? AND inode = ? AND generation = ?"

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


def checkpoint_of(row: tuple[Any, ...]) -> Checkpoint:
    """Give the checkpoint of a row of READ_CHECKPOINTS."""
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
