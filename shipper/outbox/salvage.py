"""Reads out of a damaged store what is still sound, into a new one (hazard 5.3).

Promises
- A row is taken as it was written or not at all, as far as that can be told: see `soundness`.
- One unreadable page costs its own rows only: see `scan`.
- Positions count only if no waiting event may be missing: the events of what lies before an offset are nowhere else
  (I2). If one may be, every file is read again from 0: duplicates rather than loss.

The damaged database is not touched: a copy is read. If its first page, which says where the tables begin, does not
lead to all rows, it is replaced by that of a new store: the tables of the first step of MIGRATIONS begin at the same
pages in every store. If they seem not to, what is read as such a table may be another one, and rows may be missing.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.events import LostEvents
from shipper.outbox import rows
from shipper.outbox.scan import Scan
from shipper.outbox.schema import POSITIONS_LOST, VERSION
from shipper.outbox.soundness import UNREADABLE, Table, columns_of, tables, text_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator


PARTS = ("", "-wal", "-shm", "-journal")
"""What the files of one database are called: its name with each of these behind it."""

_FIRST = frozenset(table.name for table in tables(1))


@dataclass(frozen=True, slots=True)
class Salvage:
    """What came out of a damaged store.

    Attributes:
        kept: number of rows by table.
        partial: the tables of which rows are missing, or may be.
        missing_events: waiting events that their numbers say are missing between those that were kept.
        missing_dead_letters: dead letters likewise; they are counted as lost.
        reread: whether all files are read again from their beginning.
    """

    kept: dict[str, int]
    partial: tuple[str, ...]
    missing_events: int
    missing_dead_letters: int
    reread: bool


def salvage(damaged: Path, into: sqlite3.Connection) -> Salvage:
    """Take what is sound in a damaged database.

    Args:
        damaged: the database, and beside it its write-ahead log if there is one.
        into: a new store, empty.

    Raises:
        OSError: the database cannot be copied.
        sqlite3.Error: the new store cannot be written.
    """
    place = into.execute("PRAGMA database_list").fetchone()[2]
    blank = _first_bytes(Path(place), into.execute("PRAGMA page_size").fetchone()[0])
    # so that the number of pages is that of the file
    known = blank[:28] + bytes(4) + blank[32:]
    into.execute("BEGIN IMMEDIATE")
    whole: set[str] = set()
    moved: set[str] = set()
    with _copied(damaged, len(known)) as copy:
        for page in (_mended(_first_bytes(copy, len(known)), known), known):
            _write_first_page(copy, page)
            with closing(_opened(copy)) as run:
                elsewhere = _moved(run, into)
                moved |= elsewhere
                # all of them were moved by somebody, one alone by damage
                left_out = whole | (elsewhere if elsewhere != _FIRST else set())
                whole |= {t.name for t in tables() if t.name not in left_out and _take(run, t, into)}
    partial = tuple(table.name for table in tables() if table.name not in whole - moved)
    reread = "outbox" in partial
    if reread:
        _rewind(into)
    missing_events = _missing(into, "outbox", "seq") if reread else 0
    missing_dead_letters = _missing(into, "dead_letters", "id") if "dead_letters" in partial else 0
    if missing_dead_letters:
        into.execute(rows.ADD_LOSS, ("events", LostEvents.STORE_DAMAGED, missing_dead_letters))
    into.execute(rows.ADD_TO_COUNTER, (POSITIONS_LOST, 1))
    kept = {
        table.name: into.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608  our own names
        for table in tables()
    }
    into.execute("COMMIT")
    return Salvage(kept, partial, missing_events, missing_dead_letters, reread)


def remove(file: Path) -> None:
    """Remove all files of a database, if there are any."""
    for part in PARTS:
        file.with_name(file.name + part).unlink(missing_ok=True)


@contextmanager
def _copied(damaged: Path, page: int) -> Iterator[Path]:
    """Copy a database for the time of reading it; what its write-ahead log holds is in the copy itself.

    Args:
        damaged: the database.
        page: bytes of its pages.
    """
    copy = damaged.with_name(damaged.name + ".copy")
    remove(copy)
    try:
        for part in ("", "-wal"):
            if (source := damaged.with_name(damaged.name + part)).exists():
                target = copy.with_name(copy.name + part)
                os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                shutil.copyfile(source, target)
        size = copy.stat().st_size
        # half a page would be filled up with NULs; and of an empty database SQLite does not look into the log
        os.truncate(copy, max(page, size - size % page))
        # the log is checked frame by frame, and closing brings its good ones home
        with suppress(*UNREADABLE), closing(sqlite3.connect(copy, isolation_level=None)) as run:
            run.execute("PRAGMA wal_checkpoint")
        copy.with_name(copy.name + "-wal").unlink(missing_ok=True)
        yield copy
    finally:
        remove(copy)


def _first_bytes(file: Path, amount: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(amount)


def _mended(page: bytes, known: bytes) -> bytes:
    """Give a first page with the header that every store has, but for the size of its pages and its version."""
    return known[:16] + page[16:18] + known[18:60] + page[60:64] + known[64:100] + page[100:]


def _write_first_page(file: Path, page: bytes) -> None:
    with file.open("r+b") as opened:
        opened.write(page)


def _opened(copy: Path) -> sqlite3.Connection:
    run = sqlite3.connect(copy, isolation_level=None)
    # sizes and pages that do not fit together are no reason to read nothing
    run.execute("PRAGMA writable_schema = ON")
    run.execute("PRAGMA cell_size_check = ON")
    run.text_factory = text_or_none
    return run


def _moved(run: sqlite3.Connection, into: sqlite3.Connection) -> set[str]:
    """Give the tables that do not begin where they do in every store: what is read there may be another one."""
    statement = "SELECT name, rootpage FROM sqlite_master"
    try:
        found = dict(run.execute(statement).fetchall())
    except UNREADABLE:
        return set()
    return {name for name, root in into.execute(statement) if name in _FIRST and found.get(name, root) != root}


def _take(run: sqlite3.Connection, table: Table, into: sqlite3.Connection) -> bool:
    """Copy the sound rows of one table; tells whether it is sure that there were no others."""
    try:
        there = columns_of(run, table.name)
        version = int(run.execute("PRAGMA user_version").fetchone()[0])
    except UNREADABLE:
        return False
    if not there:
        return 0 < version < VERSION and table.name not in {each.name for each in tables(version)}
    if all(Table(table.name, there) not in tables(each) for each in range(1, VERSION + 1)):
        # what is in its rows would be taken for something else
        return False
    names = [column.name for column in there]
    scan = Scan(run, table, names)
    places = ", ".join("?" * len(names))
    into.executemany(f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({places})", scan.rows())  # noqa: S608
    return not scan.broken and _is_whole(run, table)


def _is_whole(run: sqlite3.Connection, table: Table) -> bool:
    """Tell whether a table's pages are all there: a row that is lost to its page's index makes no error when read."""
    try:
        return bool(run.execute(f"PRAGMA quick_check('{table.name}')").fetchone()[0] == "ok")
    except UNREADABLE:
        return False


def _rewind(into: sqlite3.Connection) -> None:
    """Set positions back: every file is read again, also one that has another name by now."""
    into.execute("DELETE FROM past")
    # what was counted comes again
    into.execute("DELETE FROM limits")
    into.execute("DELETE FROM passes")
    into.execute("DELETE FROM files WHERE finished")
    into.execute("UPDATE files SET offset = 0, guard_length = 0, line = 0")


def _missing(into: sqlite3.Connection, table: str, key: str) -> int:
    """Count the rows that are missing between the first and the last one: they were numbered one after another."""
    found = into.execute(f"SELECT coalesce(max({key}) - min({key}) + 1 - count(*), 0) FROM {table}")  # noqa: S608
    return int(found.fetchone()[0])
