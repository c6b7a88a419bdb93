"""Whether a database is sound, found out without changing a byte of it (hazard 5.3)."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from shipper.errors import StateError
from shipper.outbox.schema import TABLES, expected_structure, refuse_newer, structure, version_of

if TYPE_CHECKING:
    from pathlib import Path

# no version will ever be so far ahead: a number over it was not written by any version of this product
_FAR_AHEAD = 1000
_DAMAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_TOOBIG,
        # what SQLite says about a statement it cannot compile: the statements are ours, so the schema is not
        sqlite3.SQLITE_ERROR,
    }
)


class DamagedError(Exception):
    """The database is not what this product writes; the text says how that shows."""


def is_damage(error: sqlite3.Error) -> bool:
    """Tell a database that is damaged from one that cannot be used just now (busy, disk full, no permission)."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return (code & 0xFF) in _DAMAGE_CODES


def open_read_only(file: Path, *, untouched: bool = False) -> sqlite3.Connection:
    """Open a database for reading.

    Args:
        file: the database; it must exist.
        untouched: also make no files beside it; for a database without a write-ahead log that nobody writes.
    """
    mode = "immutable=1" if untouched else "mode=ro"
    address = f"file:{quote(os.fsencode(file.absolute()))}?{mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
    connection.text_factory = lenient_text
    return connection


def lenient_text(data: bytes) -> str:
    """Decode text of the database; bytes that are damaged must not keep the rest from being read."""
    return data.decode("utf-8", "replace")


def inspect(file: Path) -> int:
    """Look at every page and every row of a database, and give its version.

    Raises:
        DamagedError: it is damaged.
        StateError: it cannot be read now, is no file, or belongs to a newer version.
    """
    try:
        found = file.stat()
        # SQLite takes an empty file for a new database, and deletes the write-ahead log beside it
        if stat.S_ISREG(found.st_mode) and not found.st_size:
            raise DamagedError("it is empty")
        if not stat.S_ISREG(found.st_mode):
            raise StateError(f"{file} is not a file; move it away, or give another state_dir")
        # asked for before SQLite does, which would say less about a file without permission
        os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise cannot_open(file, error.strerror or str(error)) from None
    try:
        with closing(open_read_only(file)) as connection:
            return _inspect(connection, file)
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedError(str(error)) from None
        raise cannot_open(file, str(error)) from None


def cannot_open(file: Path, reason: str) -> StateError:
    """Say that a store cannot be opened, and what to do."""
    return StateError(
        f"the store {file} cannot be opened: {reason}; see that its disk is writable and has room, "
        "and that the file belongs to the agent's user"
    )


def _inspect(connection: sqlite3.Connection, file: Path) -> int:
    version = version_of(connection)
    if version < 0 or version > _FAR_AHEAD:
        raise DamagedError(f"{version} is no store version")
    refuse_newer(version, file)
    # a step or a clean-up of ours always leaves a sound database, whoever was killed; so this is for damage alone
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found is None or found[0] != "ok":
        raise DamagedError("nothing is said about it" if found is None else " ".join(str(found[0]).split()))
    tables = structure(connection)
    if tables != expected_structure(version):
        raise DamagedError("its tables are not those of a store")
    for table in TABLES:
        if table.name not in tables:
            continue
        columns = [str(column[0]) for column in tables[table.name]]
        if unsound_rows(connection, table.name, table.sound(columns)):
            raise DamagedError(f"rows of its table {table.name} are not those of a store")
    if version and unsound_rows(connection, "sqlite_sequence", _SOUND_SEQUENCE):
        raise DamagedError("its row numbers are used up")
    return version


_SOUND_SEQUENCE = f"typeof(seq) = 'integer' AND seq BETWEEN 0 AND {1 << 62}"


def unsound_rows(connection: sqlite3.Connection, table: str, sound: str) -> bool:
    """Tell whether a table has a row that does not fulfil a condition of SQL."""
    # both are words of this product's own schema, never data
    return bool(connection.execute(f"SELECT 1 FROM {table} WHERE NOT ({sound}) LIMIT 1").fetchone())  # noqa: S608
