"""Reads one table of a damaged database around what cannot be read.

From both ends up to what cannot be read; and between two such places by looking in the middle, again and again, where
keys are numbers.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shipper.outbox.soundness import UNREADABLE, is_proven, is_sound

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

    from shipper.outbox.soundness import Table

Key = tuple[Any, ...]

_POSITIONS = frozenset({"files", "past"})
_FRUITLESS = 500
"""After so many looks in a row that gave nothing, what is left of a table counts as unreadable."""
_HIGHEST = (1 << 63) - 1


class Scan:
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
                last = reached or (low if order == "ASC" else high)
                if last is not None and (key <= last if order == "ASC" else key >= last):
                    # where keys are in disorder there may be no end to what is between two of them
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
