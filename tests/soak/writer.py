"""A program that logs: numbered lines of one size, flushed one by one, and its own rotation, so that it is exact.

It runs until SIGTERM, then leaves how many lines it wrote in `NAME.count`. What it rotated away it deletes only when
`NAME.delivered` says that the service has all of it.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

LINE_BYTES = 40
GENERATIONS = 8
STYLES = ("rename", "copytruncate", "compress", "dateext")


def line(name: str, number: int) -> str:
    """Give one line of `LINE_BYTES` bytes."""
    return f"ERROR {name} {number:08} ".ljust(LINE_BYTES - 1, "x") + "\n"


class Writer:
    """One log and its old generations, the newest first."""

    def __init__(self, directory: Path, told: Path, name: str, style: str, seed: int) -> None:
        self.path = directory / f"{name}.log"
        self.name = name
        self.style = style
        self.told = told
        self.chance = random.Random(seed)
        self.written = 0
        self.rotations = 0
        self.old: list[tuple[Path, int]] = []
        self.file = self._open()

    def _open(self) -> TextIO:
        return self.path.open("a", encoding="ascii")

    def write(self, count: int) -> None:
        """Append so many lines, each with a flush."""
        for _ in range(count):
            self.file.write(line(self.name, self.written))
            self.file.flush()
            self.written += 1

    def rotate(self) -> None:
        """Rotate as the style says; nothing is written between a copy and its truncation."""
        self.rotations += 1
        if self.style == "copytruncate":
            first = self._make_room()
            shutil.copy2(self.path, first)
            os.truncate(self.path, 0)
            self.old.insert(0, (first, self.written))
        else:
            first = self._make_room()
            self.path.rename(first)
            # the writer learns of it late, as after logrotate's `create`
            self.write(self.chance.randrange(5))
            self.old.insert(0, (first, self.written))
            self.file.close()
            self.file = self._open()
        if self.style == "compress" and len(self.old) > 1:
            self._compress(1)
        self._delete_oldest()

    def _make_room(self) -> Path:
        if self.style == "dateext":
            return self.path.with_name(f"{self.path.name}-{self.rotations:08}")
        for place in range(len(self.old) - 1, -1, -1):
            path, last = self.old[place]
            suffix = ".gz" if path.suffix == ".gz" else ""
            moved = self.path.with_name(f"{self.path.name}.{place + 2}{suffix}")
            path.rename(moved)
            self.old[place] = (moved, last)
        return self.path.with_name(f"{self.path.name}.1")

    def _compress(self, place: int) -> None:
        path, last = self.old[place]
        if path.suffix == ".gz":
            return
        packed = path.with_name(path.name + ".gz")
        status = path.stat()
        with path.open("rb") as plain, gzip.open(packed, "wb") as file:
            shutil.copyfileobj(plain, file)
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.unlink()
        self.old[place] = (packed, last)

    def delivered(self) -> int:
        """Tell how many lines the service has, as far as we were told."""
        try:
            return int((self.told / f"{self.name}.delivered").read_text())
        except FileNotFoundError:
            return 0

    def _delete_oldest(self) -> None:
        delivered = self.delivered()
        while len(self.old) > GENERATIONS and self.old[-1][1] <= delivered:
            self.old.pop()[0].unlink()


def main(arguments: list[str]) -> None:
    """Write until SIGTERM."""
    directory, told, name, style, seed, lines_per_second = arguments
    writer = Writer(Path(directory), Path(told), name, style, int(seed))
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    chance = writer.chance
    until_rotation = 0
    while not stopping:
        count = chance.randrange(1, 20)
        writer.write(count)
        until_rotation -= count
        # a log that was rotated away before any agent ever looked is nobody's: it is not under a name that is read
        if until_rotation <= 0 and writer.delivered():
            writer.rotate()
            until_rotation = chance.randrange(1, int(lines_per_second))
        time.sleep(2 * count * chance.random() / int(lines_per_second))  # the writer's pace, not a wait for anything
    writer.file.close()
    count_file = Path(told) / f"{name}.count"
    count_file.with_suffix(".part").write_text(f"{writer.written} {writer.rotations}")
    count_file.with_suffix(".part").rename(count_file)


if __name__ == "__main__":
    main(sys.argv[1:])
