"""The records in the end of a log, as the agent would read them, and only those that are there from end to end.

Half a record would show what a redaction covers in the whole one (spec, section 4). So what comes before the first
line that surely begins a record is left out, and so is what has no end yet.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.matching.records import records_of
from shipper.tailing.assembly import split_lines
from shipper.tailing.decoding import newline_of
from shipper.tailing.formats import continuation_of, form_of
from shipper.tailing.framing import strip_terminator
from shipper.tailing.open_log import OpenLog
from shipper.tailing.streams import StreamedLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.config.model import SourceTable
    from shipper.events import Block
    from shipper.matching.records import LogRecord
    from shipper.tailing.containers import Form
    from shipper.tailing.multiline import Continuation

_NO_TRACE = "-"
"""A line that no trace goes on behind."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a log.

    Attributes:
        data: the lines.
        path: of the log.
        source: as which it is read, with the encoding that its beginning decides; None for lines from nowhere.
        is_start: whether the log begins with them.
        grows: whether more of the last record may come.
    """

    data: bytes
    path: str
    source: SourceTable | None = None
    is_start: bool = True
    grows: bool = False

    def records(self) -> Iterator[tuple[LogRecord, Block]]:
        """Give those that are there from end to end, each with the block it lies in."""
        data = self.data if self.source is None else _from_a_beginning(self.data, self.source, self.is_start)
        log = OpenLog(StreamedLog(io.BytesIO(data), plain=True), self.path, self.source, grows=self.grows)
        for block in log.blocks():
            for record in records_of(block):
                yield record, block


def _from_a_beginning(data: bytes, source: SourceTable, is_start: bool) -> bytes:
    """Leave out the lines that go on with what came before them, or may."""
    lines = split_lines(data, newline_of(source.encoding))
    form, continuation = form_of(source), continuation_of(source)
    if form is not None and not is_start:
        return b"".join(_of_whole_messages(lines, form))
    if form is None and continuation is not None:
        return b"".join(_of_whole_records(lines, continuation, source.encoding, _NO_TRACE if is_start else None))
    return data


def _of_whole_records(
    lines: list[bytes], continuation: Continuation, encoding: str, before: str | None
) -> Iterator[bytes]:
    """Give the lines from the first on that begins a record, whatever came before; of `before` None nothing is known.

    Also a log may begin with what goes on from the one before it (hazard 4.1).
    """
    given = iter(lines)
    for line in given:
        text = strip_terminator(line).decode(encoding, "replace").removeprefix("\ufeff")
        if before is not None and continuation.surely_begins(text, before):
            yield line
            break
        before = text
    yield from given


def _of_whole_messages(lines: list[bytes], form: Form) -> Iterator[bytes]:
    """Leave out of each stream what comes before the first end of a message."""
    begun = set()
    for line in lines:
        part = form.part(strip_terminator(line))
        if part is None or part.stream in begun:
            yield line
        elif part.ends:
            begun.add(part.stream)
