"""What readers are told to do, and what they give back; all of it can go to another process."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shipper.backfill.selection import Selected
    from shipper.backfill.span import Span
    from shipper.events import Event, Loss, Unjudged
    from shipper.matching.composer import Draft, Host
    from shipper.matching.engine import Missed
    from shipper.matching.rule import Rule
    from shipper.outbox.passes import Pass


@dataclass(frozen=True, slots=True)
class Orders:
    """What is the same for all files.

    Attributes:
        rules: in the order in which they judge a record.
        texts: what each of them is, see `rule_texts`.
        host: for templates and ids.
        match_timeout: seconds for one search.
        group_id: of events whose rule and source name none.
        span: which events are wanted.
        again: 1 for a run that sends again what was delivered.
        passes: how far earlier runs came.
    """

    rules: tuple[Rule, ...]
    texts: Mapping[str, str]
    host: Host
    match_timeout: float
    group_id: int
    span: Span
    again: int = 0
    passes: tuple[Pass, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Files that were written one after the other, so that a record may begin in one and end in the next.

    Attributes:
        files: in that order.
        before: what was written before the first of them, in that order too.
    """

    files: tuple[Selected, ...]
    before: tuple[Selected, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What one reader reads, one file after the other."""

    chains: tuple[Chain, ...]


class Outcome(enum.Enum):
    """What became of a file."""

    READ = "read to its end, or to its fault"
    DONE_BEFORE = "an earlier run had judged all of it"
    BINARY = "no text: left out"


@dataclass(slots=True)
class Part:
    """What was read in one go; committed as a whole or not at all.

    Attributes:
        path: the file that is being read.
        position: bytes of it on the disk that were taken.
        found: events, and drafts of rules with limits, in order.
        passes: how far the reading came.
        losses: what was skipped.
        unjudged: places that rules did not judge.
        missed: records that the scan had overlooked.
        outcome: of the file, in its last part.
        fault: why it could not be read to its end.
        is_stream: whether it can never be read again: then nothing is kept of how far the reading came.
    """

    path: str
    position: int = 0
    found: list[Event | Draft] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    missed: Sequence[Missed] = ()
    outcome: Outcome | None = None
    fault: str | None = None
    is_stream: bool = False
