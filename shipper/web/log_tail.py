"""The end of a file that a source names, for the rule workshop; no other file is read (spec, section 7)."""

from __future__ import annotations

import dataclasses
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.errors import ShipperError
from shipper.printable import printable_path
from shipper.tailing.condition import FileState
from shipper.tailing.decoding import MARK_BYTES, find_last_newline, find_newline, newline_of, resolve
from shipper.tailing.files import MAGIC_BYTES, LogFile, UnreadableError, compression_of
from shipper.web.excerpt import Excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.config.model import Config, SourceTable
    from shipper.tailing.condition import FileCondition

BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a log, and where in the file that is."""

    excerpt: Excerpt
    end: int


def log_tail(
    config: Config, conditions: Iterable[FileCondition], shown: str, end: int | None = None, most: int = BYTES
) -> LogTail:
    """Read the last lines of a file.

    Args:
        config: the sources.
        conditions: the files that they name.
        shown: the file's path as it is shown in a status.
        end: where to end instead, so that the same lines can be asked for again while the file grows.
        most: bytes that are read.

    Raises:
        ShipperError: no source reads such a file, it cannot be read, or it is another one by now.
    """
    found = _named(shown, conditions)
    sources = {source.name: source for source in config.source}
    source = None if found is None else next((sources[name] for name in found.sources if name in sources), None)
    if found is None or source is None or found.identity is None:
        raise ShipperError(f"no source reads {shown}; the list of files says which are read")
    try:
        with closing(LogFile.open(found.path)) as file:
            if not file.identity.may_be(found.identity):
                raise ShipperError(f"{shown} is another file by now; ask again")
            head = file.read_at(0, max(MAGIC_BYTES, MARK_BYTES))
            if (kind := compression_of(head)) is not None:
                raise ShipperError(f"{shown} is compressed with {kind}; `shipper match` reads it")
            source = dataclasses.replace(source, encoding=resolve(source.encoding, head))
            return _last_lines(file, shown, source, end, most)
    except UnreadableError as error:
        raise ShipperError(f"{shown} cannot be read: {error}") from None
    except OSError as error:
        raise ShipperError(f"{shown} cannot be read: {error.strerror}") from None


def _named(shown: str, conditions: Iterable[FileCondition]) -> FileCondition | None:
    found = {
        each.path: each
        for each in conditions
        if printable_path(each.path) == shown and each.state is not FileState.SKIPPED and not each.is_deleted
    }
    if len(found) > 1:
        raise ShipperError(
            f"{len(found)} files are shown as {shown}, for their names are no UTF-8; `shipper match` reads them"
        )
    return next(iter(found.values()), None)


def _last_lines(file: LogFile, shown: str, source: SourceTable, end: int | None, most: int) -> LogTail:
    """Read whole lines; the last one may lack its end when nobody has written to the file for long."""
    status = file.status()
    until = status.st_size if end is None else max(0, min(end, status.st_size))
    # of every encoding that has lines, characters begin at multiples of its mark
    start = max(0, until - most) // MARK_BYTES * MARK_BYTES
    data = file.read_at(start, until - start)
    silence = time.time() - status.st_mtime
    grows = until < status.st_size or silence < max(source.partial_timeout, source.multiline.timeout)
    newline = newline_of(source.encoding)
    if grows:
        last = find_last_newline(data, newline)
        data = data[: last + len(newline)] if last >= 0 else b""
    end = start + len(data) if data else until
    if start:
        first = find_newline(data, newline, 0, len(data))
        data = data[first + len(newline) :] if first >= 0 else b""
    return LogTail(Excerpt(data, shown, source, is_start=not start, grows=grows), end)
