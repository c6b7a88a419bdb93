"""What a store alone tells about an agent, whether it runs or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.agent.status import Queue, RuleQueue
from shipper.events import Loss

if TYPE_CHECKING:
    from shipper.outbox.reader import StoreReader


@dataclass(frozen=True, slots=True)
class Stored:
    """The part of a status that is in the store; see `Status`."""

    queue: Queue
    losses: tuple[Loss, ...] = ()
    bytes_read: int = 0
    dead_letters: int = 0


def read_stored(reader: StoreReader, max_queue_bytes: int) -> Stored:
    """Read it.

    Args:
        reader: the store.
        max_queue_bytes: how many bytes may wait.

    Raises:
        StateError: the store cannot be read.
    """
    rules = tuple(RuleQueue(rule, count, size) for rule, (count, size) in sorted(reader.waiting().items()))
    return Stored(
        Queue(sum(rule.events for rule in rules), sum(rule.bytes for rule in rules), max_queue_bytes, rules),
        tuple(Loss(what, reason, amount) for (what, reason), amount in sorted(reader.losses().items())),
        reader.bytes_read(),
        reader.dead_letter_count(),
    )
