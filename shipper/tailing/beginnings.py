"""What the files after one begin with, looked at for the end of a record that is open at its end; see `Sequel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.events import LineState
from shipper.tailing.assembly import split_records
from shipper.tailing.decoding import BOMS
from shipper.tailing.tailer import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from shipper.events import Block, Record
    from shipper.tailing.tailer import Tailer

_ANEW = (b"\0", *(mark for mark, _ in BOMS))


def begins_anew(data: bytes) -> bool:
    """Tell whether a file that begins so goes on with no record of the file before it."""
    return data.startswith(_ANEW)


def is_all(data: bytes) -> bool:
    """Tell whether so much was seen of a file that the one after it is directly behind."""
    return data.endswith(b"\n") and len(data) < READ_BYTES


class Beginnings:
    """The beginnings of the successors of a file.

    Attributes:
        data: of all of them.
        blocks: the records that begin in the successors among what was taken, each with its successor's number.
        settled: how many successors are known to go on with that file no further.
    """

    def __init__(self, beginnings: Sequence[tuple[Tailer[Any], bytes]]) -> None:
        """Prepare; each ends with a whole line, but for the last."""
        self.data = b"".join(data for _, data in beginnings)
        self.blocks: list[tuple[int, Block]] = []
        self.settled = 0
        self._beginnings = beginnings

    def take(self, size: int, line: LineState, records: Sequence[Record], data: bytes, read_at: datetime) -> None:
        """Move the offsets of the successors; see `Sequel`."""
        self.data = b""
        for number, (tailer, there) in enumerate(self._beginnings):
            taken, size = there[:size], max(0, size - len(there))
            theirs, records = split_records(records, len(taken), taken.count(b"\n"))
            block = tailer.accept(taken, LineState.START if size else line, theirs, data, read_at)
            if theirs:
                self.blocks.append((number, block))
            self.settled = number + 1
            if not size:
                break

    def refuse(self) -> None:
        """Part from the first successor."""
        self.data = b""
        self.settled = max(1, self.settled)
