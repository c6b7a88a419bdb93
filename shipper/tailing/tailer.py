"""Follows one open file: from its checkpoint on, block by block, to whatever end it has.

Promises
- A block begins where the one before it ended, or a gap is counted in `take_losses`.
- Before bytes are taken, the bytes before them are compared with what was read there, in the same read: a file
  that was cut and has regrown is noticed before one byte of it is misread (hazards 1.3, 1.5).
- An unfinished last line stays in the file until it is finished or silent for `partial_timeout` (hazard 3.1).
- A line over the limit costs its head and no memory; the rest is skipped and counted (hazard 3.2).

It knows nothing of names, rotation or other files; `following` does. Not safe for use by two threads.
"""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from shipper.events import Block, Checkpoint, LineState, Loss
from shipper.tailing.framing import FIRST_LINE_BYTES, cut_head, first_line, line_is_over, whole_records
from shipper.tailing.identity import GUARD_BYTES, HEAD_BYTES, confirms, fingerprint

if TYPE_CHECKING:
    from datetime import datetime

    from shipper.events import FileIdentity, Origin

READ_BYTES = 256 * 1024


class Content(Protocol):
    """What a tailer reads: a file's bytes by position, whether they lie in it plainly or compressed."""

    @property
    def identity(self) -> FileIdentity:
        """What finds the file."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end."""

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes."""


class Halt(enum.Enum):
    """Why there is no block now."""

    AT_END = "everything that is there was taken"
    UNFINISHED = "only an unfinished line is left"
    REWRITTEN = "the content before the offset is not what was read there"


FileT = TypeVar("FileT", bound=Content)


class Tailer(Generic[FileT]):
    """One file being read; `origin`, limits and name come from its source."""

    def __init__(self, file: FileT, path: str, origin: Origin, *, max_line_bytes: int, partial_timeout: float) -> None:
        """Follow an open file from offset 0; `resume` and `skip_to_end` start elsewhere. Time-out in seconds."""
        self.file = file
        self.path = path
        self.origin = origin
        self.offset = 0
        self._limit = max_line_bytes
        self._partial_timeout = partial_timeout
        self.line = LineState.START
        self._guard = b""
        self._head = b""
        self._first_line: bytes | None = None
        self._losses: Counter[str] = Counter()
        self._unfinished: tuple[int, float] | None = None

    @property
    def identity(self) -> FileIdentity:
        """What finds the file."""
        return self.file.identity

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Go on at a checkpoint, if the file's content confirms it; False and no change otherwise (hazard 1.7)."""
        if not recognises(self.file, checkpoint):
            return False
        self._move_to(checkpoint.offset, checkpoint.line)
        return True

    def skip_to_end(self, size: int) -> None:
        """Start behind the last finished line of a file of that size, so that one being written is read whole."""
        start = max(0, size - self._limit)
        newline = self.file.read_at(start, size - start).rfind(b"\n")
        if newline >= 0:
            self._move_to(start + newline + 1, LineState.START)
        elif start:
            # in the middle of a line over the limit: its rest is nobody's record
            self._move_to(size, LineState.SKIPPING)

    def move_to(self, offset: int) -> None:
        """Start at a byte that somebody chose: what follows is taken as the beginning of a line."""
        self._move_to(offset, LineState.START)

    @property
    def waits(self) -> bool:
        """Whether all but an unfinished line was taken."""
        return self._unfinished is not None

    def is_rewritten(self) -> bool:
        """Tell whether the bytes before the offset are not those that were read there."""
        kept = len(self._guard)
        return self.file.read_at(self.offset - kept, kept) != self._guard

    def restart(self) -> None:
        """Read the same file from its beginning again: its content was replaced."""
        self._first_line = None
        self._head = b""
        self._move_to(0, LineState.START)

    def checkpoint(self) -> Checkpoint:
        """Tell how far the file was taken."""
        return Checkpoint(
            identity=self.identity,
            path=self.path,
            source=self.origin.source or "",
            offset=self.offset,
            head=fingerprint(self._head),
            guard=fingerprint(self._guard),
            line=self.line,
        )

    def take_losses(self) -> list[Loss]:
        """Give what was skipped since the last call."""
        losses = [Loss("bytes", reason, amount) for reason, amount in self._losses.items()]
        self._losses.clear()
        return losses

    def lose(self, reason: str, amount: int) -> None:
        """Count bytes of this file that will never be read."""
        self._losses[reason] += amount

    def next_block(self, read_at: datetime, now: float, *, flush: bool = False) -> Block | Halt:
        """Take the next whole records.

        Args:
            read_at: the wall clock, aware: the time of events that carry none.
            now: a monotonic clock in seconds, for the time-out of unfinished lines.
            flush: take an unfinished last line at once (a finished file, hazard 3.1).
        """
        while True:
            kept = len(self._guard)
            data = self.file.read_at(self.offset - kept, kept + max(READ_BYTES, self._limit + 1))
            if data[:kept] != self._guard:
                return Halt.REWRITTEN
            data = data[kept:]
            if not data:
                self._unfinished = None
                return Halt.AT_END
            if self.line is LineState.SKIPPING:
                self._skip(data)
            elif self.line is LineState.TAKEN and data[:1] in b"\r\n" and self._end_taken(data):
                continue
            elif data[0] == 0 and (nuls := self._leading_nuls(data)):
                self._losses["nul"] += nuls
                self._advance(data[:nuls], LineState.START)
            else:
                return self._take(data, read_at, now, flush=flush)

    def _take(self, data: bytes, read_at: datetime, now: float, *, flush: bool) -> Block | Halt:
        length = whole_records(data, self._limit)
        line = LineState.START
        if not length and line_is_over(data, self._limit):
            length, line = cut_head(data, self._limit), LineState.SKIPPING
        elif not length:
            if not flush and not self._is_silent(len(data), now):
                return Halt.UNFINISHED
            length, line = len(data), LineState.TAKEN
        block = Block(self.origin, self.path, data[:length], self.offset, self._find_first_line(), read_at)
        self._unfinished = None
        self._advance(block.data, line)
        return block

    def _leading_nuls(self, data: bytes) -> int:
        """Count the NULs that a writer without O_APPEND left when its file was cut (hazard 1.4).

        NULs that reach to the end of the file may yet be overwritten with text (hazard 3.6): they wait.
        """
        nuls = len(data) - len(data.lstrip(b"\0"))
        return nuls if nuls < len(data) or nuls > self._limit else 0

    def _is_silent(self, length: int, now: float) -> bool:
        """Tell whether the unfinished line has not grown for the time-out."""
        if self._unfinished is None or self._unfinished[0] != length:
            self._unfinished = (length, now)
        return now - self._unfinished[1] >= self._partial_timeout

    def _skip(self, data: bytes) -> None:
        newline = data.find(b"\n")
        rest = data if newline < 0 else data[: newline + 1]
        self._losses["line_too_long"] += len(rest.removesuffix(b"\n"))
        self._advance(rest, LineState.SKIPPING if newline < 0 else LineState.START)

    def _end_taken(self, data: bytes) -> bool:
        """Pass the newline that ends a line already taken; False when something else follows."""
        end = b"\n" if data[:1] == b"\n" else b"\r\n"
        if not data.startswith(end):
            return False
        self._advance(end, LineState.START)
        return True

    def _advance(self, taken: bytes, line: LineState) -> None:
        self.offset += len(taken)
        self.line = line
        self._guard = (self._guard + taken[-GUARD_BYTES:])[-GUARD_BYTES:]
        if len(self._head) < HEAD_BYTES:
            self._head = self.file.read_at(0, min(HEAD_BYTES, self.offset))

    def _move_to(self, offset: int, line: LineState) -> None:
        self.offset = offset
        self.line = line
        self._unfinished = None
        self._guard = self.file.read_at(max(0, offset - GUARD_BYTES), min(GUARD_BYTES, offset))
        self._head = self.file.read_at(0, min(HEAD_BYTES, offset))

    def _find_first_line(self) -> bytes:
        if self._first_line is not None:
            return self._first_line
        line, final = first_line(self.file.read_at(0, FIRST_LINE_BYTES))
        if final:
            self._first_line = line
        return line


def recognises(file: Content, checkpoint: Checkpoint) -> bool:
    """Tell whether a file's content is the one a checkpoint was taken from, and reaches as far."""
    guard_at = checkpoint.offset - checkpoint.guard.length
    return (
        file.reaches(checkpoint.offset)
        and confirms(checkpoint.head, file.read_at(0, checkpoint.head.length))
        and confirms(checkpoint.guard, file.read_at(guard_at, checkpoint.guard.length))
    )
