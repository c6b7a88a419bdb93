"""How logs are rotated in the field, each as a generator on a directory with `app.log` in it.

It pauses at every gap in which somebody may look: between two renames, between copy and truncation.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

GENERATIONS = 30


@dataclass(frozen=True, slots=True)
class Rotation:
    """One way to rotate.

    Attributes:
        name: for the test's id.
        turn: rotates once; gets the directory and the number of the rotation. Pauses at every gap.
        glob: what the agent is told to read, relative to the directory.
        rotated: the source's `rotated`.
        keeps_unread: what nobody read yet is still somewhere after it.
        names_kept: several generations can be told from their names when nobody looked between.
    """

    name: str
    turn: Callable[[Path, int], Iterator[None]]
    glob: str = "*.log"
    rotated: tuple[str, ...] = ()
    keeps_unread: bool = True
    names_kept: bool = True


def shift(directory: Path, name: str = "app.log") -> Iterator[None]:
    """Make room for generation 1."""
    for number in range(GENERATIONS, 0, -1):
        for suffix in ("", ".gz"):
            if (old := directory / f"{name}.{number}{suffix}").exists():
                old.rename(directory / f"{name}.{number + 1}{suffix}")
                yield


def compress(path: Path) -> Iterator[None]:
    """Do what gzip does: the compressed file keeps the time of the last change, the plain one goes."""
    status = path.stat()
    packed = path.with_name(path.name + ".gz")
    content = gzip.compress(path.read_bytes())
    with packed.open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        yield
        file.write(content[len(content) // 2 :])
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    yield
    path.unlink()
    yield


def _move(old: Path, new: Path) -> Iterator[None]:
    old.rename(new)
    yield
    old.touch()
    yield


def _rename(logs: Path, _: int) -> Iterator[None]:
    yield from shift(logs)
    yield from _move(logs / "app.log", logs / "app.log.1")


def _dateext(logs: Path, number: int) -> Iterator[None]:
    yield from _move(logs / "app.log", logs / f"app.log-202611{number + 10:02}")


def _date_before_extension(logs: Path, number: int) -> Iterator[None]:
    yield from _move(logs / "app.log", logs / f"app-202611{number + 10:02}.log")


def _olddir(logs: Path, _: int) -> Iterator[None]:
    old = logs / "old"
    old.mkdir(exist_ok=True)
    yield from shift(old)
    yield from _move(logs / "app.log", old / "app.log.1")


def _copytruncate(logs: Path, _: int) -> Iterator[None]:
    yield from shift(logs)
    shutil.copy2(logs / "app.log", logs / "app.log.1")
    yield
    os.truncate(logs / "app.log", 0)
    yield


def _copytruncate_compress(logs: Path, number: int) -> Iterator[None]:
    yield from _copytruncate(logs, number)
    yield from compress(logs / "app.log.1")


def _compress(logs: Path, number: int) -> Iterator[None]:
    yield from _rename(logs, number)
    yield from compress(logs / "app.log.1")


def _delaycompress(logs: Path, number: int) -> Iterator[None]:
    if (logs / "app.log.1").exists():
        yield from compress(logs / "app.log.1")
    yield from _rename(logs, number)


def _switch_link(logs: Path, number: int) -> Iterator[None]:
    (logs / f"v{number + 1}.txt").touch()
    (logs / "new").symlink_to(f"v{number + 1}.txt")
    yield
    (logs / "new").rename(logs / "app.log")
    yield


def _recreate(logs: Path, _: int) -> Iterator[None]:
    (logs / "app.log").unlink()
    yield
    (logs / "app.log").touch()
    yield


RENAME = Rotation("rename+create", _rename)
DATEEXT = Rotation("dateext", _dateext)
COPYTRUNCATE = Rotation("copytruncate, copy outside the glob", _copytruncate)
COPYTRUNCATE_INSIDE = Rotation("copytruncate, copy inside the glob", _copytruncate, glob="app.log*")
COPYTRUNCATE_COMPRESS = Rotation("copytruncate+compress", _copytruncate_compress)
COPYTRUNCATE_COMPRESS_INSIDE = Rotation(
    "copytruncate+compress, inside the glob", _copytruncate_compress, glob="app.log*"
)
DELAYCOMPRESS_INSIDE = Rotation("delaycompress, inside the glob", _delaycompress, glob="app.log*")
SYMLINK = Rotation("symlink switch", _switch_link, names_kept=False)
RECREATE = Rotation("unlink+recreate", _recreate, keeps_unread=False, names_kept=False)
COPYING = (COPYTRUNCATE, COPYTRUNCATE_INSIDE, COPYTRUNCATE_COMPRESS, COPYTRUNCATE_COMPRESS_INSIDE)
ROTATIONS = (
    RENAME,
    DATEEXT,
    Rotation("date before the extension, inside the glob", _date_before_extension),
    Rotation("olddir", _olddir, rotated=("old/app.log.*",)),
    COPYTRUNCATE,
    COPYTRUNCATE_INSIDE,
    COPYTRUNCATE_COMPRESS,
    COPYTRUNCATE_COMPRESS_INSIDE,
    Rotation("rename chain inside the glob", _rename, glob="app.log*"),
    Rotation("compress", _compress),
    Rotation("delaycompress", _delaycompress),
    DELAYCOMPRESS_INSIDE,
    SYMLINK,
    RECREATE,
)


def prepare(logs: Path, rotation: Rotation) -> None:
    """Make the first `app.log`."""
    if rotation is SYMLINK:
        (logs / "v0.txt").touch()
        (logs / "app.log").symlink_to("v0.txt")
    else:
        (logs / "app.log").touch()
