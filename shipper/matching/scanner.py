"""Finds many byte strings in a block in one go: by Vectorscan where it is installed, else one after the other. Pure.

Both find every place where a string ends. What they find is never the last word: `regex` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


MOST_COUNTED = 100_000
"""Places that are counted as they are found: where there are more, counting each needle by itself is faster."""


@dataclass(frozen=True, slots=True)
class Needle:
    """What is looked for.

    Attributes:
        data: never empty.
        caseless: whether ASCII letters stand for both cases.
    """

    data: bytes
    caseless: bool = False


class Scanner(Protocol):
    """Looks for the needles that it was made for. Not safe for use by two threads."""

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """Give where needles end, and their numbers, in any order."""

    def count(self, data: bytes) -> list[int]:
        """Give how often each needle is there; of places that overlap some may be left out."""


class VectorScanner:
    """All needles at once, at the speed of memory, with the package `hyperscan`."""

    name = "vectorscan"

    def __init__(self, needles: Sequence[Needle]) -> None:
        """Compile; the package refuses an empty list."""
        import hyperscan

        self._needles = needles
        flags = [hyperscan.HS_FLAG_CASELESS if needle.caseless else 0 for needle in needles]
        self._database: Any = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            # its literals end at a NUL; patterns do not
            expressions=[b"".join(map(b"\\x%02x".__mod__, needle.data)) for needle in needles],
            ids=list(range(len(needles))),
            elements=len(needles),
            flags=flags,
        )

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """See `Scanner`."""
        found: list[tuple[int, int]] = []

        # a result that is true ends the scan
        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append((end, number))

        self._database.scan(data, note)
        return found

    def count(self, data: bytes) -> list[int]:
        """See `Scanner`."""
        import hyperscan

        counts = [0] * len(self._needles)
        left = MOST_COUNTED

        def note(number: int, _start: int, _end: int, _flags: int, _context: object) -> bool:
            nonlocal left
            counts[number] += 1
            left -= 1
            return not left

        try:
            self._database.scan(data, note)
        except hyperscan.ScanTerminated:
            return FindScanner(self._needles).count(data)
        return counts


class FindScanner:
    """One needle after the other, where no wheel of `hyperscan` exists."""

    name = "find"

    def __init__(self, needles: Sequence[Needle]) -> None:
        """Prepare."""
        self._needles = [(n.data.lower() if n.caseless else n.data, n.caseless) for n in needles]
        self._lowers = any(n.caseless for n in needles)

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """See `Scanner`."""
        lower = data.lower() if self._lowers else data
        found: list[tuple[int, int]] = []
        for number, (needle, caseless) in enumerate(self._needles):
            text = lower if caseless else data
            at = text.find(needle)
            while at >= 0:
                found.append((at + len(needle), number))
                at = text.find(needle, at + 1)
        return found

    def count(self, data: bytes) -> list[int]:
        """See `Scanner`."""
        lower = data.lower() if self._lowers else data
        return [(lower if caseless else data).count(needle) for needle, caseless in self._needles]


def _has_vectorscan() -> bool:
    """Tell whether the package works here: some platforms have no wheel, some processors not the instructions."""
    try:
        import hyperscan
    except ImportError:
        return False
    try:
        VectorScanner([Needle(b"a")])
    except hyperscan.error:
        return False
    return True


SCANNER: type[VectorScanner | FindScanner] = VectorScanner if _has_vectorscan() else FindScanner
"""The one that this process uses."""
