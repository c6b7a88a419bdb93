"""The tables of `shipper.db`, and how an older database becomes a current one.

`PRAGMA user_version` is the number of the last step of MIGRATIONS that was applied; each step runs in one
transaction with its number, so that a step cut short never happened. A step that was released is never changed. Before
a database with content is changed, a copy of it is kept, for the way back to the older version. A database of a newer
version is refused, never guessed at (hazard 10.4).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # device and inode are unsigned 64-bit numbers, kept as SQLite's signed ones; paths are bytes
        """
        CREATE TABLE files (
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            path BLOB NOT NULL,
            source TEXT NOT NULL,
            offset INTEGER NOT NULL,
            head_length INTEGER NOT NULL,
            head_digest BLOB NOT NULL,
            guard_length INTEGER NOT NULL,
            guard_digest BLOB NOT NULL,
            line INTEGER NOT NULL,
            PRIMARY KEY (device, inode, generation)
        ) WITHOUT ROWID
        """,
        "CREATE TABLE sources (name TEXT PRIMARY KEY, globs TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            rule TEXT NOT NULL,
            event_id TEXT NOT NULL,
            payload BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            rule TEXT NOT NULL,
            event_id TEXT NOT NULL,
            payload BLOB NOT NULL,
            code TEXT NOT NULL,
            message TEXT NOT NULL,
            request_id TEXT NOT NULL,
            died_at TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE losses (
            what TEXT NOT NULL,
            reason TEXT NOT NULL,
            amount INTEGER NOT NULL,
            PRIMARY KEY (what, reason)
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE files ADD COLUMN modified INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE files ADD COLUMN gone_at REAL",
        "ALTER TABLE files ADD COLUMN finished INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # numbers that are committed with the rows they count: BYTES_READ
        "CREATE TABLE counters (name TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID",
    ),
    (
        # what was read of each log that is no more: copied and truncated, replaced, deleted
        """
        CREATE TABLE past (
            log BLOB NOT NULL,
            place INTEGER NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            path BLOB NOT NULL,
            source TEXT NOT NULL,
            offset INTEGER NOT NULL,
            head_length INTEGER NOT NULL,
            head_digest BLOB NOT NULL,
            guard_length INTEGER NOT NULL,
            guard_digest BLOB NOT NULL,
            line INTEGER NOT NULL,
            modified INTEGER NOT NULL,
            gone_at REAL,
            finished INTEGER NOT NULL,
            PRIMARY KEY (log, place)
        ) WITHOUT ROWID
        """,
    ),
    (
        # the modification times of all generations of a log when they were last accounted for, as a JSON array
        "CREATE TABLE histories (log BLOB PRIMARY KEY, modified TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        # whether the clock was seen to be behind what was read of the log since then
        "ALTER TABLE histories ADD COLUMN set_back INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # what thresholds and throttles remember, as a JSON array, by rule and hash of what they count apart
        """
        CREATE TABLE limits (
            rule TEXT NOT NULL,
            kind TEXT NOT NULL,
            key BLOB NOT NULL,
            state BLOB NOT NULL,
            PRIMARY KEY (rule, kind, key)
        ) WITHOUT ROWID
        """,
    ),
    (
        # places that rules did not judge: never their text
        """
        CREATE TABLE unjudged (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            rule TEXT NOT NULL,
            path BLOB NOT NULL,
            offset INTEGER NOT NULL,
            length INTEGER NOT NULL,
            cause TEXT NOT NULL,
            noted_at TEXT NOT NULL,
            UNIQUE (rule, path, cause, offset)
        )
        """,
        # events of the outbox that are gone and not removed yet, a JSON array of their numbers for each batch
        "CREATE TABLE acknowledged (batch INTEGER PRIMARY KEY, events TEXT NOT NULL)",
    ),
    (
        # ids of events that were delivered, 16 bytes each, one after the other, a row for each batch
        "CREATE TABLE delivered (batch INTEGER PRIMARY KEY, ids BLOB NOT NULL)",
        # how far a backfill has judged a content: the digests of the rules, 8 bytes each, and the place as a JSON array
        "CREATE TABLE passes (id INTEGER PRIMARY KEY, rules BLOB NOT NULL, place TEXT NOT NULL)",
    ),
)
VERSION = len(MIGRATIONS)

BYTES_READ = "bytes_read"
SEND_RATE = "send_rate"
"""The counter of requests a million seconds: what was last found to be this host's share."""
POSITIONS_LOST = "positions_lost"
"""The counter that is there from the salvage of a damaged store until an agent has said what its sources are."""


def version_of(connection: sqlite3.Connection) -> int:
    """Give the number of the last step that was applied; 0 for a database without tables."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def blank(version: int = VERSION) -> sqlite3.Connection:
    """Make an empty database of a version in memory: what a store of that version looks like."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            connection.execute(statement)
    return connection


def refuse_newer(version: int, file: Path) -> None:
    """Refuse a database of a version that this program does not know.

    Raises:
        StateError: it was written by a newer version of the product.
    """
    if version > VERSION:
        raise StateError(
            f"{file} was written by a newer version of shipper (store version {version}, this one knows "
            f"{VERSION}): install that version again, or give another state_dir"
        )


def migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Bring a database to the current version; of one that was written by an older version a copy is kept.

    Raises:
        StateError: it was written by a newer version of the product, or its copy cannot be written.
    """
    version = version_of(connection)
    refuse_newer(version, file)
    if 0 < version < VERSION:
        copy = _keep_copy(connection, file, version)
        telemetry.store_migrated(str(file), version, VERSION, str(copy))
    if version == VERSION:
        return
    # all steps at once: every commit waits for the disk
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _keep_copy(connection: sqlite3.Connection, file: Path, version: int) -> Path:
    """Copy a database, its write-ahead log included, to `<name>.v<version>`; only a whole copy gets that name."""
    copy = file.with_name(f"{file.name}.v{version}")
    growing = copy.with_name(copy.name + ".part")
    try:
        growing.unlink(missing_ok=True)
        os.close(os.open(growing, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(growing, isolation_level=None)) as target:
            connection.backup(target)
        growing.replace(copy)
    except (OSError, sqlite3.OperationalError) as error:
        raise StateError(
            f"{file} has to be brought to store version {VERSION}, and the copy {copy} that is kept of it before "
            f"cannot be written: {error}; see that its disk is writable and has room"
        ) from None
    return copy
