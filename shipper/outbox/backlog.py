"""What waits, in numbers kept in memory, so that they can be asked for on every pass, and whose turn it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from shipper.outbox.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Set


class Movement:
    """What a commit changes.

    Attributes:
        counts: by rule id, how many events were added; negative where more were taken away.
        sizes: their encoded bytes, likewise.
        joined: numbers of those that were added, ascending, by rule.
        settled: rule and number of each that was taken away after its turn.
        dropped: up to which number the others went, and which of them stayed.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.joined: defaultdict[str, list[int]] = defaultdict(list)
        self.settled: list[tuple[str, int]] = []
        self.dropped: tuple[int, Set[int]] | None = None

    def join(self, events: Iterable[tuple[int, str, int]]) -> None:
        """Add events: number, rule and size of each."""
        counts, sizes, joined = self.counts, self.sizes, self.joined
        for number, rule, size in events:
            counts[rule] += 1
            sizes[rule] += size
            joined[rule].append(number)

    def settle(self, events: Iterable[tuple[int, str, int]]) -> None:
        """Take events away after their turn: number, rule and size of each."""
        counts, sizes = self.counts, self.sizes
        for number, rule, size in events:
            counts[rule] -= 1
            sizes[rule] -= size
            self.settled.append((rule, number))

    def count(self, rule: str, count: int, size: int) -> None:
        """Count events of a rule, and their bytes together."""
        self.counts[rule] += count
        self.sizes[rule] += size


class Backlog:
    """Number and encoded bytes of the events that wait.

    Attributes:
        count: number of events.
        bytes: their encoded bytes.
        turns: in which order they are sent.
    """

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self.turns = Turns()
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
        for rule, numbers in movement.joined.items():
            self.turns.join(rule, numbers)
        self.turns.serve(movement.settled)
        if movement.dropped is not None:
            self.turns.drop_through(*movement.dropped)

    def count_of(self, rule: str) -> int:
        """Give how many events of a rule wait."""
        return self._count_of[rule]

    def rules_over(self, count: int) -> list[str]:
        """Give the ids of the rules of which more events wait."""
        return [rule for rule, waiting in self._count_of.items() if waiting > count]

    def bytes_by_rule(self) -> dict[str, int]:
        """Give the encoded bytes by rule id; a rule without events is not in it."""
        return dict(self._bytes_of)
