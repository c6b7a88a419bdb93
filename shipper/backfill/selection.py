"""Which files a backfill reads, in which order, and as files of which source."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.config.model import SourceTable
from shipper.tailing.globs import excluded, has_magic, path_pattern
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_SOURCE = SourceTable(name="-", paths=("-",))


@dataclass(frozen=True, slots=True)
class Selected:
    """A file to read.

    Attributes:
        path: where it lies.
        size: bytes on the disk, compressed or not.
        modified: time of its last change, seconds since the epoch.
        source: the source that it belongs to; None for none.
    """

    path: str
    size: int
    modified: float
    source: SourceTable | None


def select(paths: Sequence[str], sources: Sequence[SourceTable], forced: SourceTable | None) -> list[Selected]:
    """Find the files, the oldest first, each once.

    Args:
        paths: files, directories (all that lies below them) and globs.
        sources: those of the configuration; a file under a source's globs belongs to it, also when only its name
            without rotation and compression suffixes is.
        forced: the source all files are to belong to.

    Raises:
        FileNotFoundError: a path matches nothing; `filename` is the path.
    """
    chosen: dict[tuple[int, int], Selected] = {}
    for path in paths:
        found = False
        for each in _expand(path):
            status = os.stat(each)
            found = True
            selected = Selected(each, status.st_size, status.st_mtime, forced or source_of(each, sources))
            chosen.setdefault((status.st_dev, status.st_ino), selected)
        if not found:
            raise FileNotFoundError(2, "no such file, or nothing in it", path)
    return sorted(chosen.values(), key=lambda selected: (selected.modified, selected.path))


def source_of(path: str, sources: Sequence[SourceTable]) -> SourceTable | None:
    """Give the first source under whose globs a path is, by its name or by its name before rotation."""
    full = os.path.abspath(path)
    for name in (full, log_of(full)):
        for source in sources:
            if any(path_pattern(each).fullmatch(name) for each in source.paths) and not excluded(name, source.exclude):
                return source
    return None


def _expand(path: str) -> Iterator[str]:
    if not os.path.lexists(path) and has_magic(path):
        for each in sorted(glob.glob(path, recursive=True)):
            yield from _expand(each)
    elif os.path.isdir(path):
        for directory, below, names in os.walk(path):
            below.sort()
            yield from (each for name in sorted(names) if os.path.isfile(each := os.path.join(directory, name)))
    elif os.path.lexists(path):
        yield path
