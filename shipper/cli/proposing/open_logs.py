"""Which running programs hold which logs open for writing, as Linux tells it in `/proc`."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
ELSEWHERE = ("/proc", "/sys", "/dev", "/run", "/boot", "/tmp", "/var/tmp", "/var/lib/shipper", "/var/lib/docker")  # noqa: S108
"""Where no log is looked for: the kernel's own, what is gone tomorrow, the agent's own, and containers'."""

LOGS = "/var/log/"
MOST_DESCRIPTORS = 100_000
_LOG_NAME = re.compile(r"\.(?:log|out|err)\b|(?:^|[._-])(?:stdout|stderr)\b", re.IGNORECASE)
_OTHER_NAME = re.compile(r"\.(?:lock|pid|db|journal|sqlite3?|sock|gz|bz2|xz|zst|zip)$|-(?:wal|journal)$", re.IGNORECASE)
_AGENT = "shipper"


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log that a process holds open for writing.

    Attributes:
        path: of the file, as this process sees it.
        pid: the process's number.
        names: what the process is called, and then its executable.
    """

    path: str
    pid: int
    names: tuple[str, ...]

    @property
    def program(self) -> str:
        """What people call the process."""
        return self.names[0]


def open_logs(proc: Path = PROC, elsewhere: tuple[str, ...] = ELSEWHERE) -> Iterator[OpenLog]:
    """Give what processes have open for writing and is called like a log, as far as this user may see.

    Files that are known only inside of a container are not among them, nor those that were deleted.

    Args:
        proc: where the kernel tells it.
        elsewhere: directories in which no log is looked for.
    """
    left = MOST_DESCRIPTORS
    for process in sorted(_processes(proc)):
        names = _names(proc / str(process))
        if _AGENT in names:
            continue
        seen: set[str] = set()
        for descriptor in _descriptors(proc / str(process)):
            left -= 1
            if not left:
                return
            path = _log_behind(proc / str(process), descriptor, elsewhere)
            if path is not None and path not in seen:
                seen.add(path)
                yield OpenLog(path, process, names)


def is_called_like_a_log(path: str) -> bool:
    """Tell whether a file is called like a log, or lies where only logs lie."""
    name = os.path.basename(path)
    return (path.startswith(LOGS) or _LOG_NAME.search(name) is not None) and _OTHER_NAME.search(name) is None


def running(proc: Path = PROC) -> frozenset[str]:
    """Give the names of all processes that this user can see."""
    return frozenset(name for process in _processes(proc) for name in _names(proc / str(process)))


def _processes(proc: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        # no Linux
        return []


def _names(process: Path) -> tuple[str, ...]:
    names = []
    with suppress(OSError):
        names.append((process / "comm").read_bytes().removesuffix(b"\n").decode("utf-8", "replace"))
    with suppress(OSError):
        names.append(os.path.basename(os.readlink(process / "exe")).removesuffix(" (deleted)"))
    return tuple(dict.fromkeys(name for name in names if name)) or (process.name,)


def _descriptors(process: Path) -> list[str]:
    try:
        return sorted(os.listdir(process / "fd"), key=int)
    except (OSError, ValueError):
        # it has ended, or is none of ours
        return []


def _log_behind(process: Path, descriptor: str, elsewhere: tuple[str, ...]) -> str | None:
    link = process / "fd" / descriptor
    try:
        path = os.readlink(link)
        if not path.startswith("/") or not is_called_like_a_log(path) or _lies_in(path, elsewhere):
            return None
        behind, here = os.stat(link), os.stat(path)
    except OSError:
        return None
    # a process in a container has other files under the same names
    same = (behind.st_dev, behind.st_ino) == (here.st_dev, here.st_ino)
    return path if same and stat.S_ISREG(here.st_mode) and _is_written(process, descriptor) else None


def _lies_in(path: str, directories: tuple[str, ...]) -> bool:
    return any(path.startswith(f"{directory}/") for directory in directories)


def _is_written(process: Path, descriptor: str) -> bool:
    """Tell whether a descriptor is one for writing."""
    try:
        told = (process / "fdinfo" / descriptor).read_text()
    except OSError:
        return False
    flags = next((line.split()[1] for line in told.splitlines() if line.startswith("flags:")), "0")
    return int(flags, 8) & os.O_ACCMODE in {os.O_WRONLY, os.O_RDWR}
