"""Records of several lines, found in a block only where somebody asks for them (hazard 4.1). Pure.

A record is found from any byte of it: back to a line that surely begins one, and from there on to where the next one
begins. So a few lines are looked at, of thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.events import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.tailing.multiline import Continuation


class JoinedLines:
    """The records of some lines, of which the first begins one; see `RecordsOnDemand`."""

    escaped = False

    def __init__(self, data: bytes, offset: int, continuation: Continuation, encoding: str) -> None:
        """Look at nothing yet.

        Args:
            data: whole lines.
            offset: where they lie in the file.
            continuation: tells which lines belong together.
            encoding: of the lines.
        """
        self._data = data
        self._offset = offset
        self._continuation = continuation
        self._encoding = encoding

    def begins_with_one(self) -> bool:
        """Tell whether the first line begins a record: before the first one each line is a record of its own."""
        return self._continuation.begins(self._line(0), is_open=False)

    def __iter__(self) -> Iterator[Record]:
        """Give all of them."""
        start = 0
        while start < len(self._data):
            record, start = self._find(start, start + 1)
            yield record

    def at(self, place: int, floor: int) -> tuple[Record, int]:
        """Give the record at a place, and where the next one begins; see `RecordsOnDemand`."""
        return self._find(self._beginning(place, floor), place)

    def fit(self, start: int, end: int, max_lines: int, max_bytes: int) -> bool:
        """Tell whether no record in between is over its limits; one begins at `start`, and one at `end` or none.

        A stretch that is not longer than a record may be holds none that is over; else one in its middle is looked at,
        then what is before it and what is behind it.
        """
        if end - start <= max_bytes and self._data.count(b"\n", start, end) <= max_lines:
            return True
        record, behind = self.at((start + end) // 2 + 1, start)
        return (
            behind - record.start <= max_bytes
            and self._data.count(b"\n", record.start, behind) <= max_lines
            and self.fit(start, record.start, max_lines, max_bytes)
            and self.fit(behind, end, max_lines, max_bytes)
        )

    def _beginning(self, place: int, floor: int) -> int:
        """Go back from a place to a line that surely begins a record."""
        data = self._data
        start = data.rfind(b"\n", 0, place - 1) + 1
        while start > floor:
            before = data.rfind(b"\n", 0, start - 1) + 1
            if self._continuation.surely_begins(self._line(start), self._line(before)):
                return start
            start = before
        return floor

    def _find(self, start: int, place: int) -> tuple[Record, int]:
        """Go on from the beginning of a record to the one that has the byte before a place."""
        begins = self._continuation.begins
        begins(self._line(start), is_open=False)
        end = self._end(start)
        while end < len(self._data):
            if begins(self._line(end), is_open=True):
                if end >= place:
                    break
                start = end
            end = self._end(end)
        data = self._data
        stripped = end - data.endswith(b"\n", start, end)
        stripped -= data.endswith(b"\r", start, stripped)
        return Record(start, stripped, self._offset + start), end

    def _end(self, start: int) -> int:
        return self._data.find(b"\n", start) + 1 or len(self._data)

    def _line(self, start: int) -> str:
        newline = self._data.find(b"\n", start)
        line = self._data[start : len(self._data) if newline < 0 else newline]
        return line.removesuffix(b"\r").decode(self._encoding, "replace")
