"""The logs of a simulated host: what writes them, and what rotates, compresses and removes them."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from tests.simulation.filesystem import Inode, MemoryFiles

LOG = "/logs/app.log"
STYLES = ("numbers", "dates", "olddir", "links")
GENERATIONS = 20


class Logs:
    """One log and its generations.

    Attributes:
        written: the number of the last line; each line has its own.
        partial: the unfinished last line, and the file it is in.
        partials: lines that were unfinished once.
        at_risk: lines that nobody could read: physics, not a fault of the agent.
        may_repeat: lines in the copy of a log of which nobody could see that it was cut (docs/limits.md).
    """

    def __init__(self, files: MemoryFiles, *, style: str, banner: bytes, sleep: Callable[[float], None],
                 swept: Callable[[], None], is_known: Callable[[Inode], bool]) -> None:  # fmt: skip
        """Begin with an empty log.

        Args:
            files: where it lies.
            style: how generations are named.
            banner: what a program writes first into each new file (hazard 1.8).
            sleep: lets time pass.
            swept: called after something was removed.
            is_known: tells whether the agent has a file open, or its position in the store.
        """
        self.files = files
        self.written = 0
        self.partial: tuple[Inode, int] | None = None
        self.partials: set[int] = set()
        self.at_risk: set[int] = set()
        self.may_repeat: set[int] = set()
        self._style = style
        self._banner = banner
        self._sleep = sleep
        self._swept = swept
        self._is_known = is_known
        self._turns = 0
        self._base = "/logs/old/app.log" if style == "olddir" else LOG
        if style == "links":
            files.directories.add("/data")
            files.switch_link(LOG, "/data/v000.txt")
        if style == "olddir":
            files.directories.add("/logs/old")
        self.create()

    @property
    def place(self) -> str:
        """Where the log really is."""
        return self.files.links.get(LOG, LOG)

    def create(self) -> Inode:
        return self.files.create(self.place)

    @property
    def log(self) -> Inode:
        return self.files.names[self.place] if self.place in self.files.names else self.create()

    def generations(self) -> list[str]:
        """The rotated files that are not compressed, the newest first."""
        names = [path for path in self.files.names if path != self.place and not path.endswith(".gz")]
        if self._style in {"numbers", "olddir"}:
            return sorted(names, key=lambda path: int(path.rpartition(".")[2]))
        return sorted(names, reverse=True)

    def write(self, count: int) -> None:
        inode = self.log
        self.finish_partial()
        for _ in range(count):
            self.written += 1
            self._put(inode, b"E %06d %s\n" % (self.written, b"." * (self.written % 50)))
            inode.lines.add(self.written)
        self._sleep(0.001)

    def write_partial(self) -> None:
        self.finish_partial()
        self.written += 1
        self._put(self.log, b"some words, then E %06d" % self.written)
        self.partial = (self.log, self.written)
        self.partials.add(self.written)
        self._sleep(0.001)

    def finish_partial(self) -> None:
        if self.partial is not None:
            inode, number = self.partial
            self.partial = None
            # truncated meanwhile: the end of a line whose beginning is gone
            whole = b"E %06d" % number in inode.data
            self._put(inode, b" and an end\n")
            if whole:
                inode.lines.add(number)
            else:
                self.at_risk.add(number)

    def rotate(self, way: str = "rename", between: Callable[[], None] = lambda: None) -> None:
        """Move the generations on.

        Args:
            way: `rename` makes a new file under the log's name, `link` gives the old one its second name first,
                `copytruncate` keeps the inode.
            between: what happens between the two steps of it.
        """
        self.finish_partial()
        self._turns += 1
        if self._style == "links":
            self.files.switch_link(LOG, f"/data/v{self._turns:03}.txt")
            self.create()
            self.forget_unknown()
        else:
            self._turn(way, between)
        self._sleep(0.001)

    def _turn(self, way: str, between: Callable[[], None]) -> None:
        names = self.files.names
        rotated = f"{self._base}.1"
        if self._style == "dates":
            rotated = f"{LOG}-{20260000 + self._turns}"
        else:
            for number in range(GENERATIONS, 0, -1):
                for suffix in ("", ".gz"):
                    if f"{self._base}.{number}{suffix}" in names:
                        self.files.rename(f"{self._base}.{number}{suffix}", f"{self._base}.{number + 1}{suffix}")
        if LOG not in names:
            return
        if way == "rename":
            self.files.rename(LOG, rotated)
            self.create()
        elif way == "link":
            self.files.link(LOG, rotated)
            between()
            self.files.create("/logs/new")
            self.files.rename("/logs/new", LOG)
        else:
            self.files.copy(LOG, rotated)
            between()
            names[LOG].copied |= names[LOG].lines
            self.files.truncate(LOG)
            self._swept()

    def compress(self, number: int) -> None:
        """As gzip does: another file with the same time, then the old one is gone."""
        if self._style == "links":
            # a compressed target of which nothing was read is in no relation to the link any more
            return
        rotated = self.generations()[number - 1 : number]
        for path in rotated:
            old = self.files.names[path]
            if self.partial is None or self.partial[0] is not old:
                new = self.files.create(path + ".gz")
                new.data[:] = gzip.compress(bytes(old.data), 1)
                new.lines, new.modified = set(old.lines), old.modified
                self._unlink(path)

    def delete_oldest(self) -> None:
        for path in self.generations()[-1:]:
            self._unlink(path)

    def remove(self) -> None:
        self.finish_partial()
        if self.place in self.files.names:
            self._unlink(self.place)

    def _unlink(self, path: str) -> None:
        inode = self.files.names[path]
        if inode.faulty:
            self.may_repeat |= inode.copied
        self.files.unlink(path)
        self._swept()

    def truncate(self) -> None:
        self.finish_partial()
        if self.place in self.files.names:
            self.files.truncate(self.place)
            self._swept()

    def _put(self, inode: Inode, data: bytes) -> None:
        if not inode.data:
            self.files.write(inode, self._banner)
        self.files.write(inode, data)

    def forget_unknown(self) -> None:
        """Note what nobody can know of: targets of a link that was switched, of which the store knows nothing."""
        for path, inode in self.files.names.items():
            if self._style == "links" and path != self.place and not self._is_known(inode):
                self.at_risk |= inode.lines
