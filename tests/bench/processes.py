"""What the kernel tells of processes: their core, their CPU time, their memory, their children. Linux."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_POLL: Final = 0.005
_CPU_CLOCK: Final = 2


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core is measured, and which one the sink has; the same one where there is no other."""

    measured: int
    other: int

    @classmethod
    def available(cls) -> Cores:
        """Choose among the cores that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run this thread, and what it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """Give a process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # it may end at any moment
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process and its living descendants have used, exact to the nanosecond."""
    # the clock of another process has its number in its id: clock_getcpuclockid(3)
    return sum(time.clock_gettime(~member << 3 | _CPU_CLOCK) for member in family(pid))


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process and its descendants in MiB.

    Attributes:
        resident: RSS summed; what processes share counts for each.
        proportional: PSS summed; what processes share is divided among them.
    """

    resident: float
    proportional: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Look now."""
        resident = proportional = 0
        for member in family(pid):
            # a short-lived child may end at any moment
            with suppress(OSError):
                text = Path(f"/proc/{member}/smaps_rollup").read_text()
                resident += _kibibytes(text, "Rss")
                proportional += _kibibytes(text, "Pss")
        return cls(resident / 1024, proportional / 1024)


def _kibibytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Look every few milliseconds whether a condition holds; raises `TimeoutError` when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(_POLL)
