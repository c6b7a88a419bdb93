"""A record that begins in one generation of a log and ends in the next one (hazards 4.1, 4.2, 4.3).

Nothing is kept in memory: while a record is open at the end of a file, the beginnings of its successors are looked at
in each turn as if they were the same file. Where the record ends, both offsets move in one step, so that both
checkpoints are committed with its events. Till then the successor waits; never for longer than the record may stay
open, and only for what was in the file before it when its own first bytes were seen.

A start line at the beginning of the successor ends nothing: the record goes on as if nothing came after it. Half a line
is not continued: one at the end of a renamed file is finished by its own writer, or never, and behind one at the end of
a copy lines may be missing (hazard 3.1).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from shipper.events import LineState
from shipper.tailing.beginnings import Beginnings, begins_anew, is_all
from shipper.tailing.tailer import Halt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from shipper.events import Block
    from shipper.tailing.followed import Followed


def join(old: Followed, new: Followed) -> None:
    """Note that one file came directly after another."""
    part(new.predecessor, new)
    part(old, old.successor)
    old.successor, new.predecessor, new.reach = new, old, None


def part(old: Followed | None, new: Followed | None) -> None:
    """Read two files each on its own from now on, if they were to be read together."""
    if old is not None and new is not None and old.successor is new:
        old.successor = new.predecessor = None


def successors(followed: Followed) -> Iterator[Followed]:
    """Give the generations after a file, in their order."""
    while followed.successor is not None:
        followed = followed.successor
        yield followed


def next_blocks(
    followed: Followed, read_at: datetime, now: float, *, most_skipped: int | None = None, flush: bool = False
) -> Sequence[Block] | Halt:
    """Take the next whole records of a file; further blocks are of its successors, whose offsets moved with its own.

    Args:
        followed: the file.
        read_at: as for `Tailer.next_block`.
        now: likewise.
        most_skipped: likewise.
        flush: take what is unfinished at its end as it is.

    Raises:
        OSError: the file cannot be read.
    """
    if flush:
        part(followed.predecessor, followed)
        part(followed, followed.successor)
    if followed.predecessor is not None and (halt := _wait(followed, followed.predecessor)) is not None:
        return halt
    beginnings = [] if followed.successor is None else _beginnings(followed)
    sequel = Beginnings([(new.tailer, data) for new, data in beginnings]) if beginnings else None
    flush |= followed.finite and sequel is None
    found = followed.tailer.next_block(read_at, now, flush=flush, most_skipped=most_skipped, sequel=sequel)
    for new, _ in beginnings[: sequel.settled if sequel else 0]:
        part(new.predecessor, new)
    if isinstance(found, Halt):
        return found
    block = dataclasses.replace(found, others=followed.others) if followed.others else found
    further = sequel.blocks if sequel else ()
    return block, *(dataclasses.replace(each, others=beginnings[number][0].others) for number, each in further)


def _wait(new: Followed, old: Followed) -> Halt | None:
    """Tell why a file is not read before the one that it came after; None when it is, from now on."""
    if not new.tailer.offset:
        try:
            if new.reach is None and not new.tailer.file.status().st_size:
                return Halt.AT_END
            size = old.tailer.file.status().st_size
        except OSError:
            # whose it is, its own turn tells
            part(old, new)
            return None
        new.reach = size if new.reach is None else min(new.reach, size)
        if not old.at_end if old.finite else old.tailer.offset < new.reach:
            old.active = True
            return Halt.UNFINISHED
        if old.tailer.line is LineState.SKIPPING_RECORD:
            new.tailer.line = LineState.SKIPPING_RECORD
    part(old, new)
    return None


def _beginnings(old: Followed) -> list[tuple[Followed, bytes]]:
    """Look at the beginnings of a file's successors."""
    # the last one first: what was written before it is in the others then
    seen = [(new, _peek(new, old)) for new in reversed(list(successors(old)))]
    beginnings = []
    for new, data in reversed(seen):
        if begins_anew(data):
            part(new.predecessor, new)
            break
        if data:
            beginnings.append((new, data))
        if not is_all(data):
            break
    return beginnings


def _peek(new: Followed, old: Followed) -> bytes:
    """Give what a successor begins with; part from one that is read already, or cannot be."""
    if not new.held and not new.tailer.offset and new.source == old.source:
        try:
            return new.tailer.peek()
        except OSError:
            # its own turn tells why
            pass
    part(new.predecessor, new)
    return b""
