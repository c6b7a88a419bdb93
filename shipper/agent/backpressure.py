"""What a full queue keeps from being read: not everything, but what fills it (spec, section 3 `[store]`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

HARD_LIMIT = 2
"""In queues: so many times `max_queue_bytes` pause every file, also one of which it is not known what it feeds."""


@dataclass(frozen=True, slots=True)
class Backpressure:
    """What waits for room.

    Attributes:
        everything: no file is read.
        rules: no file that feeds one of these is read.
    """

    everything: bool = False
    rules: frozenset[str] = frozenset()

    def holds(self, feeds: Set[str]) -> bool:
        """Tell whether a file that feeds these rules waits."""
        return self.everything or not self.rules.isdisjoint(feeds)


NONE = Backpressure()


def backpressure(waiting: Mapping[str, int], limit: int) -> Backpressure:
    """Tell what a queue holds back.

    Args:
        waiting: encoded bytes by rule; only rules of which something waits.
        limit: bytes from which on the queue is full. A rule's share of it is the same for all that are in `waiting`,
            so at least one holds its share when the queue is full.
    """
    total = sum(waiting.values())
    if not waiting or total < limit:
        return NONE
    if total >= HARD_LIMIT * limit:
        return Backpressure(everything=True)
    return Backpressure(rules=frozenset(rule for rule, held in waiting.items() if held * len(waiting) >= limit))
