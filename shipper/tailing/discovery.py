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
from shipper.tailing.globs import excluded, has_magic, name_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
    """

    files: dict[str, Found] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)


def discover(paths: Sequence[str], exclude: tuple[str, ...], own: frozenset[str] = frozenset()) -> Discovery:
    """Find the files of a source.

    Args:
        paths: absolute globs.
        exclude: globs of paths, or of names when they hold no slash.
        own: directories of the agent itself, never read (hazard 6.6).
    """
    seen = Discovery()
    listings: dict[str, list[os.DirEntry[str]]] = {}
    for pattern in paths:
        parts = [part for part in pattern.split("/") if part]
        for path in _expand("/", parts, exclude, own, seen, listings):
            if path not in seen.files:
                _judge(path, pattern, seen)
    for path in seen.files:
        seen.skipped.pop(path, None)
    return seen


def _expand(
    base: str,
    parts: list[str],
    exclude: tuple[str, ...],
    own: frozenset[str],
    seen: Discovery,
    listings: dict[str, list[os.DirEntry[str]]],
) -> Iterator[str]:
    if base in own or (base != "/" and excluded(base, exclude)):
        return
    if not parts:
        yield base
        return
    part, rest = parts[0], parts[1:]
    if part != "**" and not has_magic(part):
        path = os.path.join(base, part)
        if not rest:
            # a file that is named outright may come later: its directory is worth watching
            seen.directories.add(base)
        if os.path.lexists(path):
            yield from _expand(path, rest, exclude, own, seen, listings)
        return
    entries = _list(base, seen, listings)
    if part == "**":
        yield from _expand(base, rest or ["*"], exclude, own, seen, listings)
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _expand(entry.path, parts, exclude, own, seen, listings)
        return
    wanted = name_pattern(part)
    for entry in entries:
        if wanted.match(entry.name) and (not rest or _is_directory(entry)):
            yield from _expand(entry.path, rest, exclude, own, seen, listings)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _list(directory: str, seen: Discovery, listings: dict[str, list[os.DirEntry[str]]]) -> list[os.DirEntry[str]]:
    if directory not in listings:
        try:
            with os.scandir(directory) as entries:
                listings[directory] = sorted(entries, key=lambda entry: entry.name)
            seen.directories.add(directory)
        except OSError as error:
            listings[directory] = []
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                seen.skipped[directory] = f"the directory cannot be listed: {error.strerror}"
    return listings[directory]


def _judge(path: str, pattern: str, seen: Discovery) -> None:
    try:
        link = os.lstat(path)
        status = os.stat(path) if stat.S_ISLNK(link.st_mode) else link
    except FileNotFoundError:
        seen.skipped[path] = "a link to a file that is not there"
        return
    except OSError as error:
        seen.skipped[path] = error.strerror or str(error)
        return
    if stat.S_ISDIR(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode):
        seen.skipped[path] = "not a regular file"
    elif stat.S_ISLNK(link.st_mode) and not _link_is_trusted(path, link, status):
        seen.skipped[path] = "a link by another user to a file that is not theirs is not followed"
    else:
        identity = FileIdentity(status.st_dev, status.st_ino)
        seen.files[path] = Found(path, identity, status.st_size, status.st_mtime_ns, pattern)


def _link_is_trusted(path: str, link: os.stat_result, target: os.stat_result) -> bool:
    """Apply spec section 3 "Links": who owns the link's directory, or the same owner for link and target."""
    owner = os.stat(os.path.dirname(path)).st_uid
    return owner in {0, os.geteuid()} or link.st_uid == target.st_uid
