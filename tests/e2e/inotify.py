"""The kernel's own inotify, to prove that a queue did overflow."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

IN_CREATE, IN_DELETE, IN_Q_OVERFLOW = 0x100, 0x200, 0x4000
LONGEST_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
_HEADER = struct.Struct("iIII")


class UnreadQueue:
    """Listens to one directory and does not read before it is asked whether that was too much."""

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if (
            self._descriptor < 0
            or libc.inotify_add_watch(self._descriptor, os.fsencode(directory), IN_CREATE | IN_DELETE) < 0
        ):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))

    def overflowed(self) -> bool:
        """Read all events; tells whether one of them says that others were dropped."""
        found = False
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                _, mask, _, length = _HEADER.unpack_from(data, at)
                found |= bool(mask & IN_Q_OVERFLOW)
                at += _HEADER.size + length

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
