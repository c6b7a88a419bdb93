"""Where the content of a file went: looks for a checkpoint's bytes under other names (hazards 1.3, 1.6, 1.8, 1.12)."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError
from shipper.tailing.tailer import recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shipper.events import Checkpoint, FileIdentity
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import Files

MAX_ARCHIVES = 64
SLACK_NS = 2 * 10**9
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.EINTR}


class Search:
    """Looks for the file that holds a checkpoint's content now: by identity first, then by content alone.

    Plain files are looked at in the first step; compressed ones are decompressed a little in each.

    Attributes:
        found: path and open file, when it was found.
        pending: a candidate is still being written: look again later.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        rotated: Sequence[str],
        own: frozenset[str],
        is_taken: Callable[[Found], bool],
        files: Files = HOST_FILES,
    ) -> None:
        """Prepare.

        Args:
            checkpoint: what to look for; one at offset 0 is recognised by identity only.
            rotated: further globs, absolute or relative to the file's directory, which is always searched.
            own: directories of the agent, not searched.
            is_taken: tells the files that are known as something else, so cannot be it by content.
            files: the file system.
        """
        self.found: tuple[str, LogFile | CompressedLog] | None = None
        self.pending = False
        self._checkpoint = checkpoint
        self._rotated = rotated
        self._own = own
        self._is_taken = is_taken
        self._files = files
        self._archives: list[tuple[str, CompressedLog]] = []
        self._steps: Iterator[None] | None = None
        self._budget = 0

    def step(self, budget: int) -> bool:
        """Look a little further: decompress at most about `budget` bytes. True when this search is over."""
        if self._steps is None:
            self.close()
            self.pending = False
            self._steps = self._look()
        self._budget = budget
        for _ in self._steps:
            return False
        self._steps = None
        return True

    def close(self) -> None:
        """Close what is open, found or not."""
        for _, archive in self._archives:
            archive.close()
        self._archives.clear()
        if self.found is not None:
            self.found[1].close()
            self.found = None

    def _look(self) -> Iterator[None]:
        wanted = self._checkpoint
        name = os.path.basename(wanted.path)
        places = _places(wanted.path, self._rotated, self._own, self._files)
        places.sort(
            key=lambda place: (
                place.identity.node != wanted.identity.node,
                not os.path.basename(place.path).startswith(name),
                -place.modified,
            )
        )
        for place in places:
            if self._is_candidate(place):
                content = self._open(place)
                if isinstance(content, CompressedLog):
                    self._archives.append((place.path, content))
                elif content is not None and self._recognise(content):
                    self._take(place.path, content)
                    return
                elif content is not None:
                    content.close()
        while self._archives:
            path, archive = self._archives[0]
            while not archive.advance(wanted.offset, self._budget):
                yield
            self._archives.pop(0)
            if self._recognise(archive):
                self._take(path, archive)
                return
            self.pending |= archive.incomplete
            archive.close()

    def _take(self, path: str, content: LogFile | CompressedLog) -> None:
        self.close()
        self.found = (path, content)

    def _is_candidate(self, place: Found) -> bool:
        if place.identity.node == self._checkpoint.identity.node:
            return True
        return bool(self._checkpoint.offset) and not self._is_taken(place)

    def _open(self, place: Found) -> LogFile | CompressedLog | None:
        """Open a candidate; compressed ones only if they may hold what was still there at the last look."""
        try:
            content = open_content(self._files, place.path)
        except UnreadableError as error:
            # the file itself is there, or we are short of descriptors: not "not found"
            same = place.identity.node == self._checkpoint.identity.node
            self.pending |= error.number in _PASSING or (same and error.number != errno.ENOENT)
            return None
        except OSError:
            self.pending = True
            return None
        old = place.modified < self._checkpoint.modified - SLACK_NS
        if isinstance(content, CompressedLog) and (old or len(self._archives) >= MAX_ARCHIVES):
            content.close()
            return None
        return content

    def _recognise(self, content: LogFile | CompressedLog) -> bool:
        same = content.identity.may_be(self._checkpoint.identity)
        try:
            return (same or self._checkpoint.offset > 0) and recognises(content, self._checkpoint)
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Generation:
    """One of the files that a log was rotated into.

    Attributes:
        path: where it is.
        identity: device and inode.
        modified: when it was last changed, in nanoseconds since the epoch.
        size: bytes on the disk.
    """

    path: str
    identity: FileIdentity
    modified: int
    size: int


def family(path: str, files: Files, rotated: Sequence[str], own: frozenset[str]) -> list[Generation]:
    """Give the other generations of a log by their names, the newest first.

    `app.log` has `app.log.1`, `app.log-20261123.gz`, and with a date or number before the extension `app-20261123.log`;
    in the `rotated` places the same names count.
    """
    name = os.path.basename(path)
    stem, dot, extension = name.rpartition(".")
    names = re.escape(name) + r"[.\-_].+"
    if dot:
        names += "|" + re.escape(stem) + r"[.\-_][\d.\-_T]+" + re.escape(dot + extension) + r"(?:\.\w+)?"
    pattern = re.compile(names, re.DOTALL)
    generations = [
        Generation(found.path, found.identity, found.modified, found.size)
        for found in _places(path, rotated, own, files)
        if found.path != path and pattern.fullmatch(os.path.basename(found.path))
    ]
    return sorted(generations, key=lambda generation: -generation.modified)


def possible_logs(name: str) -> list[str]:
    """Give the names of the logs that a file may have been rotated from: `app.log` for `app.log.1` or `app-2026.log`."""
    logs = [name[: found.start()] for found in re.finditer(r"[.\-_]", name) if found.start()]
    if dated := re.fullmatch(r"(.+?)[.\-_][\d.\-_T]+(\.[A-Za-z]\w*)(?:\.\w+)?", name, re.DOTALL):
        logs.append(dated[1] + dated[2])
    return logs


def are_relatives(path: str, other: str) -> bool:
    """Tell by their names whether two files may be generations of one log."""
    if os.path.dirname(path) != os.path.dirname(other):
        return False
    names, others = os.path.basename(path), os.path.basename(other)
    return not {names, *possible_logs(names)}.isdisjoint([others, *possible_logs(others)])


def _places(path: str, rotated: Sequence[str], own: frozenset[str], files: Files) -> list[Found]:
    directory = os.path.dirname(path)
    globs = [os.path.join(directory, "*"), *(os.path.join(directory, glob) for glob in rotated)]
    return list(discover(globs, (), own, files).files.values())
