"""What waits, in numbers kept in memory, so that they can be asked for on every pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Movement:
    """Events of one rule that a commit added, or, with negative numbers, took away.

    Attributes:
        rule: id of the rule.
        count: number of events.
        bytes: their encoded bytes.
    """

    rule: str
    count: int
    bytes: int


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
        rule = movement.rule
        self.count += movement.count
        self.bytes += movement.bytes
        self._count_of[rule] += movement.count
        self._bytes_of[rule] += movement.bytes
        if not self._count_of[rule]:
            del self._count_of[rule], self._bytes_of[rule]

    def bytes_by_rule(self) -> dict[str, int]:
        """Give the encoded bytes by rule id; a rule without events is not in it."""
        return dict(self._bytes_of)
