"""What a store alone tells about an agent, whether it runs or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.agent.status import Queue, RuleQueue
from shipper.events import Loss
from shipper.matching.folding import FOLD, folded

if TYPE_CHECKING:
    from shipper.outbox.reader import StoreReader


@dataclass(frozen=True, slots=True)
class Stored:
    """The part of a status that is in the store; see `Status`."""

    queue: Queue
    losses: tuple[Loss, ...] = ()
    bytes_read: int = 0
    dead_letters: int = 0
    unjudged: int = 0


def read_stored(reader: StoreReader, max_queue_bytes: int) -> Stored:
    """Read it.

    Args:
        reader: the store.
        max_queue_bytes: how many bytes may wait.

    Raises:
        StateError: the store cannot be read.
    """
    waiting, folds = reader.waiting(), Counter[str]()
    for state in reader.limits(FOLD):
        folds[state.rule] += folded(state)
    names = sorted(waiting.keys() | +folds)
    rules = tuple(RuleQueue(rule, *waiting.get(rule, (0, 0)), folds[rule]) for rule in names)
    return Stored(
        Queue(sum(rule.events for rule in rules), sum(rule.bytes for rule in rules), max_queue_bytes, rules),
        tuple(Loss(what, reason, amount) for (what, reason), amount in sorted(reader.losses().items())),
        reader.bytes_read(),
        reader.dead_letter_count(),
        reader.unjudged_count(),
    )
