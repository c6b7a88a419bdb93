"""The tables of the store, step by step, and what their rows must look like.

`PRAGMA user_version` is the number of the last step of MIGRATIONS that was applied; each step runs in one
transaction with its number, so that a step that was cut short never happened (hazard 10.4). A step that was once
released is never changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.errors import StateError
from shipper.events import LineState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        # numbers that go with the other rows of a commit: BYTES_READ, BEGUN_ANEW
        "CREATE TABLE counters (name TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID",
    ),
)
VERSION = len(MIGRATIONS)

BYTES_READ = "bytes_read"
BEGUN_ANEW = "begun_anew"

# far beyond what counting up one by one ever reaches: past it AUTOINCREMENT could not count on
_HIGHEST_ROW = 1 << 62
_WORD = "typeof({}) = 'text'"
_BYTES = "typeof({}) = 'blob'"
_NUMBER = "typeof({}) = 'integer'"
_COUNT = "typeof({0}) = 'integer' AND {0} >= 0"
_ROW = f"typeof({{0}}) = 'integer' AND {{0}} BETWEEN 1 AND {_HIGHEST_ROW}"
_LINES = ", ".join(str(int(state)) for state in LineState)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the store uses it.

    Attributes:
        name: its name.
        key: the columns of its primary key, in their order.
        columns: for every column what a sound value fulfils, `{0}` being the column.
        numbered: its key is SQLite's row number, counted up by AUTOINCREMENT.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    numbered: bool = False

    def sound(self, columns: Sequence[str]) -> str:
        """Give the SQL condition that a row's values in these columns are of the kind that was written.

        SQLite itself takes any kind of value in any column, so a damaged row may read well and mean nothing.
        """
        return " AND ".join(f"({self.columns[column].format(column)})" for column in columns)


TABLES = (
    Table(
        "outbox",
        ("seq",),
        MappingProxyType({"seq": _ROW, "rule": _WORD, "event_id": _WORD, "payload": _BYTES}),
        numbered=True,
    ),
    Table(
        "dead_letters",
        ("id",),
        MappingProxyType(
            {
                "id": _ROW,
                "rule": _WORD,
                "event_id": _WORD,
                "payload": _BYTES,
                "code": _WORD,
                "message": _WORD,
                "request_id": _WORD,
                "died_at": _WORD,
            }
        ),
        numbered=True,
    ),
    Table(
        "files",
        ("device", "inode", "generation"),
        MappingProxyType(
            {
                "device": _NUMBER,
                "inode": _NUMBER,
                "generation": _NUMBER,
                "path": _BYTES,
                "source": _WORD,
                "offset": _COUNT,
                "head_length": _COUNT,
                "head_digest": _BYTES,
                "guard_length": _COUNT,
                "guard_digest": _BYTES,
                "line": f"typeof({{0}}) = 'integer' AND {{0}} IN ({_LINES})",
                "modified": _NUMBER,
                "gone_at": "typeof({0}) IN ('real', 'null')",
                "finished": "typeof({0}) = 'integer' AND {0} IN (0, 1)",
            }
        ),
    ),
    Table("sources", ("name",), MappingProxyType({"name": _WORD, "globs": _WORD})),
    Table("losses", ("what", "reason"), MappingProxyType({"what": _WORD, "reason": _WORD, "amount": _COUNT})),
    Table("counters", ("name",), MappingProxyType({"name": _WORD, "amount": _COUNT})),
)


def version_of(connection: sqlite3.Connection) -> int:
    """Give the number of the last step that was applied to a database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(version: int, file: object) -> None:
    """Refuse a database of a version that this program does not know; it is never guessed at (hazard 10.4).

    Raises:
        StateError: it was written by a newer version of the product.
    """
    if version > VERSION:
        raise StateError(
            f"{file} was written by a newer version of shipper (store version {version}, this one knows "
            f"{VERSION}): install that version again, or give another state_dir"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the steps that a database lacks, each in one transaction with its number."""
    version = version_of(connection)
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def structure(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Give the columns of every table, with their types and their places in the primary key."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: connection.execute("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?)", (name,)).fetchall()
        for (name,) in tables
    }


def expected_structure(version: int) -> dict[str, list[tuple[object, ...]]]:
    """Give the `structure` of a sound database of a version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as blank:
        for statement in (statement for step in MIGRATIONS[:version] for statement in step):
            blank.execute(statement)
        return structure(blank)
