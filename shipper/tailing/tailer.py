"""Follows one open file: from its checkpoint on, block by block, to whatever end it has.

Promises
- A block begins where the one before it ended, or a gap is counted in `take_losses`.
- Before bytes are taken, the bytes before them are compared with what was read there, in the same read: a file
  that was cut and has regrown is noticed before one byte of it is misread (hazards 1.3, 1.5).
- An unfinished last line stays in the file until it is finished or silent for `partial_timeout` (hazard 3.1).
- A line over the limit costs its head and no memory; the rest is skipped and counted (hazard 3.2).
- NULs that reach to the end of the file stay in it, for text may yet be written over them (hazard 3.6).

It knows nothing of names, rotation or other files; `following` does. Not safe for use by two threads.
"""

from __future__ import annotations

import dataclasses
import enum
from codecs import BOM_UTF8
from collections import Counter
from typing import TYPE_CHECKING, Generic, TypeVar

from shipper.events import Block, Checkpoint, LineState, Loss, LostBytes, Record
from shipper.tailing.assembly import WideLines, split_lines, split_records, without_mark
from shipper.tailing.content import Content, Sequel, recognises
from shipper.tailing.decoding import (
    MARK_BYTES,
    find_last_newline,
    find_newline,
    mark_of,
    may_become_mark,
    newline_of,
    resolve,
)
from shipper.tailing.framing import FIRST_LINE_BYTES, cut_head, first_line, line_is_over, whole_records
from shipper.tailing.holes import hole_at, is_nul, padding
from shipper.tailing.identity import GUARD_BYTES, HEAD_BYTES, fingerprint
from shipper.tailing.trail import Trail

if TYPE_CHECKING:
    from datetime import datetime

    from shipper.events import FileIdentity, Origin
    from shipper.tailing.assembly import Assembler

READ_BYTES = 256 * 1024

# glibc learns from the largest memory that was freed how much of it to keep. What it gives back to the kernel after
# each block comes back as zeroed pages, one fault each, which costs three times as much as reading the block.
bytes(8 * READ_BYTES)


class Halt(enum.Enum):
    """Why there is no block now."""

    AT_END = "everything that is there was taken"
    UNFINISHED = "only an unfinished line is left"
    REWRITTEN = "the content before the offset is not what was read there"
    SKIPPED = "many bytes that are in no record were passed; there may be more"


_ENDS = b"\r\n\0"
FileT = TypeVar("FileT", bound=Content)


