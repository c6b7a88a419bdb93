"""What waits, in numbers kept in memory, so that they can be asked for on every pass."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Movement:
    """Events that a commit added, or, with negative numbers, took away.

    Attributes:
        counts: number of events by rule id.
        sizes: their encoded bytes, likewise.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()

    def add(self, rule: str, size: int, count: int = 1) -> None:
        """Count `count` events more, of `size` bytes together."""
        self.counts[rule] += count
        self.sizes[rule] += size

    def add_all(self, events: Iterable[tuple[str, int]]) -> None:
        """Count events by rule and size."""
        counts, sizes = self.counts, self.sizes
        for rule, size in events:
            counts[rule] += 1
            sizes[rule] += size


class Backlog:
    """Number and encoded bytes of the events that wait.

    Attributes:
        count: number of events.
        bytes: their encoded bytes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self._count_of: Counter[str] = Counter()
        self._bytes_of: Counter[str] = Counter()

    def move(self, movement: Movement) -> None:
        """Count what a commit changed."""
        self.count += movement.counts.total()
        self.bytes += movement.sizes.total()
        for rule, count in movement.counts.items():
            self._count_of[rule] += count
            self._bytes_of[rule] += movement.sizes[rule]
            if not self._count_of[rule]:
                del self._count_of[rule], self._bytes_of[rule]

    def bytes_by_rule(self) -> dict[str, int]:
        """Give the encoded bytes by rule id; a rule without events is not in it."""
        return dict(self._bytes_of)
