"""The time of a record that carries none: that of the nearest one before it which does (`shipper backfill`).

It is looked for in the `REACH_BYTES` before the record, also where those lie in the file before it. So it does not
depend on where reading began, nor on where blocks end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from shipper.events import Block
    from shipper.matching.composer import ReadTime
    from shipper.matching.records import LogRecord

REACH_BYTES = 64 * 1024


class PrecedingTimes:
    """A `TimeBefore`: tells from the text that was read before a record, as long as `passed` is told of each block."""

    def __init__(self) -> None:
        """Begin with no text; `begin` before the first block of a file."""
        self._tail: bytes | Callable[[], bytes] = b""
        self._found: dict[tuple[ReadTime, tzinfo | None], tuple[int, datetime | None]] = {}
        self._offset = -1

    def begin(self, tail: bytes | Callable[[], bytes]) -> None:
        """Begin with a file, or go on somewhere in it.

        Args:
            tail: what comes before, of this file or of the one before it; or what gives it, where that is costly.
        """
        self._tail = tail
        self._offset = -1

    def passed(self, block: Block) -> None:
        """Note that a block was judged: the next one comes behind it."""
        if len(block.data) >= REACH_BYTES:
            self._tail = block.data[-REACH_BYTES:]
        elif callable(self._tail):
            before, data = self._tail, block.data
            self._tail = lambda: (before() + data)[-REACH_BYTES:]
        else:
            self._tail = (self._tail + block.data)[-REACH_BYTES:]

    def __call__(self, record: LogRecord, block: Block, zone: tzinfo | None, read: ReadTime) -> datetime | None:
        """Give the time of the nearest line before a record that has one; see `TimeBefore`."""
        if self._offset != block.offset:
            # what was found before is of another block
            self._found.clear()
            self._offset = block.offset
        place = min(max(0, record.offset - block.offset), len(block.data))
        known, time = self._found.get((read, zone), (-1, None))
        if known <= place:
            time = self._look(block, place, known, time, zone, read)
            self._found[read, zone] = place, time
        return time

    def _look(
        self, block: Block, place: int, known: int, time: datetime | None, zone: tzinfo | None, read: ReadTime
    ) -> datetime | None:
        """Go back line by line: to what is known of this block, or on into the text before it."""
        reference, encoding = block.read_at, block.origin.encoding
        found = _last_time(block.data, place, max(known, 0, place - REACH_BYTES), reference, encoding, zone, read)
        if found is not None or known >= 0 or place >= REACH_BYTES:
            return time if found is None else found
        if callable(self._tail):
            self._tail = self._tail()
        floor = max(0, len(self._tail) - (REACH_BYTES - place))
        return _last_time(self._tail, len(self._tail), floor, reference, encoding, zone, read)


def _last_time(
    data: bytes, end: int, floor: int, reference: datetime, encoding: str, zone: tzinfo | None, read: ReadTime
) -> datetime | None:
    """Give the time of the last line before `end` that has one; none that begins before `floor` is looked at."""
    while end > floor:
        start = data.rfind(b"\n", floor, end - 1) + 1
        if start <= floor and floor:
            start = floor
        found = read(data[start:end].decode(encoding, "replace"), reference, zone)
        if found is not None:
            return found
        end = start
    return None
