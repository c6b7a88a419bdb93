"""The tables of `shipper.db`, and how an older database becomes a current one.

`PRAGMA user_version` is the number of the last step of MIGRATIONS that was applied; each step runs in one
transaction with its number. A database of a newer version is refused, never guessed at (hazard 10.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.errors import StateError

if TYPE_CHECKING:
    import sqlite3

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
)


def migrate(connection: sqlite3.Connection, file: str) -> None:
    """Bring a database to the current version.

    Raises:
        StateError: it was written by a newer version of the product.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StateError(
            f"{file} was written by a newer version of shipper (store version {version}, this one knows "
            f"{len(MIGRATIONS)}): install that version again, or give another state_dir"
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
