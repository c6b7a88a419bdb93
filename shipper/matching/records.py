r"""The records of a block: one \n and then one \r taken away, and a file's BOM (hazard 3.3). Pure."""

from __future__ import annotations

from bisect import bisect_left
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from shipper.events import Block, Record, RecordsOnDemand


class LogRecord:
    """One record of a block.

    Attributes:
        raw: its bytes without the terminator.
        offset: where it begins in the file.
        number: its first line in the block, from 0; 0 where nobody counts lines.
        time: when it was taken, where that is known.
        scanned: the bytes in which a scan of the block finds it.
        cut: whether more of it came than is here.
    """

    __slots__ = ("_encoding", "_text", "cut", "number", "offset", "raw", "scanned", "time")

    def __init__(
        self,
        raw: bytes,
        encoding: str,
        offset: int,
        number: int,
        time: datetime | None = None,
        scanned: bytes | None = None,
        *,
        cut: bool = False,
    ) -> None:
        """Decode nothing yet: most records are not wanted."""
        self.raw = raw
        self.offset = offset
        self.number = number
        self.time = time
        self.scanned = raw if scanned is None else scanned
        self.cut = cut
        self._encoding = encoding
        self._text: str | None = None

    @property
    def text(self) -> str:
        """Its text; what cannot be decoded is U+FFFD."""
        if self._text is None:
            self._text = self.raw.decode(self._encoding, "replace")
        return self._text


def is_escaped(block: Block) -> bool:
    """Tell whether what the records of a block say lies in its data as JSON strings."""
    return block.records is not None and not isinstance(block.records, tuple) and block.records.escaped


def records_of(block: Block) -> Iterator[LogRecord]:
    """Give all records in their order."""
    records = block.records
    if isinstance(records, tuple):
        for record in records:
            yield _given(block, record, record.line)
        return
    if records is not None:
        lines = _Lines(block)
        for record in records:
            yield _given(block, record, lines.before(record.start))
        return
    data, at, number = block.data, 0, 0
    while at < len(data):
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline
        yield line_record(block, at, end, number)
        at, number = end + 1, number + 1


def records_at(block: Block, hits: Iterable[tuple[int, int]]) -> Iterator[tuple[LogRecord, set[int]]]:
    """Give the records in which something ends, each with the numbers of what does.

    Args:
        block: of the records.
        hits: where something ends in `block.data`, and its number; sorted.
    """
    records = block.records
    if records is None:
        yield from _lines_at(block, hits)
    elif isinstance(records, tuple):
        yield from _given_at(block, records, hits)
    else:
        yield from _found_at(block, records, hits)


def _lines_at(block: Block, hits: Iterable[tuple[int, int]]) -> Iterator[tuple[LogRecord, set[int]]]:
    data, lines = block.data, _Lines(block)
    start = end = -1
    numbers: set[int] = set()
    for place, what in hits:
        if place > end:
            if numbers:
                yield line_record(block, start, end, lines.before(start)), numbers
            start = data.rfind(b"\n", 0, place) + 1
            end = data.find(b"\n", place)
            if end < 0:
                end = len(data)
            numbers = set()
        numbers.add(what)
    if numbers:
        yield line_record(block, start, end, lines.before(start)), numbers


def _given_at(
    block: Block, records: tuple[Record, ...], hits: Iterable[tuple[int, int]]
) -> Iterator[tuple[LogRecord, set[int]]]:
    ends = [record.end for record in records]
    last, numbers = -1, set[int]()
    for place, what in hits:
        at = bisect_left(ends, place)
        if at == len(records) or records[at].start >= place:
            # between two records
            continue
        if at != last:
            if numbers:
                yield _given(block, records[last], records[last].line), numbers
            last, numbers = at, set()
        numbers.add(what)
    if numbers:
        yield _given(block, records[last], records[last].line), numbers


def _found_at(
    block: Block, records: RecordsOnDemand, hits: Iterable[tuple[int, int]]
) -> Iterator[tuple[LogRecord, set[int]]]:
    lines = _Lines(block)
    found: Record | None = None
    behind, numbers = 0, set[int]()
    for place, what in hits:
        if place > behind:
            if found is not None:
                yield _given(block, found, lines.before(found.start)), numbers
            found, behind = records.at(place, behind)
            numbers = set()
        numbers.add(what)
    if found is not None:
        yield _given(block, found, lines.before(found.start)), numbers


class _Lines:
    """Counts the lines of a block, if anybody does."""

    def __init__(self, block: Block) -> None:
        self._data = block.data if block.first_line is not None else b""
        self._counted = self._number = 0

    def before(self, place: int) -> int:
        """Tell how many there are before a place, which is not before the last one."""
        if self._data:
            self._number += self._data.count(b"\n", self._counted, place)
            self._counted = place
        return self._number


def line_record(block: Block, start: int, end: int, number: int) -> LogRecord:
    """Give the record of a line.

    Args:
        block: of lines.
        start: where the line begins in its data.
        end: where its newline is, or would be.
        number: of the line, from 0.
    """
    raw = block.data[start:end].removesuffix(b"\r")
    if start == 0 and block.offset == 0:
        raw = raw.removeprefix(BOM_UTF8)
    return LogRecord(raw, block.origin.encoding, block.offset + start, number)


def _given(block: Block, record: Record, number: int) -> LogRecord:
    there = block.data[record.start : record.end]
    raw = there if record.text is None else record.text
    return LogRecord(raw, block.origin.encoding, record.offset, number, record.time, there, cut=record.cut)
