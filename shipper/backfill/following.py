"""What follows a file in its family, so that a record that begins in it may end there (hazards 4.1, 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.backfill.selection import NO_SOURCE
from shipper.tailing.beginnings import Beginnings, begins_anew, is_all
from shipper.tailing.formats import assembler_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any

    from shipper.backfill.opening import OpenFile
    from shipper.backfill.selection import Selected
    from shipper.events import Block, LineState, Record
    from shipper.tailing.tailer import Tailer


class Following:
    """What follows a file in its family, looked at when its end is reached; see `Sequel`.

    Attributes:
        blocks: records that begin in the files behind, in what was taken of these.
        touched: the files of which something was taken.
    """

    def __init__(
        self, file: OpenFile, later: Sequence[Selected], open_ahead: Callable[[Selected], OpenFile | None]
    ) -> None:
        """Look at nothing yet.

        Args:
            file: whose end may be in the midst of a record.
            later: what was written after it, in that order.
            open_ahead: opens one of these; None for one that is to be read by itself.
        """
        self.blocks: list[Block] = []
        self.touched: list[OpenFile] = []
        self._file = file
        self._later = later
        self._open_ahead = open_ahead
        self._files: list[OpenFile] = []
        self._beginnings: Beginnings | None = None

    @property
    def exists(self) -> bool:
        """Whether a record may go on behind the file."""
        source = self._file.selected.source or NO_SOURCE
        return bool(self._later) and assembler_of(source) is not None

    @property
    def data(self) -> bytes:
        """Their first bytes."""
        if self._beginnings is None:
            self._beginnings = Beginnings(self._look())
        return self._beginnings.data

    def take(self, size: int, line: LineState, records: Sequence[Record], data: bytes, read_at: datetime) -> None:
        """Move their offsets."""
        if self._beginnings is not None:
            self._beginnings.take(size, line, records, data, read_at)
            self.blocks = [block for _, block in self._beginnings.blocks]
            self.touched = self._files[: self._beginnings.settled]

    def refuse(self) -> None:
        """Leave them alone."""
        self._later = ()
        self._beginnings = Beginnings(())

    def _look(self) -> list[tuple[Tailer[Any], bytes]]:
        found: list[tuple[Tailer[Any], bytes]] = []
        for selected in self._later:
            file = None
            if selected.source == self._file.selected.source:
                file = self._open_ahead(selected)
            data = b"" if file is None or file.tailer.offset else file.tailer.peek()
            if file is None or not data or begins_anew(data):
                break
            self._files.append(file)
            found.append((file.tailer, data))
            if not is_all(data):
                break
        return found