class Tailer(Generic[FileT]):
    """One file being read; `origin`, limits and name come from its source.

    Attributes:
        file: what is read.
        path: its name.
        origin: what its events inherit.
        offset: bytes before it were taken.
        line: where in a line the offset lies.
        odd_lines: lines that were not in the source's format.
        skipped: bytes before the offset that were taken by this tailer and are in no record.
        padding: NULs that were behind the offset at the last look, and nothing else.
    """

    def __init__(
        self,
        file: FileT,
        path: str,
        origin: Origin,
        *,
        max_line_bytes: int,
        partial_timeout: float,
        assembler: Assembler | None = None,
    ) -> None:
        """Follow an open file from offset 0; `resume` and `skip_to_end` start elsewhere.

        Args:
            file: what is read.
            path: its name.
            origin: what its events inherit.
            max_line_bytes: the limit of a record.
            partial_timeout: seconds after which an unfinished line is taken.
            assembler: makes records of its lines; None where each line is one.
        """
        self.file = file
        self.path = path
        self.origin = origin
        self.offset = 0
        self._limit = max_line_bytes
        self._partial_timeout = partial_timeout
        self.line = LineState.START
        # where the offset lies behind a line over the limit; not stored, so that an older version reads what is
        self._behind = LineState.START
        self._skips = LostBytes.LINE_TOO_LONG
        self._guard = b""
        self._head = b""
        self._first_line = b""
        self._first_line_known = False
        self.odd_lines = 0
        self.skipped = 0
        self.padding = 0
        self._losses: Counter[LostBytes] = Counter()
        self._unfinished: tuple[int, float] | None = None
        self.trail = Trail()
        self._assembler = assembler
        self._codec_known = False
        self._newline = b"\n"

    @property
    def identity(self) -> FileIdentity:
        """What finds the file."""
        return self.file.identity

    @property
    def head(self) -> bytes:
        """The first bytes of what was read, up to `HEAD_BYTES`."""
        return self._head

    def may_begin_with(self, head: bytes) -> bool:
        """Tell, without reading, whether the file may begin with some bytes."""
        return self._head.startswith(head[: len(self._head)])

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Go on at a checkpoint, if the file's content confirms it; False and no change otherwise (hazard 1.7)."""
        if not recognises(self.file, checkpoint):
            return False
        self._move_to(checkpoint.offset, checkpoint.line)
        return True

    def skip_to_end(self, size: int) -> None:
        """Start behind the last finished line of a file of that size, so that one being written is read whole."""
        self._find_codec(self.file.read_at(0, MARK_BYTES))
        start = max(0, size - self._longest_line)
        start -= start % len(self._newline)
        newline = find_last_newline(self.file.read_at(start, size - start), self._newline)
        if newline >= 0:
            self._move_to(start + newline + len(self._newline), LineState.START)
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
        """Read the same file from its beginning again: its content was replaced. Nothing is read by this."""
        self._first_line_known = False
        self._head = b""
        # somebody may remember the one that led here
        self.trail = Trail()
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

    def lose(self, reason: LostBytes, amount: int) -> None:
        """Count bytes of this file that will never be read."""
        self._losses[reason] += amount

    def _skip_over(self, reason: LostBytes, amount: int) -> None:
        """Count bytes before the offset that are in no record."""
        self.skipped += amount
        self.lose(reason, amount)

    def next_block(
        self,
        read_at: datetime,
        now: float,
        *,
        flush: bool = False,
        most_skipped: int | None = None,
        sequel: Sequel | None = None,
    ) -> Block | Halt:
        """Take the next whole records.

        Args:
            read_at: the wall clock, aware: the time of events that carry none.
            now: a monotonic clock in seconds, for the time-out of unfinished lines.
            flush: take an unfinished last line at once (a finished file, hazard 3.1).
            most_skipped: bytes after which a stretch without records is left for the next call, so that other files
                get their turn (hazard 6.2); None: it is passed to its end.
            sequel: where a record that is open at the end of this file may end.
        """
        before = self.offset
        while most_skipped is None or self.offset - before < most_skipped:
            data = self._read()
            if data is None:
                return Halt.REWRITTEN
            self.padding = (
                0 if flush else padding(self.file, self.offset, data, may_go_on=len(data) >= self._block_bytes)
            )
            if not data or self.padding:
                self._unfinished = None
                return Halt.AT_END
            if not self._codec_known:
                head = (self._head + data)[:MARK_BYTES]
                if may_become_mark(self.origin.encoding, head) and not flush and not self._is_silent(len(data), now):
                    return Halt.UNFINISHED
                self._find_codec(head)
            if not self._first_line_known and not self._find_first_line(data):
                return Halt.REWRITTEN
            if self.line is LineState.SKIPPING:
                self._skip(data)
            elif self.line is LineState.TAKEN and data[0] in _ENDS and self._end_taken(data):
                continue
            elif data[0] == 0 and (nuls := self._leading_nuls(data)):
                self._pass_nuls(data, nuls)
            elif self._assembler is None:
                return self._take(data, read_at, now, flush=flush)
            elif (found := self._assemble(self._assembler, data, read_at, now, flush=flush, sequel=sequel)) is not None:
                return found
        return Halt.SKIPPED

    def _read(self) -> bytes | None:
        """Read a block's bytes at the offset; None when those before it are not what was read there."""
        kept = len(self._guard)
        data = self.file.read_at(self.offset - kept, kept + self._block_bytes)
        if not data.startswith(self._guard):
            return None
        end = len(data)
        if end >= kept + self._block_bytes and self._codec_known and self._assembler is None:
            # what is behind the last line is read again with the rest of it; so the block is copied once
            end = data.rfind(b"\n", kept) + 1 or end
        return data[kept:end]

    def peek(self) -> bytes:
        """Give what a block holds at most of what lies at the offset. Raises `OSError`."""
        return self.file.read_at(self.offset, self._block_bytes)

    def accept(
        self, taken: bytes, line: LineState, records: tuple[Record, ...], data: bytes, read_at: datetime
    ) -> Block:
        """Pass the file's first bytes, which end a record of the file before it; see `Sequel.take`.

        Returns:
            The records of this file that lie among them.
        """
        self._find_codec(taken[:MARK_BYTES])
        self._find_first_line(taken)
        block = Block(self.origin, self.path, data, self.offset, self._first_line, read_at, records=records)
        self._unfinished = None
        self._advance(taken, line)
        return block

    def _take(self, data: bytes, read_at: datetime, now: float, *, flush: bool) -> Block | Halt:
        length = whole_records(data, self._limit)
        line = LineState.START
        if not length and line_is_over(data, self._limit):
            return self._take_head(data, read_at)
        if not length:
            if not flush and not self._is_silent(len(data), now):
                return Halt.UNFINISHED
            length, line = len(data), LineState.TAKEN
        # one byte is found many times faster than two, and is hardly ever there
        if b"\0" in data and (nuls := data.find(b"\n\0", 0, length)) >= 0:
            # NULs before a line are skipped wherever they lie, so that no record depends on when it was read
            length, line = nuls + 1, LineState.START
        block = Block(self.origin, self.path, data[:length], self.offset, self._first_line, read_at)
        self._unfinished = None
        self._advance(block.data, line)
        return block

    def _assemble(
        self, assembler: Assembler, data: bytes, read_at: datetime, now: float, *, flush: bool, sequel: Sequel | None
    ) -> Block | Halt | None:
        """Take what the assembler makes records of; None when nothing but skipped bytes was taken."""
        newline, own = self._newline, len(data)
        longest = assembler.longest_line
        if find_newline(data, newline, 0, longest + len(newline)) < 0 and len(data) > longest:
            return self._judge_head(assembler, data, read_at)
        if sequel is not None and own < self._block_bytes:
            # half a line is finished by its own writer, or never (hazard 3.1)
            if data.endswith(newline) and len(newline) == 1:
                data += sequel.data
            else:
                sequel.refuse()
        end = find_last_newline(data, newline) + len(newline)
        finished = end if end >= len(newline) else 0
        full = len(data) >= self._block_bytes
        timeout = self._partial_timeout if finished < len(data) else assembler.timeout
        closed = not full and (flush or self._is_silent(len(data), now, timeout))
        made = None
        # nothing of another file, no part of a line or of a record that was begun before, no byte order mark
        whole = own == len(data) and finished > 0 and (not closed or finished == own)
        marked = self.offset == 0 and data.startswith(BOM_UTF8)
        if whole and not marked and self.line is LineState.START and len(newline) == 1:
            made = assembler.survey(data[:finished], self.offset, closed=closed)
        if made is None:
            lines = split_lines(data if closed else data[:finished], newline)
            made = assembler.assemble(lines, self.offset, self.line, own=own, closed=closed)
            if not made.taken and full:
                # what is open fills a block together with the line behind it: its end would never be seen
                made = assembler.assemble(lines, self.offset, self.line, own=own, closed=True)
        if not made.taken:
            return Halt.UNFINISHED
        if sequel is not None and made.taken == own < len(data):
            # it begins with a record of its own: this file's last one ends as if nothing came after it
            sequel.refuse()
            return self._assemble(assembler, data[:own], read_at, now, flush=flush, sequel=None)
        state = LineState.TAKEN if made.taken > finished else made.state
        records = made.records
        if sequel is not None and isinstance(records, tuple) and made.taken > own:
            records, theirs = split_records(records, self.offset + own, data.count(newline, 0, own))
            sequel.take(made.taken - own, state, theirs, made.data, read_at)
            state = LineState.START
        block = Block(
            self.origin, self.path, made.data, self.offset, self._first_line, read_at, records=records, lines=made.lines
        )
        if self.offset == 0:
            block = without_mark(block, mark_of(self.origin.encoding))
        self._unfinished = None
        if made.skipped:
            self._skip_over(LostBytes.RECORD_TOO_LONG, made.skipped)
        self.odd_lines += made.odd
        self._advance(data[: min(made.taken, own)], state)
        return block if records else None

    def _judge_head(self, assembler: Assembler, data: bytes, read_at: datetime) -> Block | None:
        """Take the head of a line over the limit; None when the line goes on with a record that is skipped."""
        length = self._head_length(data)
        is_record, behind = assembler.head(data[:length], self.line)
        if is_record:
            return self._take_head(data, read_at, behind)
        self._unfinished = None
        self._behind, self._skips = behind, LostBytes.RECORD_TOO_LONG
        self._skip_over(LostBytes.RECORD_TOO_LONG, length)
        self._advance(data[:length], LineState.SKIPPING)
        return None

    def _head_length(self, data: bytes) -> int:
        width = len(self._newline)
        return cut_head(data, self._limit) if width == 1 else self._limit - self._limit % width

    def _take_head(self, data: bytes, read_at: datetime, behind: LineState = LineState.START) -> Block:
        """Take the head of a line over the limit as a record; the line's rest is skipped."""
        length = self._head_length(data)
        self._unfinished = None
        self._behind, self._skips = behind, LostBytes.LINE_TOO_LONG
        block = Block(
            self.origin,
            self.path,
            data[:length],
            self.offset,
            self._first_line,
            read_at,
            records=(Record(0, length, self.offset, 0, cut=True),),
        )
        if self.offset == 0:
            block = without_mark(block, mark_of(self.origin.encoding))
        self._advance(data[:length], LineState.SKIPPING)
        return block

    @property
    def _block_bytes(self) -> int:
        return max(READ_BYTES, self._longest_line + 1)

    @property
    def _longest_line(self) -> int:
        return self._limit if self._assembler is None else self._assembler.longest_line

    def _find_codec(self, head: bytes) -> None:
        """Find out by its first bytes how the file is encoded, once it has some (hazard 3.4)."""
        codec = resolve(self.origin.encoding, head)
        self._codec_known = bool(head)
        self._newline = newline_of(codec)
        if codec != self.origin.encoding:
            self.origin = dataclasses.replace(self.origin, encoding=codec)
        if self._assembler is None and len(self._newline) > 1:
            self._assembler = WideLines(codec, self._limit)

    def _pass_nuls(self, data: bytes, nuls: int) -> None:
        """Skip NULs (hazard 1.4)."""
        self._skip_over(LostBytes.NUL, nuls)
        self._advance(data[:nuls], LineState.START)
        if nuls == len(data):
            self._pass_hole(LostBytes.NUL)

    def _pass_hole(self, reason: LostBytes) -> None:
        if hole := hole_at(self.file, self.offset, len(self._newline)):
            self._skip_over(reason, hole)
            self._move_to(self.offset + hole, self.line)

    def _leading_nuls(self, data: bytes) -> int:
        """Count the NULs that a writer without O_APPEND left when its file was cut (hazard 1.4)."""
        nuls = len(data) - len(data.lstrip(b"\0"))
        return nuls - nuls % len(self._newline)

    def _is_silent(self, length: int, now: float, timeout: float | None = None) -> bool:
        """Tell whether what is unfinished has not grown for the time-out."""
        if self._unfinished is None or self._unfinished[0] != length:
            self._unfinished = (length, now)
        return now - self._unfinished[1] >= (self._partial_timeout if timeout is None else timeout)

    def _skip(self, data: bytes) -> None:
        newline = find_newline(data, self._newline, 0, len(data))
        width = len(self._newline)
        rest = data[: len(data) - len(data) % width] if newline < 0 else data[: newline + width]
        if not rest:
            # half a character at the end of the file
            rest = data
        # of a record that is skipped its newlines are, too
        kept = width if newline >= 0 and self._skips is LostBytes.LINE_TOO_LONG else 0
        self._skip_over(self._skips, len(rest) - kept)
        self._advance(rest, LineState.SKIPPING if newline < 0 else self._behind)
        if newline < 0 and is_nul(data):
            self._pass_hole(self._skips)

    def _end_taken(self, data: bytes) -> bool:
        """Pass the newline that ends a line already taken; False when something else follows."""
        for end in (self._newline, "\r\n".encode(self.origin.encoding)):
            if data.startswith(end):
                self._advance(end, LineState.START)
                return True
        return False

    def _advance(self, taken: bytes, line: LineState) -> None:
        self.offset += len(taken)
        self.line = line
        self._guard = (self._guard + taken[-GUARD_BYTES:])[-GUARD_BYTES:]
        self.trail.advance(taken)
        # from what was taken, not read again: the file may have other content by now
        self._head += taken[: HEAD_BYTES - len(self._head)]

    def _move_to(self, offset: int, line: LineState) -> None:
        self.offset = offset
        self.line = line
        self._unfinished = None
        # nothing to read at 0: so a file that cannot be read now can still be begun anew
        self._guard = self.file.read_at(max(0, offset - GUARD_BYTES), min(GUARD_BYTES, offset)) if offset else b""
        self.trail.reset(offset, self._guard)
        self._head = self.file.read_at(0, min(HEAD_BYTES, offset)) if offset else b""

    def _find_first_line(self, data: bytes) -> bool:
        """Find the file's first line, from what is in hand if it can be; False when the file has other content by now.

        Args:
            data: what is at the offset.
        """
        if self.offset <= HEAD_BYTES:
            start = self._head + data[:FIRST_LINE_BYTES]
        else:
            start = self.file.read_at(0, FIRST_LINE_BYTES)
            if not start.startswith(self._head):
                return False
        self._first_line, self._first_line_known = first_line(start[:FIRST_LINE_BYTES])
        return True
