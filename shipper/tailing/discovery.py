"""Finds the files of a source: globs and excludes over the real directories, with the policy for links.

A scan is the truth about which files there are; the watcher only says when to scan sooner (hazard 2.1). It lists a
directory once and looks at a plain file once, only if its name matches (hazard 2.5). Only regular files are found
(hazard 2.6).

What bounds a walk: excluded directories and the agent's own are not entered; `**` follows no directory links; wildcards
do not lead into the kernel's own directories, nor deeper than `MAX_DEPTH`, nor into more than `MAX_DIRECTORIES`, the
shallowest first. Like `find` it crosses into other file systems. What an operator names outright, before the first
wildcard, is entered whatever it is. A name that vanishes while the walk is under way was simply not there.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from shipper.events import FileIdentity, Node
from shipper.tailing import access, links
from shipper.tailing.files import HOST_FILES, Listing
from shipper.tailing.globs import ANY_DEPTH, excludes, glob_of, has_magic, name_pattern
from shipper.tailing.skipped import Skip, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shipper.tailing.files import Files

MAX_DEPTH: Final = 100
MAX_DIRECTORIES: Final = 100_000
KERNEL_DIRECTORIES: Final = frozenset({"/proc", "/sys", "/dev"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a glob matched.

    Attributes:
        path: as matched, links not resolved.
        identity: device and inode of the file itself.
        size: bytes.
        modified: nanoseconds of its last change.
        glob: the pattern that matched.
        node: of the identity; asked for at every scan.
    """

    path: str
    identity: FileIdentity
    size: int
    modified: int
    glob: str
    node: Node = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work the node out once."""
        object.__setattr__(self, "node", self.identity.node)


@dataclass(slots=True)
class Discovery:
    """What one scan saw.

    Attributes:
        files: by path, in the order of the globs.
        skipped: why by path, or by glob, what is not followed though a glob asks for it.
        directories: those in which files are looked for, for the watcher.
        entries: all names in each directory that was listed, with their inodes, links' own.
        moving: directories in which names changed while they were looked at: a file may be under none that was seen.
    """

    files: dict[str, Found] = field(default_factory=dict)
    skipped: dict[str, Skip] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    entries: dict[str, Mapping[str, int]] = field(default_factory=dict)
    moving: set[str] = field(default_factory=set)


def discover(
    paths: Sequence[str],
    exclude: tuple[str, ...],
    own: frozenset[str] = frozenset(),
    files: Files = HOST_FILES,
    *,
    before: Mapping[str, Found] = MappingProxyType({}),
    max_directories: int = MAX_DIRECTORIES,
) -> Discovery:
    """Find the files of a source.

    Args:
        paths: absolute globs.
        exclude: globs of paths, or of names when they hold no slash; a name that is a directory of a glob's fixed
            part is not judged by the latter.
        own: directories of the agent itself, links resolved, never read (hazard 6.6).
        files: the file system.
        before: what the last scan found: what is still so is given as the same object, which costs and holds less.
        max_directories: how many directories are listed at most.
    """
    walk = _Walk(files, exclude, own, before, max_directories)
    for pattern in paths:
        walk.find(pattern)
    return walk.seen


class _Walk:
    """One walk over the directories; what was listed or looked at for one glob is not asked for again."""

    def __init__(
        self,
        files: Files,
        exclude: tuple[str, ...],
        own: frozenset[str],
        before: Mapping[str, Found],
        max_directories: int,
    ) -> None:
        self.seen = Discovery()
        self._files = files
        self._excludes = excludes(exclude)
        self._max_directories = max_directories
        self._before = before
        self._is_full = False
        self._listings: dict[str, Listing] = {}
        self._statuses: dict[str, os.stat_result | None] = {}
        self._own = own
        self._own_identities = {
            FileIdentity(status.st_dev, status.st_ino) for path in own if (status := self._status(path)) is not None
        }
        self._own_inodes = {identity.inode for identity in self._own_identities}

    def find(self, pattern: str) -> None:
        """Find what one glob matches."""
        glob = glob_of(pattern)
        if self._excludes.covers_path(glob.fixed) or self._is_within_own(glob.fixed):
            return
        # a directory, the part that is looked for in it, and how far below the fixed part it is
        self._is_full = False
        waiting = deque([(glob.fixed, 0, 0)])
        met = {(glob.fixed, 0)}
        while waiting:
            directory, at, depth = waiting.popleft()
            part = glob.parts[at]
            if at + 1 == len(glob.parts):
                self._find_files(directory, part, pattern)
                continue
            below = [(directory, at + 1, depth)] if part == ANY_DEPTH else []
            step = 0 if part == ANY_DEPTH else 1
            below += [(path, at + step, depth + 1) for path in self._directories(directory, part)]
            for place in below:
                if place[2] > MAX_DEPTH:
                    self.seen.skipped[place[0]] = Skip(
                        f"it lies more than {MAX_DEPTH} directories below {glob.fixed}; name it in `paths` to read it"
                    )
                elif place[:2] not in met:
                    met.add(place[:2])
                    waiting.append(place)
        if self._is_full:
            self.seen.skipped[pattern] = Skip(
                f"the source's globs lead into more than {self._max_directories} directories; the rest is not read: "
                "name the directories you mean, or exclude some"
            )

    def _find_files(self, directory: str, part: str, pattern: str) -> None:
        """Judge the files in a directory that the last part of a glob matches."""
        if not has_magic(part):
            # it may come later, so its directory is worth watching
            path = os.path.join(directory, part)
            if self._judge(path, pattern) or self._status(directory) is not None:
                self.seen.directories.add(directory)
            return
        wanted = name_pattern(part)
        as_listed = True
        beside = os.path.join(directory, "")
        listing = self._list(directory)
        directories, files, skipped, excludes = listing.directories, self.seen.files, self.seen.skipped, self._excludes
        for name, inode in listing.inodes.items():
            if name in directories or not wanted.match(name):
                continue
            path = beside + name
            known = self._before.get(path)
            # thousands at every scan, most of them as they were
            if (
                known is not None
                and known.glob == pattern
                and known.identity.inode == inode
                and path not in files
                and path not in skipped
                and not excludes.covers(path)
                and self._is_as_before(known)
            ):
                files[path] = known
            else:
                as_listed &= self._judge(path, pattern, inode)
        if not as_listed and self._has_changed(directory):
            self.seen.moving.add(directory)

    def _is_as_before(self, known: Found) -> bool:
        """Tell whether a path is still the regular file that the last scan found there, unchanged."""
        try:
            status = self._files.status(known.path, follow=False)
        except OSError:
            return False
        return (
            status.st_mtime_ns == known.modified
            and status.st_size == known.size
            and status.st_ino == known.node[1]
            and status.st_dev == known.node[0]
            and stat.S_ISREG(status.st_mode)
        )

    def _has_changed(self, directory: str) -> bool:
        """List a directory again: an inode that differs from the listed one may be that of a mounted file."""
        try:
            return self.seen.entries.get(directory) != self._files.list(directory).inodes
        except OSError:
            return True

    def _directories(self, directory: str, part: str) -> Iterator[str]:
        """Give the directories in a directory that a part of a glob leads to."""
        if part != ANY_DEPTH and not has_magic(part):
            path = os.path.join(directory, part)
            if self._may_enter(path, None) and self._leads_on(path, directory):
                yield path
            return
        wanted = name_pattern("*" if part == ANY_DEPTH else part)
        listing = self._list(directory)
        for name in sorted(listing.directories if part == ANY_DEPTH else listing.directories | listing.links):
            path = os.path.join(directory, name)
            if (
                wanted.match(name)
                and self._may_enter(path, listing.inodes[name])
                and (name in listing.directories or self._leads_on(path, directory))
            ):
                yield path

    def _may_enter(self, path: str, inode: int | None) -> bool:
        """Tell whether a directory that a wildcard leads to is to be walked at all."""
        if path in KERNEL_DIRECTORIES or path in self._own or self._excludes.covers(path):
            return False
        return (inode is not None and inode not in self._own_inodes) or not self._is_own(path)

    def _leads_on(self, path: str, directory: str) -> bool:
        """Tell whether a name is a directory, or a link to one that is to be followed."""
        try:
            status = self._files.status(path, follow=False)
            if not stat.S_ISLNK(status.st_mode):
                return stat.S_ISDIR(status.st_mode)
            target = self._files.status(path)
        except OSError as error:
            self._note_refusal(path, error)
            return False
        if not stat.S_ISDIR(target.st_mode):
            return False
        holder = self._status(directory)
        if holder is None or not links.is_trusted(holder, status, target):
            self.seen.skipped[path] = Skip(links.REFUSED)
            return False
        return not self._is_own(path)

    def _judge(self, path: str, pattern: str, inode: int | None = None) -> bool:
        """Note a path that a glob matched, as a file or as skipped with its reason.

        Tells whether it is there, and has the inode that it was listed with.
        """
        if path in self.seen.files or path in self.seen.skipped:
            return True
        if self._excludes.covers(path):
            # nobody looks at it: it is there if it was listed
            return inode is not None
        try:
            status = link = self._files.status(path, follow=False)
        except OSError as error:
            return self._note_refusal(path, error)
        is_link = stat.S_ISLNK(link.st_mode)
        if is_link:
            try:
                status = self._files.status(path)
            except OSError as error:
                return self._note_refusal(path, error) or self._note_dangling(path)
        if stat.S_ISDIR(status.st_mode):
            return True
        if not stat.S_ISREG(status.st_mode):
            self.seen.skipped[path] = Skip("not a regular file")
        elif is_link and not self._is_trusted(path, link, status):
            self.seen.skipped[path] = Skip(links.REFUSED)
        else:
            self.seen.files[path] = self._found(path, status, pattern)
        return inode is None or inode == link.st_ino

    def _found(self, path: str, status: os.stat_result, pattern: str) -> Found:
        identity = FileIdentity(status.st_dev, status.st_ino)
        found = Found(path, identity, status.st_size, status.st_mtime_ns, pattern)
        known = self._before.get(path)
        return known if known == found else found

    def _is_trusted(self, path: str, link: os.stat_result, target: os.stat_result) -> bool:
        holder = self._status(os.path.dirname(path))
        return holder is not None and links.is_trusted(holder, link, target)

    def _note_refusal(self, path: str, error: OSError, said: str = "") -> bool:
        """Note why a path could not be looked at or listed; one that is not there is no refusal and gives False."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return False
        self.seen.skipped[path] = Skip(said + access.reason(error, path, self._files), why(error.errno))
        return True

    def _note_dangling(self, path: str) -> bool:
        """Note a link whose target was not found, unless the link itself has gone meanwhile."""
        try:
            self._files.status(path, follow=False)
        except OSError:
            return False
        self.seen.skipped[path] = Skip("a link to a file that is not there")
        return True

    def _list(self, directory: str) -> Listing:
        if directory not in self._listings:
            listing = Listing({})
            if len(self._listings) >= self._max_directories:
                self._is_full = True
                return listing
            try:
                listing = self._files.list(directory)
                self.seen.directories.add(directory)
                self.seen.entries[directory] = listing.inodes
            except OSError as error:
                self._note_refusal(directory, error, "the directory cannot be listed: ")
            self._listings[directory] = listing
        return self._listings[directory]

    def _status(self, path: str) -> os.stat_result | None:
        """Look at a directory, once in a walk."""
        if path not in self._statuses:
            try:
                self._statuses[path] = self._files.status(path)
            except OSError:
                # what matters about it is said where it is listed, or one of its files is looked at
                self._statuses[path] = None
        return self._statuses[path]

    def _is_own(self, path: str) -> bool:
        """Tell whether a path is a directory of the agent, under whatever name."""
        if not self._own_identities:
            return path in self._own
        status = self._status(path)
        return path in self._own or (
            status is not None and FileIdentity(status.st_dev, status.st_ino) in self._own_identities
        )

    def _is_within_own(self, path: str) -> bool:
        while path != "/":
            if self._is_own(path):
                return True
            path = os.path.dirname(path)
        return False
