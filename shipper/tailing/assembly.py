"""What makes records of lines: the interface of everything that is not "one line, one record". Pure.

An assembler sees the lines that begin at the file's offset, and tells how many of these bytes may be taken as which
records. What it does not take yet stays in the file, and the offset before it (hazard 4.1, I2).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shipper.events import LineState, Record
from shipper.tailing.decoding import find_newline, newline_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.events import Block, RecordsOnDemand


@dataclass(frozen=True, slots=True)
class Assembled:
    """What became of some lines.

    Attributes:
        taken: bytes that are taken, records and skipped ones; 0 when all of it has to wait.
        data: the bytes in which the records lie.
        records: in the order of their offsets; or on demand, then `data` are what is taken, as it lies in the file.
        state: where the offset lies then.
        skipped: bytes of records over their limits, which are in no record.
        lines: that were taken, where that is not how many are in `data`; else None.
        odd: lines that are not in the source's format; each is a record of its own, as it is.
    """

    taken: int
    data: bytes
    records: tuple[Record, ...] | RecordsOnDemand
    state: LineState = LineState.START
    skipped: int = 0
    odd: int = 0
    lines: int | None = None


class Assembler(Protocol):
    """Makes records of lines: all of them, or only those that are wanted."""

    @property
    def timeout(self) -> float | None:
        """Seconds of silence after which an open record is taken as it is; None for the one of unfinished lines."""

    @property
    def longest_line(self) -> int:
        """Bytes that a line may have; of one that has more, the head alone is looked at, by `head`."""

    def head(self, head: bytes, state: LineState) -> tuple[bool, LineState]:
        """Judge the head of a line over `longest_line`: whether it is a record, and where the line behind it lies.

        Args:
            head: of the line.
            state: where the line itself lies, see `assemble`.
        """

    def assemble(self, lines: Sequence[bytes], offset: int, state: LineState, *, own: int, closed: bool) -> Assembled:
        """Make records.

        Args:
            lines: with their terminators; the last may lack its own when `closed`.
            offset: where the first one begins in the file.
            state: `SKIPPING_RECORD` when the first one may belong to a record over its limits.
            own: bytes of them that are the file's; what is behind lies in the file after it, and is looked at for the
                end of a record that is open (hazard 4.1).
            closed: nothing more will come: an open record is taken as it is.
        """

    def survey(self, data: bytes, offset: int, *, closed: bool) -> Assembled | None:
        """Tell how much may be taken, without a look at each line; records are made on demand.

        None where something is out of the ordinary, in what may be taken or around it: then `assemble` makes them. The
        records, and what is taken, are the same.

        Args:
            data: whole lines, the first of them at the beginning of a record, without a byte order mark.
            offset: where they lie in the file.
            closed: nothing more will come: an open record is taken as it is.
        """


class WideLines:
    """Lines of an encoding whose characters have two or four bytes: each is a record."""

    timeout: float | None = None

    def __init__(self, encoding: str, max_bytes: int) -> None:
        """Prepare; lines have `max_bytes` at most."""
        self.longest_line = max_bytes
        self._ends = (newline_of(encoding), "\r".encode(encoding))

    def head(self, head: bytes, state: LineState) -> tuple[bool, LineState]:  # noqa: ARG002
        """Take it as the record that it is; see `Assembler`."""
        return True, LineState.START

    def assemble(self, lines: Sequence[bytes], offset: int, state: LineState, *, own: int, closed: bool) -> Assembled:  # noqa: ARG002
        """Take each line; see `Assembler`. None of them is ever open, so nothing goes on in another file."""
        records = []
        at = 0
        for number, line in enumerate(lines):
            text = line.removesuffix(self._ends[0]).removesuffix(self._ends[1])
            records.append(Record(at, at + len(text), offset + at, number))
            at += len(line)
        return Assembled(at, b"".join(lines), tuple(records))

    def survey(self, data: bytes, offset: int, *, closed: bool) -> Assembled | None:  # noqa: ARG002
        """A newline is found faster than such text is scanned for: leave it to `assemble`."""
        return None


def split_lines(data: bytes, newline: bytes) -> list[bytes]:
    """Cut bytes into lines with their terminators; what is behind the last one is a line too."""
    lines = []
    at, width = 0, len(newline)
    while at < len(data):
        # one slice may begin at any multiple of the width, so that the search stays aligned
        found = find_newline(data, newline, at, len(data))
        end = len(data) if found < 0 else found + width
        lines.append(data[at:end])
        at = end
    return lines


def split_records(records: Sequence[Record], offset: int, line: int) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Give those that begin before an offset, and the others with offset and line counted from there."""
    before = [record for record in records if record.offset < offset]
    behind = [
        dataclasses.replace(record, offset=record.offset - offset, line=record.line - line)
        for record in records[len(before) :]
    ]
    return tuple(before), tuple(behind)


def without_mark(block: Block, mark: bytes) -> Block:
    """Leave a byte order mark at the beginning of a file out of its first record (hazard 3.3)."""
    if not mark or not block.records or not isinstance(block.records, tuple) or not block.data.startswith(mark):
        return block
    first = dataclasses.replace(block.records[0], start=max(block.records[0].start, len(mark)))
    return dataclasses.replace(block, records=(first, *block.records[1:]))
