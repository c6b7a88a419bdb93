"""One log from its beginning to its end, outside of any agent: its content as blocks with line numbers."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shipper.events import Origin
from shipper.tailing.files import LogFile
from shipper.tailing.formats import assembler_of
from shipper.tailing.streams import StreamedLog
from shipper.tailing.tailer import Halt, Tailer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.config.model import SourceTable
    from shipper.events import Block, Loss
    from shipper.tailing.archives import CompressedLog

    Content = LogFile | CompressedLog | StreamedLog

MAX_LINE_BYTES = 64 * 1024


class OpenLog:
    """One open log.

    Attributes:
        lines: how many of it are in the blocks that were given.
        fault: why it could not be read to its end; None when it could.
    """

    def __init__(
        self,
        content: Content,
        name: str,
        source: SourceTable | None,
        modified: float = math.inf,
        *,
        grows: bool = False,
    ) -> None:
        """Read `content` from its beginning, as a file of a source or with the defaults.

        `modified` is the time of a file's last change, as the epoch's seconds. Of one that `grows` the unfinished last
        line and record are not given.
        """
        self.lines = 0
        self.fault: str | None = None
        self._content = content
        self._modified = modified
        self._grows = grows
        # a file's name may hold bytes that are no text, and JSON can hold only text
        path = os.fsencode(name).decode("utf-8", "replace")
        self._tailer: Tailer[Content] = Tailer(
            content,
            path,
            source.origin if source else Origin(),
            max_line_bytes=source.max_line_bytes if source else MAX_LINE_BYTES,
            partial_timeout=math.inf,
            assembler=assembler_of(source) if source else None,
        )

    def blocks(self) -> Iterator[Block]:
        """Give all blocks up to the end or to a fault; of a pipe, each as it comes."""
        content = self._content
        try:
            while True:
                ended = not isinstance(content, StreamedLog) or content.ended
                found = self._tailer.next_block(self._read_at(), 0.0, flush=ended and not self._grows)
                if not isinstance(found, Halt):
                    first = self.lines + 1
                    self.lines += found.lines or found.data.count(b"\n") + (not found.data.endswith(b"\n"))
                    yield dataclasses.replace(found, first_line=first)
                elif isinstance(content, StreamedLog) and not content.ended:
                    content.read_more()
                else:
                    break
        except OSError as error:
            self.fault = error.strerror or str(error)
        else:
            if found is Halt.REWRITTEN:
                self.fault = "its content was replaced meanwhile"
            elif not isinstance(content, LogFile):
                self.fault = content.fault
        if self.fault is not None:
            self.fault = f"not read beyond offset {self._tailer.offset} of its content: {self.fault}"

    def take_losses(self) -> list[Loss]:
        """Give what was skipped."""
        return self._tailer.take_losses()

    def _read_at(self) -> datetime:
        """Give the time of lines that carry none: a file's own, since they were written before it."""
        return datetime.fromtimestamp(min(self._modified, time.time()), UTC)
