"""The file of accepted events: one JSON line for each, complete before the answer is sent."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from shipper.cloudmonitor.emulator.contract import Acceptance


class Journal:
    """Appends accepted events to a file.

    A line holds `received, request_id, name, groupId, time, content`; `groupId` is a number. The lines of a
    request are written together or, when the disk is full, not at all. A new file is readable by its owner only:
    events are log lines.

    Args:
        path: the file; lines that it holds are kept.

    Raises:
        OSError: the file cannot be opened for appending.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
            self._end_torn_line()
        except OSError:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def append(self, received: str, request_id: str, acceptance: Acceptance) -> None:
        """Write the events of one request.

        Args:
            received: the receive time, ISO 8601 with milliseconds and zone.
            request_id: the id in the answer.
            acceptance: what was accepted.

        Raises:
            OSError: they could not all be written; the file is as it was before.
        """
        lines = [
            orjson.dumps(
                {
                    "received": received,
                    "request_id": request_id,
                    "name": event.name,
                    "groupId": event.group_id,
                    "time": event.time,
                    "content": event.content,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for event in acceptance.events
        ]
        size = os.fstat(self._file).st_size
        try:
            self._write(b"".join(lines))
        except OSError:
            if self._regular:
                os.ftruncate(self._file, size)
            raise

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def _end_torn_line(self) -> None:
        """End a line that a killed emulator left unfinished, so that the next event has a line of its own."""
        if not self._regular:
            return
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")
