"""Opens the database that the agent writes: brought to this version, or set aside when it is damaged.

A store is in its place whole or not at all, at whatever moment the process ends: it is made under another name, and
gets its own when it is durable. So an empty file was emptied by somebody else, and counts as damaged (hazard 5.3).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.errors import StateError
from shipper.outbox.salvage import PARTS, remove, salvage
from shipper.outbox.schema import migrate, refuse_newer, version_of
from shipper.outbox.soundness import UNREADABLE, damage_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def open_or_set_aside(file: Path) -> sqlite3.Connection:
    """Open or create a database; a damaged one is moved away and said, and what is sound in it goes into a new one.

    Returns:
        A connection that any thread may use.

    Raises:
        StateError: it cannot be opened or set aside, or belongs to a newer version.
    """
    try:
        if not file.exists():
            _begin(file)
        return _open(file)
    except (sqlite3.OperationalError, OSError) as error:
        # a statement of ours that is none to SQLite: the tables are not ours
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            raise _cannot_open(file, error) from None
        damage = str(error)
    except UNREADABLE as error:
        damage = str(error)
    try:
        _begin_anew(file, damage)
        return _open(file)
    except (sqlite3.Error, OSError) as error:
        raise StateError(
            f"the store {file} is damaged ({damage}) and cannot be set aside: {error}; see that its directory is "
            "writable by the agent's user and that its disk has room"
        ) from None


def _open(file: Path) -> sqlite3.Connection:
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, 20, 0)
    finally:
        os.close(descriptor)
    # what SQLite takes for no damage: it would begin an empty database anew, and not write one of a later format
    if not head:
        raise sqlite3.DatabaseError("it is empty")
    if not {*head[18:20]} <= {1, 2}:
        raise sqlite3.DatabaseError("its first bytes are not those of a database")
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = version_of(connection)
        refuse_newer(version, file)
        # before anything is changed: a damaged database is kept as it was found
        if (damage := damage_of(connection, version)) is not None:
            raise sqlite3.DatabaseError(damage)
        migrate(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(file: Path) -> None:
    """Put a store where there is none: the one with which a start was to replace a damaged one, or an empty one."""
    if not _new(file).exists():
        with _made(file):
            pass
    _put_in_place(file, _free_name(file))


def _begin_anew(file: Path, damage: str) -> None:
    """Replace a damaged store; a start that ends anywhere in this is made good by the next one."""
    with _made(file) as connection:
        found = salvage(file, connection)
    aside = _free_name(file)
    telemetry.store_set_aside(
        str(file),
        str(aside),
        damage,
        kept=found.kept,
        partial=found.partial,
        missing_events=found.missing_events,
        missing_dead_letters=found.missing_dead_letters,
        reread=found.reread,
    )
    _put_in_place(file, aside)


@contextmanager
def _made(file: Path) -> Iterator[sqlite3.Connection]:
    """Make a new store beside its place, to be filled; it gets the name of a new one when it is whole and durable."""
    growing = file.with_name(f"{file.name}.part")
    remove(growing)
    os.close(os.open(growing, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(growing, isolation_level=None)) as connection:
        migrate(connection, growing)
        yield connection
    _rename(growing, _new(file))


def _put_in_place(file: Path, aside: Path) -> None:
    """Give the new store its name, after everything that has it now, a log without its database too."""
    # the database itself first: while it is there, all of it is
    for part in PARTS:
        if (before := file.with_name(file.name + part)).exists():
            _rename(before, aside.with_name(aside.name + part))
    _rename(_new(file), file)


def _new(file: Path) -> Path:
    return file.with_name(f"{file.name}.new")


def _free_name(file: Path) -> Path:
    """Give a name under which a damaged store is kept."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = file.with_name(f"{file.name}.corrupt-{stamp}")
    number = 1
    # two in one second: the first one is not overwritten
    while any(aside.with_name(aside.name + part).exists() for part in PARTS):
        number += 1
        aside = file.with_name(f"{file.name}.corrupt-{stamp}-{number}")
    return aside


def _rename(file: Path, name: Path) -> None:
    """Rename, and make the name survive a power loss."""
    file.rename(name)
    directory = os.open(name.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _cannot_open(file: Path, error: Exception) -> StateError:
    return StateError(
        f"the store {file} cannot be opened: {error}; see that its disk is writable and has room, and that the file "
        "belongs to the agent's user"
    )
