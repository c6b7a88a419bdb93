"""Tells a sound store from a damaged one: its pages, its tables, and every value in them (hazard 5.3).

SQLite keeps no checksums of its pages: what is wrong inside a value, and still a possible value, nobody can tell.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from shipper.events import LineState
from shipper.outbox.schema import VERSION, blank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises; SQLite's own words about it may be undecodable too."""
LONGEST_STRETCH = 64 * 1024
"""More bytes than a fingerprint is ever taken of."""
_SURE_BYTES = 64
_LINE_STATES = frozenset(int(state) for state in LineState)
_LIMITS = {"threshold": 2, "fold": 3, "throttle": 6}
"""How many values the state of a limit has, by its kind."""
_KINDS: Mapping[str, type] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as SQLite describes it (`PRAGMA table_info`): place, name, type, whether it is never NULL, default, key.

    Attributes:
        key: its place in the primary key, from 1; 0 outside of it.
    """

    place: int
    name: str
    kind: str
    required: int
    default: str | None
    key: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the store."""

    name: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key, in its order."""
        return tuple(c.name for c in sorted(self.columns, key=lambda column: column.key) if c.key)


@cache
def tables(version: int = VERSION) -> tuple[Table, ...]:
    """Give the tables that a store of some version has."""
    with closing(blank(version)) as connection:
        return tables_of(connection)


def tables_of(connection: sqlite3.Connection) -> tuple[Table, ...]:
    """Give the tables that a database has, SQLite's own ones left out."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return tuple(Table(name, columns_of(connection, name)) for (name,) in names.fetchall())


def columns_of(connection: sqlite3.Connection, table: str) -> tuple[Column, ...]:
    """Give the columns of a table, none when there is no such table."""
    return tuple(Column(*row) for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,)))


def text_or_none(raw: bytes) -> str | None:
    """Decode a TEXT value (a `text_factory`); what is no UTF-8 becomes None, which no TEXT column may hold."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def damage_of(connection: sqlite3.Connection, version: int) -> str | None:
    """Say what is wrong with a database that should be a store of some version; None when nothing is.

    Raises:
        sqlite3.DatabaseError, UnicodeDecodeError: it is too damaged to be judged.
    """
    connection.text_factory = text_or_none
    try:
        return _damage_of_pages(connection) or _damage_of_tables(connection, tables(version))
    finally:
        connection.text_factory = str


def _damage_of_pages(connection: sqlite3.Connection) -> str | None:
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return None if found == "ok" else found


def _damage_of_tables(connection: sqlite3.Connection, expected: tuple[Table, ...]) -> str | None:
    there = set(tables_of(connection))
    # further tables may be somebody's own, but not those that a migration would make
    if not there >= set(expected) or {t.name for t in there - set(expected)} & {t.name for t in tables()}:
        return "its tables are not those of its version"
    for table in expected:
        names = [column.name for column in table.columns]
        for row in connection.execute(f"SELECT {', '.join(names)} FROM {table.name}"):  # noqa: S608  our own names
            if not is_sound(table, dict(zip(names, row, strict=True))):
                return f"its table {table.name} holds what was never written"
    return None


def is_sound(table: Table, row: Mapping[str, object]) -> bool:
    """Tell whether a row holds what the store writes: the right kinds, in their ranges.

    Args:
        table: the row's table.
        row: values by column; columns that an older version did not have may be left out.
    """
    for column in table.columns:
        if column.name not in row:
            continue
        value = row[column.name]
        if value is None:
            if column.required or column.key:
                return False
        elif not isinstance(value, _KINDS[column.kind]):
            return False
    check = _CHECKS.get(table.name)
    return check is None or check(row)


def is_proven(row: Mapping[str, object]) -> bool:
    """Tell whether a file's position can be trusted although its store is damaged; when in doubt it is not.

    The guard is compared with the file before a byte is read from there, so that a wrong offset is noticed, if it
    covers enough: all that is before the offset, or more bytes than repeat by chance (hazard 1.3).
    """
    offset, guard = row["offset"], row["guard_length"]
    if not (isinstance(offset, int) and isinstance(guard, int)):
        return False
    # a file is finished only after its name has gone
    return min(offset, _SURE_BYTES) <= guard <= offset and not (row.get("finished") and row.get("gone_at") is None)


def _is_position(row: Mapping[str, object]) -> bool:
    match row:
        case {
            "path": bytes(path),
            "offset": int(offset),
            "head_length": int(head),
            "guard_length": int(guard),
            "line": int(line),
        }:
            return (
                bool(path)
                and b"\0" not in path
                and 0 <= guard <= offset
                and max(head, guard) <= LONGEST_STRETCH
                and head >= 0
                and line in _LINE_STATES
                and row.get("finished", 0) in (0, 1)
            )
    return False


def _is_source(row: Mapping[str, object]) -> bool:
    try:
        globs = json.loads(str(row["globs"]))
    except ValueError:
        return False
    return isinstance(globs, list) and all(isinstance(glob, str) for glob in globs)


def _is_batch(row: Mapping[str, object]) -> bool:
    try:
        numbers = json.loads(str(row["events"]))
    except ValueError:
        return False
    return isinstance(numbers, list) and all(isinstance(number, int) for number in numbers)


def _is_pass(row: Mapping[str, object]) -> bool:
    try:
        place = json.loads(str(row["place"]))
    except ValueError:
        return False
    kinds = [str] * 2 + [int] * 5 + [str] * 2 + [int] * 3 + [bool] + [int] * 3
    rules = row["rules"]
    return (
        isinstance(rules, bytes)
        and len(rules) % 8 == 0
        and isinstance(place, list)
        and [type(value) for value in place] == kinds
    )


def _are_ids(row: Mapping[str, object]) -> bool:
    ids = row["ids"]
    return isinstance(ids, bytes) and len(ids) % 16 == 0


def _is_history(row: Mapping[str, object]) -> bool:
    try:
        times = json.loads(str(row["modified"]))
    except ValueError:
        return False
    sound = isinstance(times, list) and all(isinstance(time, int) for time in times)
    return sound and row.get("set_back", 0) in {0, 1}


def _is_limit(row: Mapping[str, object]) -> bool:
    try:
        state = json.loads(row["state"] if isinstance(row["state"], bytes) else "")
    except ValueError:
        return False
    return isinstance(state, list) and row["kind"] in _LIMITS and len(state) == _LIMITS[str(row["kind"])]


def _is_loss(row: Mapping[str, object]) -> bool:
    return row["what"] in {"bytes", "events"} and _is_amount(row)


def _is_amount(row: Mapping[str, object]) -> bool:
    return isinstance(row["amount"], int) and row["amount"] >= 0


def _is_event(row: Mapping[str, object]) -> bool:
    """An encoded event holds no NULs; a page that was written by halves does."""
    payload = row["payload"]
    return isinstance(payload, bytes) and bool(payload) and b"\0" not in payload


def _is_place(row: Mapping[str, object]) -> bool:
    match row:
        case {"path": bytes(path), "offset": int(offset), "length": int(length)}:
            return bool(path) and b"\0" not in path and offset >= 0 and length >= 0
    return False


_CHECKS: Mapping[str, Callable[[Mapping[str, object]], bool]] = {
    "files": _is_position,
    "past": _is_position,
    "histories": _is_history,
    "outbox": _is_event,
    "acknowledged": _is_batch,
    "dead_letters": _is_event,
    "unjudged": _is_place,
    "delivered": _are_ids,
    "passes": _is_pass,
    "sources": _is_source,
    "limits": _is_limit,
    "losses": _is_loss,
    "counters": _is_amount,
}
