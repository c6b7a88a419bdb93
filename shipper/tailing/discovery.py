"""Finds the files of a source: globs and excludes over the real directories, with the policy for links.

A scan is the truth about which files there are; the watcher only says when to scan sooner (hazard 2.1). Excluded
directories are not entered, `**` follows no directory links, and only regular files are found (hazard 2.6).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipper.events import FileIdentity
from shipper.tailing.files import HOST_FILES
from shipper.tailing.globs import excluded, has_magic, name_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.tailing.files import Entry, Files


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a glob matched.

    Attributes:
        path: as matched, links not resolved.
        identity: device and inode of the file itself.
        size: bytes.
        modified: nanoseconds of its last change.
        glob: the pattern that matched.
    """

    path: str
    identity: FileIdentity
    size: int
    modified: int
    glob: str


@dataclass(slots=True)
class Discovery:
    """What one scan saw.

    Attributes:
        files: by path, in the order of the globs.
        skipped: reason by path, for what a glob matched but is not followed.
        directories: those that were listed, for the watcher.
        entries: all names in each of them, with their inodes.
    """

    files: dict[str, Found] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    entries: dict[str, dict[str, int]] = field(default_factory=dict)


def discover(
    paths: Sequence[str], exclude: tuple[str, ...], own: frozenset[str] = frozenset(), files: Files = HOST_FILES
) -> Discovery:
    """Find the files of a source.

    Args:
        paths: absolute globs.
        exclude: globs of paths, or of names when they hold no slash.
        own: directories of the agent itself, never read (hazard 6.6).
        files: the file system.
    """
    walk = _Walk(files, exclude, own)
    for pattern in paths:
        parts = [part for part in pattern.split("/") if part]
        for path in walk.expand("/", parts):
            if path not in walk.seen.files:
                walk.judge(path, pattern)
    for path in walk.seen.files:
        walk.seen.skipped.pop(path, None)
    return walk.seen


class _Walk:
    """One walk over the directories; each is listed once."""

    def __init__(self, files: Files, exclude: tuple[str, ...], own: frozenset[str]) -> None:
        self.seen = Discovery()
        self._files = files
        self._exclude = exclude
        self._own = own
        self._listings: dict[str, list[Entry]] = {}

    def expand(self, base: str, parts: list[str]) -> Iterator[str]:
        """Give the paths below `base` that the parts of a pattern match."""
        if base in self._own or (base != "/" and excluded(base, self._exclude)):
            return
        if not parts:
            yield base
            return
        part, rest = parts[0], parts[1:]
        if part != "**" and not has_magic(part):
            path = os.path.join(base, part)
            if not rest:
                # a file that is named outright may come later: its directory is worth watching
                self.seen.directories.add(base)
            if self._exists(path):
                yield from self.expand(path, rest)
            return
        entries = self._list(base)
        if part == "**":
            yield from self.expand(base, rest or ["*"])
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_directory:
                    yield from self.expand(os.path.join(base, entry.name), parts)
            return
        wanted = name_pattern(part)
        for entry in entries:
            path = os.path.join(base, entry.name)
            if wanted.match(entry.name) and (not rest or self._is_directory(entry, path)):
                yield from self.expand(path, rest)

    def judge(self, path: str, pattern: str) -> None:
        """Note a path that a pattern matched: as a file, or as skipped with its reason."""
        try:
            link = self._files.status(path, follow=False)
            status = self._files.status(path) if stat.S_ISLNK(link.st_mode) else link
        except FileNotFoundError:
            self.seen.skipped[path] = "a link to a file that is not there"
            return
        except OSError as error:
            self.seen.skipped[path] = error.strerror or str(error)
            return
        if stat.S_ISDIR(status.st_mode):
            return
        if not stat.S_ISREG(status.st_mode):
            self.seen.skipped[path] = "not a regular file"
        elif stat.S_ISLNK(link.st_mode) and not self._link_is_trusted(path, link, status):
            self.seen.skipped[path] = "a link by another user to a file that is not theirs is not followed"
        else:
            identity = FileIdentity(status.st_dev, status.st_ino)
            self.seen.files[path] = Found(path, identity, status.st_size, status.st_mtime_ns, pattern)

    def _exists(self, path: str) -> bool:
        try:
            self._files.status(path, follow=False)
        except OSError:
            return False
        return True

    def _is_directory(self, entry: Entry, path: str) -> bool:
        if not entry.is_link:
            return entry.is_directory
        try:
            return stat.S_ISDIR(self._files.status(path).st_mode)
        except OSError:
            return False

    def _list(self, directory: str) -> list[Entry]:
        if directory not in self._listings:
            try:
                self._listings[directory] = self._files.list(directory)
                self.seen.directories.add(directory)
                self.seen.entries[directory] = {entry.name: entry.inode for entry in self._listings[directory]}
            except OSError as error:
                self._listings[directory] = []
                if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    self.seen.skipped[directory] = f"the directory cannot be listed: {error.strerror}"
        return self._listings[directory]

    def _link_is_trusted(self, path: str, link: os.stat_result, target: os.stat_result) -> bool:
        """Apply spec section 3 "Links": who owns the link's directory, or the same owner for link and target."""
        owner = self._files.status(os.path.dirname(path)).st_uid
        return owner in {0, os.geteuid()} or link.st_uid == target.st_uid
