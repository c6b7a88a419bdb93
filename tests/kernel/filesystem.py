"""The real file systems that tests run on, told by their magic numbers (hazards 1.7, 12.7)."""

from __future__ import annotations

import ctypes
import enum
import os
import sys
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


class Kind(enum.Enum):
    """A file system by its magic number: linux/magic.h."""

    EXT = 0xEF53
    TMPFS = 0x01021994
    OVERLAY = 0x794C7630
    XFS = 0x58465342
    BTRFS = 0x9123683E


class Place(enum.Enum):
    """Where the logs of a test lie."""

    DISK = "disk"
    MEMORY = "tmpfs"


def kind_of(path: Path) -> Kind | None:
    """Ask the kernel which file system a path lies on; None for one that is not listed above."""
    answer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), answer):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    number = int.from_bytes(answer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
    return Kind(number) if number in {kind.value for kind in Kind} else None


def require(place: Place, path: Path) -> None:
    """Skip a test whose directory is not on the file system that it means."""
    in_memory = kind_of(path) is Kind.TMPFS
    if in_memory != (place is Place.MEMORY):
        pytest.skip(f"{path} is {'on tmpfs' if in_memory else 'not on tmpfs'}, the test means the {place.value}")
