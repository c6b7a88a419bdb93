"""A file system in memory that is harder on its readers than real ones: inode numbers are reused lowest first.

It implements `shipper.tailing.files.Files`. Only what a reader of logs can see is modelled.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field

from shipper.events import FileIdentity
from shipper.tailing.files import Entry, LogFile, UnreadableError

DEVICE = 7


@dataclass(eq=False)
class Inode:
    """A file's content and what the kernel knows of it. `lines`: numbers of the whole lines in it, for the oracle."""

    number: int
    generation: int
    data: bytearray = field(default_factory=bytearray)
    links: int = 1
    opens: int = 0
    modified: int = 0
    readable: bool = True
    faulty: bool = False
    lines: set[int] = field(default_factory=set)


class MemoryFiles:
    """Directories are whatever the paths of files say."""

    def __init__(self, *, generations: bool, granularity: int, descriptors: int) -> None:
        """`granularity` of modification times in nanoseconds; `descriptors` that may be open at once."""
        self.names: dict[str, Inode] = {}
        self.links: dict[str, str] = {}
        self.directories = {"/", "/logs"}
        self.now = 1_700_000_000 * 10**9
        self.listing_fails = False
        self.descriptors = descriptors
        self.open_files = 0
        self._generations = generations
        self._granularity = granularity
        self._made = 0
        self._living: dict[int, Inode] = {}

    # what the agent does

    def list(self, directory: str) -> list[Entry]:
        if self.listing_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if directory not in self.directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        inside = directory.rstrip("/") + "/"
        found = [
            Entry(path[len(inside) :], inode.number, is_directory=False, is_link=False)
            for path, inode in self.names.items()
            if path.startswith(inside) and "/" not in path[len(inside) :]
        ]
        found += [Entry(path[len(inside) :], 1, False, True) for path in self.links if path.startswith(inside)]
        found += [
            Entry(path[len(inside) :], 2, True, False)
            for path in self.directories
            if path.startswith(inside) and path != directory
        ]
        return sorted(found, key=lambda entry: entry.name)

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
        return inode

    def write(self, inode: Inode, data: bytes) -> None:
        inode.data += data
        inode.modified = self.now

    def truncate(self, path: str) -> None:
        inode = self.names[path]
        inode.data.clear()
        inode.lines = set()
        inode.modified = self.now

    def rename(self, old: str, new: str) -> None:
        if new in self.names:
            self.unlink(new)
        self.names[new] = self.names.pop(old)

    def unlink(self, path: str) -> None:
        inode = self.names.pop(path)
        inode.links -= 1
        self.release(inode)

    def link(self, path: str, new: str) -> None:
        self.names[new] = self.names[path]
        self.names[new].links += 1

    def copy(self, path: str, new: str) -> Inode:
        inode, copy = self.names[path], self.create(new)
        self.write(copy, bytes(inode.data))
        copy.lines = set(inode.lines)
        return copy

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
        inode.opens += 1
        files.open_files += 1

    def read_at(self, offset: int, length: int) -> bytes:
        assert not self._closed
        if self._inode.faulty:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return bytes(self._inode.data[offset : offset + length])

    def reaches(self, offset: int) -> bool:
        return len(self._inode.data) >= offset

    def data_after(self, offset: int) -> int:
        return offset

    def status(self) -> os.stat_result:
        return self._files.status_of(self._inode)

    def close(self) -> None:
        assert not self._closed
        self._closed = True
        self._inode.opens -= 1
        self._files.open_files -= 1
        self._files.release(self._inode)


def _status(mode: int, inode: int, links: int, size: int, modified: int) -> os.stat_result:
    return os.stat_result((mode, inode, DEVICE, links, 0, 0, size, 0, modified // 10**9, 0), {"st_mtime_ns": modified})
