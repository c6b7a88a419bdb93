"""Where in a sorted log the time asked for lies, found by looking at a few places of it (`--since`, `--until`).

Only what surely lies outside is left out: clocks and writers are a little out of order, and clocks that are set back
in autumn write an hour twice. A log that turns out not to be sorted is read whole.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from shipper.backfill.span import Span
    from shipper.tailing.files import LogFile

    ReadTime = Callable[[str], datetime | None]

DISORDER = timedelta(minutes=70)
"""How much later than a line another one before it may be in a log that counts as sorted."""

LEAST_BYTES = 1024 * 1024
"""Less is read as quickly as it is searched."""

_PROBES = 64
_CLOSE = 64 * 1024
_LOOK_BYTES = (4 * 1024, 64 * 1024)


def wanted_part(
    file: LogFile, size: int, span: Span, clocks: Sequence[ReadTime], encoding: str
) -> tuple[int, int | None]:
    """Tell which part of a file holds all records of a span.

    Args:
        file: a plain log.
        size: bytes that it has now.
        span: the time asked for.
        clocks: each way in which some rule reads the time of a line.
        encoding: of the log; its newline is one byte.

    Returns:
        Where to begin, at the beginning of a line, and where reading may end; None for the file's end.

    Raises:
        OSError: it cannot be read.
    """
    if not span or size < LEAST_BYTES or not clocks:
        return 0, None
    parts = [_Probing(file, size, encoding, clock).part(span) for clock in clocks]
    ends = [end for _, end in parts]
    return min(start for start, _ in parts), None if None in ends else max(end for end in ends if end is not None)


class _Probing:
    """Looks at places of one file with one clock."""

    def __init__(self, file: LogFile, size: int, encoding: str, clock: ReadTime) -> None:
        self._file = file
        self._size = size
        self._encoding = encoding
        self._clock = clock
        self._seen: list[tuple[int, datetime]] = []

    def part(self, span: Span) -> tuple[int, int | None]:
        """See `wanted_part`."""
        for number in range(_PROBES):
            if self._probe(self._size * number // _PROBES) is None:
                return 0, None
        start: int = 0
        end: int | None = None
        if span.since is not None:
            start = self._narrow(span.since - DISORDER)[0]
        if span.until is not None:
            end = self._narrow(span.until + DISORDER)[1]
        latest = self._seen[0][1]
        for _, time in self._seen:
            if time < latest - DISORDER:
                return 0, None
            latest = max(latest, time)
        return start, end

    def _narrow(self, moment: datetime) -> tuple[int, int | None]:
        """Give a line before which all is earlier than a moment, and one from which on nothing is; None for the end."""
        while True:
            after = bisect_left(self._seen, moment, key=lambda seen: seen[1])
            low = self._seen[after - 1][0] if after else 0
            high = self._seen[after][0] if after < len(self._seen) else self._size
            middle = (low + high) // 2
            if high - low <= _CLOSE or (found := self._probe(middle)) is None or found >= high:
                return low, high if high < self._size else None

    def _probe(self, place: int) -> int | None:
        """Find the first line behind a place that has a time, and note both; None when there is none nearby."""
        for amount in _LOOK_BYTES:
            data = self._file.read_at(place, amount)
            start = data.find(b"\n") + 1 if place else 0
            while (end := data.find(b"\n", start)) >= 0 and (start or not place):
                time = self._clock(data[start:end].decode(self._encoding, "replace"))
                if time is not None:
                    self._note(place + start, time)
                    return place + start
                start = end + 1
        return None

    def _note(self, place: int, time: datetime) -> None:
        at = bisect_left(self._seen, place, key=lambda seen: seen[0])
        if at == len(self._seen) or self._seen[at][0] != place:
            self._seen.insert(at, (place, time))
