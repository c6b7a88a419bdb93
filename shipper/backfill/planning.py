"""Which files are read together, and which by different processes at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.backfill.selection import NO_SOURCE, first_bytes
from shipper.backfill.tasks import Chain, Task
from shipper.tailing.formats import assembler_of
from shipper.tailing.identity import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.backfill.selection import Selected

_BEFORE = 16
"""Files before one in which the time of its first lines is looked for: more only where these are nearly empty."""


def plan(families: Sequence[Sequence[Selected]]) -> list[Task]:
    """Make tasks of families, in their order.

    Where a record is a line, each file is a task of its own. Files that begin with the same bytes go into one task: the
    second may be a copy of the first, and is then not judged again.
    """
    tasks: list[list[Chain]] = []
    by_head: dict[bytes, list[Chain]] = {}
    for chain in (each for family in families for each in _chains(family)):
        heads = {head for selected in chain.files if (head := first_bytes(selected, HEAD_BYTES))}
        task = next((by_head[head] for head in heads if head in by_head), None)
        if task is None:
            task = []
            tasks.append(task)
        task.append(chain)
        by_head.update(dict.fromkeys(heads, task))
    return [Task(tuple(chains)) for chains in tasks]


def _chains(family: Sequence[Selected]) -> list[Chain]:
    if any(assembler_of(selected.source or NO_SOURCE) is not None for selected in family):
        return [Chain(tuple(family))]
    return [Chain((each,), tuple(family[max(0, place - _BEFORE) : place])) for place, each in enumerate(family)]
