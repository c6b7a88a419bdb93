"""The last lines of a file that a source names, for the rule workshop; no other file is read (spec, section 7)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.errors import ShipperError
from shipper.printable import printable_path
from shipper.tailing.condition import FileState
from shipper.tailing.decoding import MARK_BYTES
from shipper.tailing.files import LogFile, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.config.model import Config, SourceTable
    from shipper.tailing.condition import FileCondition

BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a log.

    Attributes:
        path: of the file.
        source: as which it is read.
        data: its bytes; unless they begin at 0 the first line is probably not whole.
        start: where they begin.
        end: where they end.
    """

    path: str
    source: SourceTable
    data: bytes
    start: int
    end: int


def log_tail(config: Config, conditions: Iterable[FileCondition], shown: str, end: int | None = None) -> LogTail:
    """Read the end of a file.

    Args:
        config: the sources.
        conditions: the files that they name.
        shown: the file's path as it is shown in a status.
        end: where to end instead, so that the same lines can be asked for again while the file grows.

    Raises:
        ShipperError: no source reads such a file, it cannot be read, or it is another one by now.
    """
    found = next((each for each in conditions if printable_path(each.path) == shown and _is_read(each)), None)
    sources = {source.name: source for source in config.source}
    source = None if found is None else next((sources[name] for name in found.sources if name in sources), None)
    if found is None or source is None or found.identity is None:
        raise ShipperError(f"no source reads {shown}; the list of files says which are read")
    if found.size is None:
        raise ShipperError(f"{shown} is compressed; `shipper match` reads it")
    try:
        with closing(LogFile.open(found.path)) as file:
            if file.identity.node != found.identity.node:
                raise ShipperError(f"{shown} is another file by now; ask again")
            size = file.status().st_size
            until = size if end is None else min(end, size)
            # of every encoding that has lines, characters begin at multiples of its mark
            start = max(0, until - BYTES) // MARK_BYTES * MARK_BYTES
            data = file.read_at(start, until - start)
    except UnreadableError as error:
        raise ShipperError(f"{shown} cannot be read: {error}") from None
    except OSError as error:
        raise ShipperError(f"{shown} cannot be read: {error.strerror}") from None
    return LogTail(shown, source, data, start, start + len(data))


def _is_read(condition: FileCondition) -> bool:
    return condition.state is not FileState.SKIPPED and not condition.is_deleted
