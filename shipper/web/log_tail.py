"""The last lines of a file that a source names, for the rule workshop; no other file is read (spec, section 7)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.agent.status import printable_path
from shipper.errors import ShipperError
from shipper.tailing.condition import FileState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.config.model import Config, SourceTable
    from shipper.tailing.condition import FileCondition

BYTES = 128 * 1024
# of every encoding that has lines, characters begin at multiples of it
_ALIGNED = 4


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
        descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ShipperError(f"{shown} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != found.identity.node:
            raise ShipperError(f"{shown} is another file by now; ask again")
        until = status.st_size if end is None else min(end, status.st_size)
        start = max(0, until - BYTES) // _ALIGNED * _ALIGNED
        data = os.pread(descriptor, until - start, start)
    except OSError as error:
        raise ShipperError(f"{shown} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return LogTail(shown, source, data, start, start + len(data))


def _is_read(condition: FileCondition) -> bool:
    return condition.state is not FileState.SKIPPED and not condition.is_deleted
