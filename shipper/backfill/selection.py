"""Which files a backfill reads, in which order, and as files of which source."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shipper.backfill.generations import in_order
from shipper.backfill.passing import PassingFiles
from shipper.config.model import SourceTable
from shipper.matching.timestamps import find_time
from shipper.tailing.archives import open_content
from shipper.tailing.decoding import resolve
from shipper.tailing.files import UnreadableError
from shipper.tailing.globs import excluded, has_magic, path_pattern
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_SOURCE = SourceTable(name="-", paths=("-",))
STDIN = "-"
_LOOK_BYTES = 16 * 1024
_FILES = PassingFiles()


@dataclass(frozen=True, slots=True)
class Selected:
    """A file to read.

    Attributes:
        path: where it lies; `STDIN` for what comes over a pipe.
        size: bytes on the disk, compressed or not.
        modified: time of its last change, seconds since the epoch.
        source: the source that it belongs to; None for none.
        is_named: whether somebody named it, and no glob or directory brought it.
    """

    path: str
    size: int
    modified: float
    source: SourceTable | None
    is_named: bool = False


def select(paths: Sequence[str], sources: Sequence[SourceTable], forced: SourceTable | None) -> list[Selected]:
    """Find the files, each once.

    Args:
        paths: files, directories (all that lies below them), globs, and `STDIN`.
        sources: those of the configuration; a file under a source's globs belongs to it, also when only its name
            without rotation and compression suffixes is.
        forced: the source all files are to belong to.

    Raises:
        FileNotFoundError: a path matches nothing; `filename` is the path.
    """
    chosen: dict[tuple[int, int], Selected] = {}
    for path in paths:
        if path == STDIN:
            chosen.setdefault((-1, -1), Selected(STDIN, 0, 0.0, forced, is_named=True))
            continue
        found = False
        is_named = os.path.lexists(path)
        for each in _expand(path):
            try:
                status = os.stat(each)
            except FileNotFoundError:
                if each == path:
                    raise
                # a link to nowhere, or gone meanwhile
                continue
            found = True
            source = forced or source_of(each, sources)
            selected = Selected(each, status.st_size, status.st_mtime, source, is_named and each == path)
            key = status.st_dev, status.st_ino
            if key not in chosen or selected.is_named:
                chosen[key] = selected
        if not found:
            raise FileNotFoundError(2, "no such file, or nothing in it", path)
    return list(chosen.values())


def families(files: Sequence[Selected]) -> list[tuple[Selected, ...]]:
    """Group files by the log that they are generations of, each in the order of time; the oldest family first."""
    by_log: dict[tuple[str, str], list[Selected]] = {}
    for selected in files:
        source = "" if selected.source is None else selected.source.name
        by_log.setdefault((log_of(os.path.abspath(selected.path)), source), []).append(selected)
    found = [_ordered(some) for some in by_log.values()]
    return sorted(found, key=lambda some: (min(each.modified for each in some), some[0].path))


def source_of(path: str, sources: Sequence[SourceTable]) -> SourceTable | None:
    """Give the first source under whose globs a path is, by its name or by its name before rotation."""
    full = os.path.abspath(path)
    for name in (full, log_of(full)):
        for source in sources:
            if any(path_pattern(each).fullmatch(name) for each in source.paths) and not excluded(name, source.exclude):
                return source
    return None


def first_bytes(selected: Selected, amount: int) -> bytes:
    """Give what a file's content begins with; nothing of what cannot be read, which its own turn tells."""
    try:
        content = open_content(_FILES, selected.path)
    except (UnreadableError, OSError):
        return b""
    try:
        return content.read_at(0, amount)
    except OSError:
        return b""
    finally:
        content.close()


def _ordered(some: Sequence[Selected]) -> tuple[Selected, ...]:
    """Give the generations of one log in the order of time: by name, else by their first times, else by their ages."""
    by_path = {each.path: each for each in some}
    names = in_order(list(by_path))
    if names is not None:
        return tuple(by_path[name] for name in names)
    times = {path: _first_time(each) for path, each in by_path.items()}
    known = {path: time.timestamp() for path, time in times.items() if time is not None}
    if len(known) == len(times):
        return tuple(sorted(some, key=lambda each: (known[each.path], each.modified, each.path)))
    return tuple(sorted(some, key=lambda each: (each.modified, each.path)))


def _first_time(selected: Selected) -> datetime | None:
    """Give the first time that stands in a file; None when it cannot be read, or there is none near its beginning."""
    source = selected.source or NO_SOURCE
    reference = datetime.fromtimestamp(selected.modified, UTC)
    head = first_bytes(selected, _LOOK_BYTES)
    lines = head.decode(resolve(source.encoding, head), "replace").split("\n")
    return next((time for line in lines if (time := find_time(line, reference, source.zone)) is not None), None)


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
