"""Reads out of a damaged store what is still sound, into a new one (hazard 5.3).

Promises
- A row is taken as it was written or not at all, as far as that can be told: see `soundness`.
- One unreadable page costs its own rows only: a table is read from both ends up to what cannot be read, and between
  two such places by probing.
- Positions count only if no waiting event may be missing: the events of what lies before an offset are nowhere else
  (I2). If one may be, every file is read again from 0: duplicates rather than loss.

The damaged database is not touched: a copy is read. Its first page, which says where the tables begin, is replaced by
one that is known: the tables of the first step of MIGRATIONS begin at the same pages in every store. For the others,
and for a store that was rebuilt by hand, its own first page is asked. What was read twice is there once.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.outbox import rows
from shipper.outbox.schema import POSITIONS_LOST, VERSION
from shipper.outbox.soundness import UNREADABLE, columns_of, is_proven, is_sound, tables, text_or_none

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from shipper.outbox.soundness import Table

STORE_DAMAGED = "store_damaged"
PARTS = ("", "-wal", "-shm", "-journal")
"""What the files of one database are called: its name with each of these behind it."""

_POSITIONS = frozenset({"files", "past"})
_FIRST = frozenset(table.name for table in tables(1))
_FRUITLESS = 500
"""After so many looks in a row that gave nothing, what is left of a table counts as unreadable."""
_HIGHEST = (1 << 63) - 1

Key = tuple[Any, ...]


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
    with _copied(damaged, len(known)) as copy:
        own = _mended(_first_bytes(copy, len(known)), known)
        for page, names in ((known, _FIRST), (own, None), (known, None)):
            _write_first_page(copy, page)
            with closing(sqlite3.connect(copy, isolation_level=None)) as run:
                for table in tables():
                    if table.name not in whole and (names is None or table.name in names):
                        whole |= {table.name} if _take(run, table, into) else set()
    partial = tuple(table.name for table in tables() if table.name not in whole)
    reread = "outbox" in partial
    if reread:
        _rewind(into)
    missing_events = _missing(into, "outbox", "seq") if reread else 0
    missing_dead_letters = _missing(into, "dead_letters", "id") if "dead_letters" in partial else 0
    if missing_dead_letters:
        into.execute(rows.ADD_LOSS, ("events", STORE_DAMAGED, missing_dead_letters))
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
    """Give a first page with what is the same in every store: how it begins, and that no log is beside it."""
    return known[:16] + page[16:18] + known[18:20] + page[20:]


def _write_first_page(file: Path, page: bytes) -> None:
    with file.open("r+b") as opened:
        opened.write(page)


def _take(run: sqlite3.Connection, table: Table, into: sqlite3.Connection) -> bool:
    """Copy the sound rows of one table; tells whether it is sure that there were no others."""
    # sizes and pages that do not fit together are no reason to read nothing
    run.execute("PRAGMA writable_schema = ON")
    run.execute("PRAGMA cell_size_check = ON")
    run.text_factory = text_or_none
    try:
        there = {column.name for column in columns_of(run, table.name)}
        version = int(run.execute("PRAGMA user_version").fetchone()[0])
    except UNREADABLE:
        return False
    if not there:
        return 0 < version < VERSION and table not in tables(version)
    names = [column.name for column in table.columns if column.name in there]
    if any(column.required and column.default is None and column.name not in there for column in table.columns):
        # no older version was without it
        return False
    scan = _Scan(run, table, names)
    places = ", ".join("?" * len(names))
    into.executemany(f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({places})", scan.rows())  # noqa: S608
    return not scan.broken and _is_whole(run, table)


def _is_whole(run: sqlite3.Connection, table: Table) -> bool:
    """Tell whether a table's pages are all there: a row that is lost to its page's index makes no error when read."""
    try:
        return bool(run.execute(f"PRAGMA quick_check('{table.name}')").fetchone()[0] == "ok")
    except UNREADABLE:
        return False


class _Scan:
    """Reads one table around what cannot be read.

    Attributes:
        broken: something could not be read, or was nothing that the store writes.
    """

    def __init__(self, run: sqlite3.Connection, table: Table, names: list[str]) -> None:
        self.broken = False
        self._run = run
        self._table = table
        self._names = names
        self._key = [names.index(name) for name in table.key]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the sound rows; one may come twice."""
        gaps: deque[tuple[Key | None, Key | None]] = deque([self._ends()])
        fruitless = 0
        while gaps and fruitless < _FRUITLESS:
            low, high = gaps.popleft()
            fruitless += 1
            for order in ("ASC", "DESC"):
                reached, failed = yield from self._stretch(low, high, order)
                if not failed:
                    break
                self.broken = True
                if reached is not None:
                    fruitless = 0
                    low, high = (reached, high) if order == "ASC" else (low, reached)
            else:
                middle = _middle(low, high)
                if middle is not None:
                    # the last column of each key that has a middle is a number: the middle itself is to the right
                    gaps += [(low, middle), ((*middle[:-1], middle[-1] - 1), high)]

    def _ends(self) -> tuple[Key | None, Key | None]:
        """Give bounds of the keys of a numbered table: there its middle is known, whatever cannot be read."""
        with suppress(*UNREADABLE):
            last = self._run.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (self._table.name,)).fetchone()
            if last and isinstance(last[0], int) and 0 < last[0] < _HIGHEST:
                return (0,), (last[0] + 1,)
        return None, None

    def _stretch(
        self, low: Key | None, high: Key | None, order: str
    ) -> Generator[tuple[Any, ...], None, tuple[Key | None, bool]]:
        """Give the rows between two keys from one end; returns the last key, and whether something is in the way."""
        columns = ", ".join(self._table.key)
        places = ", ".join("?" * len(self._key))
        bounds = [(sign, key) for sign, key in ((">", low), ("<", high)) if key is not None]
        where = " AND ".join(f"({columns}) {sign} ({places})" for sign, _ in bounds) or "TRUE"
        by = ", ".join(f"{name} {order}" for name in self._table.key)
        statement = f"SELECT {', '.join(self._names)} FROM {self._table.name} WHERE {where} ORDER BY {by}"  # noqa: S608
        reached: Key | None = None
        try:
            for row in self._run.execute(statement, [value for _, key in bounds for value in key]):
                if not self._is_taken(row):
                    self.broken = True
                    continue
                key = tuple(row[place] for place in self._key)
                if reached is not None and (key <= reached) == (order == "ASC"):
                    # a page that is reached twice: there may be no end to it
                    return reached, True
                reached = key
                yield row
        except UNREADABLE:
            return reached, True
        return reached, False

    def _is_taken(self, row: tuple[Any, ...]) -> bool:
        values = dict(zip(self._names, row, strict=True))
        return is_sound(self._table, values) and (self._table.name not in _POSITIONS or is_proven(values))


def _middle(low: Key | None, high: Key | None) -> Key | None:
    """Give a key between two others; None where there is none, or where they are no numbers."""
    if low is None or high is None:
        return None
    for place, (before, after) in enumerate(zip(low, high, strict=True)):
        if before == after:
            continue
        if not (isinstance(before, int) and isinstance(after, int)) or not isinstance(low[-1], int):
            return None
        middle = (*low[:place], (before + after + 1) // 2, *(0 for _ in low[place + 1 :]))
        return middle if low < middle < high else None
    return None


def _rewind(into: sqlite3.Connection) -> None:
    """Set positions back: every file is read again, also one that has another name by now."""
    into.execute("DELETE FROM past")
    into.execute("DELETE FROM files WHERE finished")
    into.execute("UPDATE files SET offset = 0, guard_length = 0, line = 0")


def _missing(into: sqlite3.Connection, table: str, key: str) -> int:
    """Count the rows that are missing between the first and the last one: they were numbered one after another."""
    found = into.execute(f"SELECT coalesce(max({key}) - min({key}) + 1 - count(*), 0) FROM {table}")  # noqa: S608
    return int(found.fetchone()[0])
