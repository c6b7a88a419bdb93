"""Opens the database that the agent writes: brought to this version, or set aside when it is damaged."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.errors import StateError
from shipper.outbox.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path


def open_or_set_aside(file: Path) -> tuple[sqlite3.Connection, bool]:
    """Open or create a database; a damaged one is moved away and said, and a new one begun (hazard 5.3).

    Returns:
        A connection that any thread may use, and whether a damaged database was set aside.

    Raises:
        StateError: it cannot be opened or set aside, or belongs to a newer version.
    """
    try:
        return _open(file), False
    except (sqlite3.OperationalError, OSError) as error:
        raise _cannot_open(file, error) from None
    except sqlite3.DatabaseError as error:
        damage = str(error)
    try:
        aside = _set_aside(file)
        telemetry.store_set_aside(str(file), str(aside), damage)
        return _open(file), True
    except (sqlite3.Error, OSError) as error:
        raise StateError(
            f"the store {file} is damaged ({damage}) and cannot be set aside: {error}; see that its directory is "
            "writable by the agent's user and that its disk has room"
        ) from None


def _open(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # before anything is changed: a damaged database is kept as it was found
        if (damage := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(str(damage))
        migrate(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(file: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = file.with_name(f"{file.name}.corrupt-{stamp}")
    number = 1
    # two in one second: the first one is not overwritten
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.corrupt-{stamp}-{number}")
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _cannot_open(file: Path, error: Exception) -> StateError:
    return StateError(
        f"the store {file} cannot be opened: {error}; see that its disk is writable and has room, and that the file "
        "belongs to the agent's user"
    )
