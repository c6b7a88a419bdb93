"""Compressed files read by position, as if they were plain (hazard 1.12).

Offsets are always those of the uncompressed content, so a checkpoint means the same in `app.log` and `app.log.1.gz`.
Compressed content can only be read forwards: going back reads it anew and throws away what comes before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.compression import DamagedError, Streams
from shipper.tailing.files import MAGIC_BYTES, UnreadableError, compression_of
from shipper.tailing.framing import FIRST_LINE_BYTES

if TYPE_CHECKING:
    import os

    from shipper.events import FileIdentity
    from shipper.tailing.files import Files, LogFile

_INPUT_BYTES = 32 * 1024
_PIECE_BYTES = 256 * 1024
_CAREFUL_PIECE_BYTES = 512
_KEPT_BEHIND = 64 * 1024


class CompressedLog:
    """A compressed file of any number of streams.

    It is read up to its first fault; all content before it is given. A file that grows, because its compressor still
    runs, is read on where it ended: `incomplete` and `fault` say what was found at the last look, `was_incomplete`
    that what somebody concluded from its content may have been concluded too early.

    Attributes:
        kind: `"gzip"`, `"bzip2"`, `"xz"` or `"zstd"`.
        identity: of the compressed file.
        fault: why the content cannot be read to its end, for people; None while no reason is known.
        was_incomplete: it ended in the middle of a stream at some look.
        position: bytes of the compressed file that were taken so far.
    """

    def __init__(self, raw: LogFile, kind: str) -> None:
        """Read an open file, which is closed with this one.

        Raises:
            UnreadableError: this Python cannot decode that kind.
        """
        self.kind = kind
        self.identity: FileIdentity = raw.identity
        self.fault: str | None = None
        self.was_incomplete = False
        self._raw = raw
        self._head = b""
        self._cut_at: int | None = None
        self._careful_from: int | None = None
        self._fed_from = 0
        self._rewind()

    @property
    def incomplete(self) -> bool:
        """Whether it ends in the middle of a stream: cut short, or still being written."""
        return self._cut_at is not None

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes of the content; fewer at its end or at a fault. Raises `OSError`."""
        end = offset + length
        if end <= len(self._head):
            return self._head[offset:end]
        if offset < self._start:
            self._rewind()
        while self._produced < end and self._decode(offset):
            pass
        at = offset - self._start
        return bytes(self._buffer[at : at + length])

    def advance(self, offset: int, budget: int) -> bool:
        """Decode towards an offset, as far as a budget goes, so that others are not delayed (I5).

        Args:
            offset: of the content.
            budget: about how many bytes of work to do, compressed and not.

        Returns:
            True when the offset is reached, or nothing more is there now; else call again. Raises `OSError`.
        """
        while self._produced < offset:
            if budget <= 0:
                return False
            work = self._decode(offset)
            if not work:
                break
            budget -= work
        return True

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes of content. Raises `OSError`."""
        return offset <= self._produced or len(self.read_at(offset - 1, 1)) == 1

    @property
    def length(self) -> int:
        """Give how much content was found so far: all of it once the end was reached."""
        return self._produced

    def status(self) -> os.stat_result:
        """Give size, times and link count of the compressed file."""
        return self._raw.status()

    def close(self) -> None:
        """Close the file and let its memory go."""
        self._raw.close()
        self._buffer.clear()

    @property
    def _produced(self) -> int:
        return self._start + len(self._buffer)

    def _rewind(self) -> None:
        try:
            self._streams = Streams(self.kind)
        except ImportError:
            raise UnreadableError(f"compressed with {self.kind}, which this Python was built without") from None
        self.position = 0
        self._buffer = bytearray()
        self._start = 0
        self._damaged = False

    def _decode(self, wanted: int) -> int:
        """Decode one piece, keeping what lies near `wanted` or behind it.

        Returns:
            The work done, in bytes; 0 when there is nothing more now.
        """
        if self._damaged:
            return 0
        data = b""
        if self._streams.wants_input:
            data = self._raw.read_at(self.position, self._input_bytes())
            if not data:
                self._note_end()
                return 0
            self._fed_from = self.position
            self.position += len(data)
            if self._cut_at is not None and self.position > self._cut_at:
                self._cut_at = self.fault = None
        try:
            piece = self._streams.decode(data, _CAREFUL_PIECE_BYTES if self._is_careful() else _PIECE_BYTES)
        except DamagedError as error:
            if self._careful_from is None:
                # what the failed call had decoded is lost with it: again, in small steps around here
                self._careful_from = self._fed_from
                self._rewind()
                return _PIECE_BYTES
            self._damaged = True
            self.fault = str(error)
            return 0
        self._keep(piece, wanted)
        return len(data) + len(piece) or 1

    def _is_careful(self) -> bool:
        first = self._careful_from
        return first is not None and first <= self._fed_from < first + _INPUT_BYTES

    def _input_bytes(self) -> int:
        if self._careful_from is None:
            return _INPUT_BYTES
        gap = self._careful_from - self.position
        if gap > 0:
            return min(gap, _INPUT_BYTES)
        return 1 if gap > -_INPUT_BYTES else _INPUT_BYTES

    def _note_end(self) -> None:
        if self._streams.inside:
            self._cut_at, self.was_incomplete = self.position, True
            self.fault = f"it ends in the middle of its {self.kind} content: cut short, or still being written"

    def _keep(self, piece: bytes, wanted: int) -> None:
        """Add a piece; what lies further before `wanted` than anybody asks for again is let go."""
        known = len(self._head)
        if known < FIRST_LINE_BYTES and self._produced <= known:
            self._head += piece[known - self._produced : FIRST_LINE_BYTES - self._produced]
        self._buffer += piece
        spare = min(wanted - _KEPT_BEHIND, self._produced) - self._start
        if spare > _PIECE_BYTES:
            del self._buffer[:spare]
            self._start += spare


def open_content(files: Files, path: str) -> LogFile | CompressedLog:
    """Open a file for reading, whatever it is compressed with, told by its first bytes.

    Raises:
        UnreadableError: it is missing, not permitted, no regular file, or compressed in a way that this Python
            cannot read.
        OSError: its first bytes cannot be read.
    """
    raw = files.open(path)
    try:
        kind = compression_of(raw.read_at(0, MAGIC_BYTES))
        return raw if kind is None else CompressedLog(raw, kind)
    except (OSError, UnreadableError):
        raw.close()
        raise
