"""A file of a backfill, open: its content, and how far it was taken."""

from __future__ import annotations

import dataclasses
import zlib
from typing import TYPE_CHECKING

from shipper.backfill.passing import PassingFiles
from shipper.backfill.preceding import REACH_BYTES
from shipper.backfill.selection import NO_SOURCE
from shipper.events import Origin
from shipper.outbox.passes import Pass
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.decoding import BOMS, newline_of, resolve
from shipper.tailing.files import UnreadableError
from shipper.tailing.formats import assembler_of
from shipper.tailing.tailer import Tailer
from shipper.tailing.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from shipper.backfill.selection import Selected
    from shipper.tailing.content import Content
    from shipper.tailing.files import LogFile

FILES = PassingFiles()
_ZEROS = bytes(64 * 1024)
_LOOK_BYTES = 8 * 1024
_STEP_BYTES = 4 * 1024 * 1024


class OpenFile:
    """One open file.

    Attributes:
        selected: which.
        content: what it holds.
        tailer: takes it; `rewind` makes another one.
    """

    def __init__(self, selected: Selected) -> None:
        """Open a file.

        Raises:
            UnreadableError: it is missing, not permitted, no regular file, or compressed in a way that cannot be read.
            OSError: its first bytes cannot be read.
        """
        self.selected = selected
        self.content: LogFile | CompressedLog = open_content(FILES, selected.path)
        self.rewind()

    def rewind(self) -> None:
        """Take the content from its beginning again."""
        self.tailer = tailer_of(self.selected, self.content)
        self._summing = Summing()
        self.tailer.trail = self._summing

    def go_to(self, start: Pass) -> Iterator[None]:
        """Go where an earlier run came, whose content this is; a compressed file has to be read for that.

        Raises:
            UnreadableError: it is that content no more.
            OSError: it cannot be read.
        """
        offset = start.checkpoint.offset
        while isinstance(self.content, CompressedLog) and not self.content.advance(offset, _STEP_BYTES):
            yield
        self.tailer.trail = Trail()
        if not self.tailer.resume(dataclasses.replace(start.checkpoint, identity=self.content.identity)):
            raise UnreadableError("its content was replaced meanwhile")
        self._sum_up(start.begin, start.checksum)

    def begin_at(self, offset: int) -> None:
        """Begin at a line in the midst of it."""
        self.tailer.trail = Trail()
        self.tailer.move_to(offset)
        self._sum_up(offset, 0)

    @property
    def position(self) -> int:
        """Bytes of it that were taken, as it lies on the disk."""
        return self.content.position if isinstance(self.content, CompressedLog) else self.tailer.offset

    @property
    def fault(self) -> str | None:
        """Why its content ends before it should; None for no reason."""
        return self.content.fault if isinstance(self.content, CompressedLog) else None

    @property
    def is_binary(self) -> bool:
        """Tell whether it is no text: NULs are among its first bytes, and not only before all others (hazard 1.4)."""
        head = self.content.read_at(0, _LOOK_BYTES)
        source = self.selected.source or NO_SOURCE
        if any(head.startswith(mark) for mark, _ in BOMS) or len(newline_of(resolve(source.encoding, head))) > 1:
            return False
        return b"\0" in head.strip(b"\0")

    def tail(self) -> bytes:
        """Give the last bytes before the offset."""
        offset = self.tailer.offset
        start = max(0, offset - REACH_BYTES)
        return self.content.read_at(start, offset - start)

    def as_pass(self, rules: frozenset[bytes], replaces: tuple[int, ...] = (), *, is_over: bool = False) -> Pass:
        """Give how far some rules have judged it; `is_over` when nothing of it is left."""
        status = self.content.status()
        there = dataclasses.replace(self.tailer.checkpoint(), modified=status.st_mtime_ns, finished=is_over)
        return Pass(rules, there, self._summing.begin, self._summing.checksum, status.st_size, replaces)

    def close(self) -> None:
        """Close it."""
        self.content.close()

    def _sum_up(self, begin: int, checksum: int) -> None:
        self._summing = Summing(self.tailer.offset, begin, checksum)
        self.tailer.trail = self._summing


def tailer_of(selected: Selected, content: Content) -> Tailer[Any]:
    """Give what takes a content as its source says."""
    source = selected.source or NO_SOURCE
    return Tailer(
        content,
        selected.path,
        source.origin if selected.source else Origin(),
        max_line_bytes=source.max_line_bytes,
        partial_timeout=source.partial_timeout,
        assembler=assembler_of(source),
    )


def tail_of(selected: Selected) -> bytes:
    """Give the last bytes of a file's content; all of a compressed one is read for them. Raises as `OpenFile` does."""
    file = OpenFile(selected)
    try:
        size = file.content.status().st_size
        if isinstance(file.content, CompressedLog):
            size = 0
            while file.content.reaches(size + _STEP_BYTES):
                size += _STEP_BYTES
                file.content.read_at(size, 1)
            size = file.content.length
        start = max(0, size - REACH_BYTES)
        return file.content.read_at(start, size - start)
    finally:
        file.close()


class Summing(Trail):
    """The trail of a tailer that also sums up what was taken, so that the same content is known under any name.

    Attributes:
        begin: the offset where that began.
        checksum: CRC-32 of the content from there to the tailer's offset.
    """

    def __init__(self, offset: int = 0, begin: int = 0, checksum: int = 0) -> None:
        """Go on at an offset."""
        self.begin, self.checksum = begin, checksum
        self._offset = 0
        super().__init__()
        self._offset = offset

    def advance(self, taken: bytes) -> None:
        """Go on behind some bytes."""
        self.checksum = zlib.crc32(taken, self.checksum)
        super().advance(taken)

    def reset(self, offset: int, guard: bytes) -> None:
        """Go to an offset; what is passed by is a hole, which reads as zeros."""
        hole = offset - self._offset
        while hole > 0:
            self.checksum = zlib.crc32(_ZEROS[: min(hole, len(_ZEROS))], self.checksum)
            hole -= len(_ZEROS)
        super().reset(offset, guard)
