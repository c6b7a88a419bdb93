"""What was read of a file before its offset, remembered in places: tells where a copy of it ends (hazard 1.3 c). Pure.

Between copy and truncation lines are written and read, so the copy is shorter than what was read. Equal heads prove
nothing: programs write the same banner into each new file (hazard 1.8). Nor do a few equal bytes at the end: lines may
end in the same words, and little is remembered of a file that was idle or is read on from a checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.identity import GUARD_BYTES

if TYPE_CHECKING:
    from shipper.tailing.content import Content

RECENT_BYTES = 16 * 1024
MARK_BYTES = 64 * 1024
MOST_MARKS = 16
PROVING_BYTES = 64


class Trail:
    """The last bytes before an offset, and further back `GUARD_BYTES` now and then."""

    def __init__(self) -> None:
        """Begin at offset 0."""
        self.reset(0, b"")

    def reset(self, offset: int, guard: bytes) -> None:
        """Go to an offset before which some bytes are."""
        self._offset = offset
        self._recent = guard
        self._marks: list[tuple[int, bytes]] = []
        self._spacing = MARK_BYTES

    def advance(self, taken: bytes) -> None:
        """Go on behind some bytes."""
        self._offset += len(taken)
        self._recent = taken[-RECENT_BYTES:] if len(taken) >= RECENT_BYTES else (self._recent + taken)[-RECENT_BYTES:]
        if self._offset - (self._marks[-1][0] if self._marks else 0) >= self._spacing:
            self._marks.append((self._offset, self._recent[-GUARD_BYTES:]))
            if len(self._marks) > MOST_MARKS:
                self._marks = self._marks[1::2]
                self._spacing *= 2

    def shorten(self) -> None:
        """Remember less: the file is idle, and thousands of them may be."""
        self._recent = self._recent[-GUARD_BYTES:]
        self._marks = self._marks[-1:]

    def leads_through(self, content: Content, size: int) -> bool:
        """Tell whether other content of `size` bytes is surely the beginning of what was read. Raises `OSError`."""
        back = self._offset - size
        if back < 0:
            return False
        known = self._recent[: len(self._recent) - back][-GUARD_BYTES:] if back < len(self._recent) else b""
        if len(known) >= min(size, PROVING_BYTES):
            return content.read_at(size - len(known), len(known)) == known
        marks = [mark for mark in self._marks if mark[0] <= size]
        return bool(marks) and content.read_at(marks[-1][0] - len(marks[-1][1]), len(marks[-1][1])) == marks[-1][1]
