r"""The records of a block: one \n and then one \r taken away, and a file's BOM (hazard 3.3). Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from shipper.events import Block

_UTF8_BOM = b"\xef\xbb\xbf"


class LogRecord:
    """One record of a block.

    Attributes:
        raw: its bytes without the terminator.
        offset: where it begins in the file.
        number: its first line in the block, from 0.
        time: when it was taken, where that is known.
    """

    __slots__ = ("_encoding", "_text", "number", "offset", "raw", "time")

    def __init__(self, raw: bytes, encoding: str, offset: int, number: int, time: datetime | None = None) -> None:
        """Decode nothing yet: most records are not wanted."""
        self.raw = raw
        self.offset = offset
        self.number = number
        self.time = time
        self._encoding = encoding
        self._text: str | None = None

    @property
    def text(self) -> str:
        """Its text; what cannot be decoded is U+FFFD."""
        if self._text is None:
            self._text = self.raw.decode(self._encoding, "replace")
        return self._text


def records_of(block: Block) -> Iterator[LogRecord]:
    """Give all records in their order."""
    if block.records is not None:
        for place in range(len(block.records)):
            yield _given(block, place)
        return
    data, at, number = block.data, 0, 0
    while at < len(data):
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline
        yield _line(block, at, end, number)
        at, number = end + 1, number + 1


def records_at(block: Block, hits: Iterable[tuple[int, int]]) -> Iterator[tuple[LogRecord, set[int]]]:
    """Give the records in which something ends, each with the numbers of what does.

    Args:
        block: of the records.
        hits: where something ends in `block.data`, and its number; sorted.
    """
    if block.records is not None:
        yield from _given_at(block, hits)
        return
    data, counted, number = block.data, 0, 0
    start = end = -1
    numbers: set[int] = set()
    for place, what in hits:
        if place > end:
            if numbers:
                yield _line(block, start, end, number), numbers
            start = data.rfind(b"\n", 0, place) + 1
            end = data.find(b"\n", place)
            if end < 0:
                end = len(data)
            if block.first_line is not None:
                number += data.count(b"\n", counted, start)
                counted = start
            numbers = set()
        numbers.add(what)
    if numbers:
        yield _line(block, start, end, number), numbers


def _given_at(block: Block, hits: Iterable[tuple[int, int]]) -> Iterator[tuple[LogRecord, set[int]]]:
    records = block.records or ()
    ends = [record.end for record in records]
    last, numbers = -1, set[int]()
    for place, what in hits:
        at = bisect_left(ends, place)
        if at == len(records) or records[at].start >= place:
            # between two records
            continue
        if at != last:
            if numbers:
                yield _given(block, last), numbers
            last, numbers = at, set()
        numbers.add(what)
    if numbers:
        yield _given(block, last), numbers


def _line(block: Block, start: int, end: int, number: int) -> LogRecord:
    raw = block.data[start:end].removesuffix(b"\r")
    if start == 0 and block.offset == 0:
        raw = raw.removeprefix(_UTF8_BOM)
    return LogRecord(raw, block.origin.encoding, block.offset + start, number)


def _given(block: Block, place: int) -> LogRecord:
    record = (block.records or ())[place]
    return LogRecord(
        block.data[record.start : record.end], block.origin.encoding, record.offset, record.line, record.time
    )
