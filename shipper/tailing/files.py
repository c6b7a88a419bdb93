"""The file system as reading sees it: `Files` lists, looks and opens; `LogFile` is read by position.

Only regular files are opened, and never so that opening blocks (hazards 1.10, 2.6). `Files` is the seam at which
tests put a file system of their own; `HOST_FILES` is the host's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from shipper.events import FileIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

MAGIC_BYTES = 6
_COMPRESSED = {
    "gzip": rb"\x1f\x8b",
    # the level, and a block or the end: a line of text may well begin with BZh
    "bzip2": rb"BZh[1-9](?:1A|\x17r)",
    "xz": rb"\xfd7zXZ\x00",
    # also the skippable frame that parallel compressors put first
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
}
_COMPRESSION = re.compile(b"|".join(b"(?P<%s>%s)" % (kind.encode(), magic) for kind, magic in _COMPRESSED.items()))
# FS_IOC_GETVERSION, _IOR('v', 1, long): linux/fs.h
_GET_VERSION = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1


class UnreadableError(Exception):
    """A path that cannot be followed now; the message is the reason, for people.

    Attributes:
        number: the kernel's error number; None when it is our own rule that refuses.
    """

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.number = number


def compression_of(head: bytes) -> str | None:
    """Tell by its first bytes how a file is compressed, never by its name (hazard 1.12)."""
    found = _COMPRESSION.match(head)
    return found.lastgroup if found else None


class LogFile:
    """An open descriptor of a regular file, read by position."""

    def __init__(self, descriptor: int, identity: FileIdentity) -> None:
        self._descriptor = descriptor
        self.identity = identity

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a path for reading.

        Raises:
            UnreadableError: it is missing, not permitted, or no regular file.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error), error.errno) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("not a regular file")
            return cls(descriptor, FileIdentity(status.st_dev, status.st_ino, _generation(descriptor)))
        except BaseException:
            os.close(descriptor)
            raise

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end of the file."""
        return os.pread(self._descriptor, length, offset)

    def data_after(self, offset: int) -> int:
        """Give where data begin at or behind an offset; the file's size when there are none (hazard 1.4)."""
        try:
            return os.lseek(self._descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            # a hole up to the end of the file, or a file system that does not tell
            return max(offset, self.status().st_size) if error.errno == errno.ENXIO else offset

    def reaches(self, offset: int) -> bool:
        """Tell whether the file is at least so long."""
        return os.fstat(self._descriptor).st_size >= offset

    def status(self) -> os.stat_result:
        """Give size, times and link count of the open file, whatever its name is now."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


def _generation(descriptor: int) -> int:
    """Give the inode's generation, which changes when its number is reused; 0 where there is none (hazard 1.7)."""
    answer = bytearray(struct.calcsize("l"))
    try:
        fcntl.ioctl(descriptor, _GET_VERSION, answer)
    except OSError:
        return 0
    # kernels write an int into what is declared a long
    return int.from_bytes(answer[:4], sys.byteorder)


@dataclass(frozen=True, slots=True)
class Listing:
    """The names in a directory, without it.

    Attributes:
        inodes: of what each name stands for, a link's own; sorted by name.
        directories: those that are directories themselves, not links to one.
        links: those that are symbolic links.
    """

    inodes: Mapping[str, int]
    directories: AbstractSet[str] = frozenset()
    links: AbstractSet[str] = frozenset()


class Files(Protocol):
    """A file system."""

    def list(self, directory: str) -> Listing:
        """Give the names in a directory. Raises `OSError`."""

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        """Look at a path, or at the link itself when not told to follow it. Raises `OSError`."""

    def open(self, path: str) -> LogFile:
        """Open a regular file for reading. Raises `UnreadableError`."""


class HostFiles:
    """The host's own file system."""

    def list(self, directory: str) -> Listing:
        """Give the names in a directory. Raises `OSError`."""
        inodes: dict[str, int] = {}
        directories, links = set(), set()
        with os.scandir(directory) as entries:
            # thousands at every scan
            for entry in entries:
                inodes[entry.name] = entry.inode()
                if entry.is_dir(follow_symlinks=False):
                    directories.add(entry.name)
                elif entry.is_symlink():
                    links.add(entry.name)
        return Listing(dict(sorted(inodes.items())), directories, links)

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        """Look at a path, or at the link itself when not told to follow it. Raises `OSError`."""
        return os.stat(path, follow_symlinks=follow)

    def open(self, path: str) -> LogFile:
        """Open a regular file for reading. Raises `UnreadableError`."""
        return LogFile.open(path)


HOST_FILES = HostFiles()


def confirmed(files: Files, path: str, confirm: Callable[[LogFile], bool]) -> LogFile | None:
    """Open a path and keep it open only if `confirm` recognises it."""
    try:
        file = files.open(path)
    except UnreadableError:
        return None
    try:
        if confirm(file):
            return file
    except OSError:
        # what cannot be read cannot be recognised
        pass
    file.close()
    return None
