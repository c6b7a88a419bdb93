"""All records of a block at once, for rules that have to see each of them: split and decoded in one go. Pure."""

from __future__ import annotations

import codecs
from itertools import accumulate
from typing import TYPE_CHECKING

from shipper.matching.records import line_record, records_of

if TYPE_CHECKING:
    from shipper.events import Block
    from shipper.matching.records import LogRecord


class Sieve:
    """The records of a block, by their number from 0.

    Attributes:
        texts: what they say.
    """

    def __init__(self, block: Block) -> None:
        """Decode them."""
        self._block = block
        self._records: list[LogRecord] | None = None
        self._starts: list[int] | None = None
        if block.records is not None:
            self._records = list(records_of(block))
            self.texts = [record.text for record in self._records]
            return
        self.texts = _lines(block)
        if block.offset == 0 and self.texts:
            self.texts[0] = self.record(0).text

    def record(self, number: int) -> LogRecord:
        """Give a record."""
        if self._records is not None:
            return self._records[number]
        if self._starts is None:
            lengths = [len(line) + 1 for line in self._block.data.split(b"\n")]
            self._starts = [0, *accumulate(lengths)]
        start, behind = self._starts[number], self._starts[number + 1]
        return line_record(self._block, start, behind - 1, number)


def _lines(block: Block) -> list[str]:
    data, encoding = block.data, block.origin.encoding
    if codecs.lookup(encoding).name == "utf-8":
        # a newline ends whatever was begun before it, so all lines may be decoded together
        lines = data.decode("utf-8", "replace").split("\n")
    else:
        lines = [line.decode(encoding, "replace") for line in data.split(b"\n")]
    if not lines[-1]:
        # behind the last newline
        lines.pop()
    return [line.removesuffix("\r") for line in lines] if b"\r" in data else lines
