"""A file system in memory that is harder on its readers than real ones: inode numbers are reused lowest first.

It implements `shipper.tailing.files.Files`. Only what a reader of logs can see is modelled.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from shipper.events import FileIdentity
from shipper.tailing.files import Listing, LogFile, UnreadableError

DEVICE = 7


@dataclass(eq=False)
class Inode:
    """A file's content and what the kernel knows of it.

    Attributes:
        opens: descriptors through which it can be read.
        handles: changes when all descriptors go stale at once; opened anew it can be read (NFS, hazard 2.3).
        faulty: reading fails for now.
        lines: numbers of the whole lines in it, for the oracle.
        copied: of those that were copied from it before it was cut.
    """

    number: int
    generation: int
    data: bytearray = field(default_factory=bytearray)
    links: int = 1
    opens: int = 0
    handles: int = 0
    modified: int = 0
    readable: bool = True
    faulty: bool = False
    lines: set[int] = field(default_factory=set)
    copied: set[int] = field(default_factory=set)


class MemoryFiles:
    """See above.

    Attributes:
        hear: told of each file that is written, and with its directory of each name that comes or goes.
        closed_for_good: called when the last descriptor of a file without a name is closed.
    """

    def __init__(self, *, generations: bool, granularity: int, descriptors: int) -> None:
        """`granularity` of modification times in nanoseconds; `descriptors` that may be open at once."""
        self.names: dict[str, Inode] = {}
        self.links: dict[str, str] = {}
        self.directories = {"/", "/logs"}
        self.now = 1_700_000_000 * 10**9
        self.listing_fails = False
        self.descriptors = descriptors
        self.hear: Callable[[str, str | None], None] = lambda path, directory: None
        self.closed_for_good: Callable[[], None] = lambda: None
        self.open_files = 0
        self._generations = generations
        self._granularity = granularity
        self._made = 0
        self._living: dict[int, Inode] = {}

    # what the agent does

    def list(self, directory: str) -> Listing:
        if self.listing_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if directory not in self.directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        inside = directory.rstrip("/") + "/"
        found = {
            path[len(inside) :]: inode.number
            for path, inode in self.names.items()
            if path.startswith(inside) and "/" not in path[len(inside) :]
        }
        links = {path[len(inside) :] for path in self.links if path.startswith(inside)}
        directories = {
            path[len(inside) :] for path in self.directories if path.startswith(inside) and path != directory
        }
        found |= dict.fromkeys(links, 1) | dict.fromkeys(directories, 2)
        return Listing(dict(sorted(found.items())), directories, links)

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        if path in self.directories:
            return _status(stat.S_IFDIR | 0o755, 2, 1, 0, 0)
        if path in self.links and not follow:
            return _status(stat.S_IFLNK | 0o777, 1, 1, 0, 0)
        inode = self.names.get(self.links.get(path, path))
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.status_of(inode)

    def open(self, path: str) -> LogFile:
        inode = self.names.get(self.links.get(path, path))
        if inode is None:
            raise UnreadableError("No such file or directory", errno.ENOENT)
        if not inode.readable:
            raise UnreadableError("Permission denied", errno.EACCES)
        if self.open_files >= self.descriptors:
            raise UnreadableError("Too many open files", errno.EMFILE)
        return MemoryFile(self, inode)

    # what others do

    def status_of(self, inode: Inode) -> os.stat_result:
        modified = inode.modified - inode.modified % self._granularity
        return _status(stat.S_IFREG | 0o644, inode.number, inode.links, len(inode.data), modified)

    def create(self, path: str) -> Inode:
        number = next(n for n in range(10, 10**6) if n not in self._living)
        self._made += 1
        inode = Inode(number, self._made if self._generations else 0, modified=self.now)
        self._living[number] = inode
        self.names[path] = inode
        self._stir(path)
        return inode

    def write(self, inode: Inode, data: bytes) -> None:
        inode.data += data
        inode.modified = self.now
        for path, named in self.names.items():
            if named is inode:
                self.hear(path, None)

    def truncate(self, path: str) -> None:
        inode = self.names[path]
        inode.data.clear()
        inode.lines = set()
        inode.modified = self.now
        self.hear(path, None)

    def rename(self, old: str, new: str) -> None:
        if new in self.names:
            self.unlink(new)
        self.names[new] = self.names.pop(old)
        self._stir(old)
        self._stir(new)

    def unlink(self, path: str) -> None:
        inode = self.names.pop(path)
        inode.links -= 1
        self._stir(path)
        self.release(inode)

    def link(self, path: str, new: str) -> None:
        self.names[new] = self.names[path]
        self.names[new].links += 1
        self._stir(new)

    def switch_link(self, path: str, target: str) -> None:
        self.links[path] = target
        self._stir(path)

    def copy(self, path: str, new: str) -> Inode:
        inode, copy = self.names[path], self.create(new)
        self.write(copy, bytes(inode.data))
        copy.lines = set(inode.lines)
        return copy

    def _stir(self, path: str) -> None:
        self.hear(path, os.path.dirname(path))

    def make_stale(self, inode: Inode) -> None:
        inode.handles += 1
        inode.opens = 0
        self.release(inode)

    def release(self, inode: Inode) -> None:
        if not inode.links and not inode.opens:
            self._living.pop(inode.number, None)

    def reachable(self) -> set[int]:
        """Give the lines that somebody could still read: of files with a name, or open."""
        return {line for inode in self._living.values() for line in inode.lines}


class MemoryFile(LogFile):
    """An open file of it."""

    def __init__(self, files: MemoryFiles, inode: Inode) -> None:
        self._files = files
        self._inode = inode
        self.identity = FileIdentity(DEVICE, inode.number, inode.generation)
        self._closed = False
        self._handle = inode.handles
        inode.opens += 1
        files.open_files += 1

    def read_at(self, offset: int, length: int) -> bytes:
        self._touch()
        if self._inode.faulty:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bytes(self._inode.data[offset : offset + length])

    def reaches(self, offset: int) -> bool:
        self._touch()
        return len(self._inode.data) >= offset

    def data_after(self, offset: int) -> int:
        return offset

    def status(self) -> os.stat_result:
        self._touch()
        return self._files.status_of(self._inode)

    @property
    def _is_stale(self) -> bool:
        return self._handle != self._inode.handles

    def _touch(self) -> None:
        assert not self._closed, "a file is used that was closed"
        if self._is_stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    def close(self) -> None:
        assert not self._closed, "a file is closed twice"
        self._closed = True
        self._files.open_files -= 1
        if self._is_stale:
            return
        self._inode.opens -= 1
        if not self._inode.links and not self._inode.opens:
            self._files.closed_for_good()
        self._files.release(self._inode)


def _status(mode: int, inode: int, links: int, size: int, modified: int) -> os.stat_result:
    return os.stat_result((mode, inode, DEVICE, links, 0, 0, size, 0, modified // 10**9, 0), {"st_mtime_ns": modified})
