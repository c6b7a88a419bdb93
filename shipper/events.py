"""The values that travel between the stations: Block, Event, Checkpoint. Frozen, and without behaviour of their own."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Origin:
    """What the events of a file inherit from the source that the file belongs to.

    Attributes:
        source: the source's name; None for files that belong to none (`match`, `backfill`).
        encoding: the Python codec of its lines.
        zone: zone of timestamps that name none; None means the host's local zone.
        group_id: the source's group id, None where it sets none.
        fields: constants for templates.
        json: whether its records are JSON objects whose fields are captures.
    """

    source: str | None = None
    encoding: str = "utf-8"
    zone: tzinfo | None = None
    group_id: int | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    json: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    r"""One record of a block whose records are not simply its lines: several lines, or a container's message.

    Attributes:
        start: where its bytes begin in the block's `data`.
        end: where they end; the terminator of its last line is not among them.
        offset: where its first byte lies in the file.
        line: number of its first line in the block, from 0; of records on demand it is not counted.
        time: when a container's runtime took it, aware; the time of events whose text carries none. None elsewhere.
        text: what it says, where that is not what lies in `data`; None elsewhere.
        cut: whether more of it came, or may have come, than is here: it was over its limit, or is a container's message
            without its end or perhaps the rest of one. A silence is an end of lines and of records of several lines.
    """

    start: int
    end: int
    offset: int
    line: int = 0
    time: datetime | None = None
    text: bytes | None = None
    cut: bool = False


class RecordsOnDemand(Protocol):
    """The records in the bytes of a file as they lie there, made where somebody asks for them: most are not wanted.

    Attributes:
        escaped: whether what a record says lies in the bytes as a JSON string.
    """

    escaped: bool

    def __iter__(self) -> Iterator[Record]:
        """Give all of them, in the order of their offsets."""

    def at(self, place: int, floor: int) -> tuple[Record, int]:
        """Give the record that the byte before a place belongs to, and where the next one begins.

        Args:
            place: in the block's `data`, from 1.
            floor: where a record begins, at or before that byte; the nearer the better.
        """


@dataclass(frozen=True, slots=True)
class Block:
    r"""What was read of one file in one go: whole records.

    The last record may lack its newline: an unfinished line that was taken after its time-out, the end
    of a finished file, or the head of a line over the limit.

    Attributes:
        origin: what its events inherit.
        path: the file's path as matched by the source's glob, at the time of reading.
        data: the bytes; never empty. Without `records`, consecutive bytes of the file, newlines included.
        offset: where what was read begins in the file, in bytes.
        head: the file's first line without its terminator (part of `{id}`); at most 64 KiB.
        read_at: the time of reading, aware; the time of events that carry none.
        first_line: number of the first line in the file, from 1; None when nobody counts.
        records: in the order of their offsets, where they are not simply the lines of `data`; else None.
        lines: how many of the file were read for it, where that is not how many are in `data`; else None.
        others: of further sources that the file belongs to (hazard 1.11): a rule that does not apply to `origin`
            takes the first of these that it applies to.
    """

    origin: Origin
    path: str
    data: bytes
    offset: int
    head: bytes
    read_at: datetime
    first_line: int | None = None
    records: tuple[Record, ...] | RecordsOnDemand | None = None
    lines: int | None = None
    others: tuple[Origin, ...] = ()


class Event(NamedTuple):
    """What one rule made of one record; `name content group_id time` go to the service.

    A tuple, for tens of thousands are made in a second.

    Attributes:
        name: the event name that alarm rules match, never empty.
        content: details for people.
        group_id: application group, 0 for none.
        time: aware; when it happened, or when it was read.
        rule: id of the rule.
        path: file it came from.
        offset: byte offset of the record in the file.
        id: 32 hex digits that stay the same on retry, restart, rename and backfill (spec, section 4).
        line_number: line in the file, from 1; None when nobody counts.
        shadow: whether its rule is tried only: it is shown and never sent.
    """

    name: str
    content: str
    group_id: int
    time: datetime
    rule: str
    path: str
    offset: int
    id: str
    line_number: int | None = None
    shadow: bool = False


class LimitState(NamedTuple):
    """What a rule's threshold or throttle, or the folding of its storm, remembers of one key.

    Attributes:
        rule: id of the rule.
        kind: which of them.
        key: hash of the values that it counts apart.
        state: what it remembers, as JSON; None when that is nothing.
    """

    rule: str
    kind: str
    key: bytes
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Bytes that a rule did not judge, by place and never by text (spec, section 4 "Time limits").

    Attributes:
        rule: the rule's id.
        path: of the file, when it was read.
        offset: of the first byte, in the content.
        length: number of bytes.
        cause: `"timeout"`, one record whose search took too long; or `"set_aside"`, all that passed meanwhile.
    """

    rule: str
    path: str
    offset: int
    length: int
    cause: str


Node = tuple[int, int]
"""Device and inode: what a look at a path tells. One file at a time has it, later perhaps another (hazard 1.7)."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What finds a file again: device, inode, and the inode's generation where the file system has one (hazard 1.7).

    Attributes:
        device: number of the file system.
        inode: number in it; reused after a deletion.
        generation: changes when the inode is reused; 0 where it is not known.
    """

    device: int
    inode: int
    generation: int = 0

    @property
    def node(self) -> Node:
        """Device and inode alone."""
        return self.device, self.inode

    def may_be(self, other: FileIdentity) -> bool:
        """Tell whether both may be the same file: a generation that is not known excludes nothing."""
        return self.node == other.node and (
            self.generation == other.generation or not self.generation or not other.generation
        )


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Length and hash of a stretch of a file's bytes; what confirms an identity (hazards 1.3, 1.8)."""

    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class History:
    """What lay beside a log when all of it was accounted for (hazards 1.2, 9.3).

    Attributes:
        times: the modification times of its generations, in nanoseconds since the epoch, sorted.
        set_back: whether the clock was seen to be behind what was read of the log since then, or what some of them hold
            became doubtful: then the times alone say what is accounted for.
    """

    times: tuple[int, ...] = ()
    set_back: bool = False


class LineState(enum.IntEnum):
    """Where in a line an offset lies (hazards 3.1, 3.2); the numbers are stored.

    Attributes:
        START: at the beginning of a line.
        SKIPPING: inside a line over the limit, whose rest is skipped.
        TAKEN: behind an unfinished line that was taken after its time-out; a newline here only ends it.
        SKIPPING_RECORD: at the beginning of a line that belongs to a record over its limits: it is skipped.
    """

    START = 0
    SKIPPING = 1
    TAKEN = 2
    SKIPPING_RECORD = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one file has been judged, and how to know that it is still this file.

    Attributes:
        identity: finds the file.
        path: where it was last seen.
        source: name of the source that read it.
        offset: bytes before it are judged, and their events are durable.
        head: fingerprint of the first bytes, growing with the file up to a limit.
        guard: fingerprint of the bytes just before `offset`.
        line: where in a line the offset lies.
        modified: the file's time of last change when it was last looked at, in nanoseconds since the epoch; what
            was rotated after it was written later.
        gone_at: since when no source finds the file, in seconds since the epoch; None while one does.
        finished: its name was gone and it was read to its end: nothing is missing when it is never found again.
    """

    identity: FileIdentity
    path: str
    source: str
    offset: int
    head: Fingerprint
    guard: Fingerprint
    line: LineState = LineState.START
    modified: int = 0
    gone_at: float | None = None
    finished: bool = False


class LostBytes(enum.StrEnum):
    """Why bytes of a file are never read; docs/limits.md says when. Each is a series of the metrics."""

    TRUNCATED = "truncated"
    DELETED = "deleted"
    NUL = "nul"
    LINE_TOO_LONG = "line_too_long"
    RECORD_TOO_LONG = "record_too_long"


class LostEvents(enum.StrEnum):
    """Why events are never sent; likewise."""

    QUEUE_FULL = "queue_full"
    DEAD_LETTERS_FULL = "dead_letters_full"
    DEAD_LETTERS_DROPPED = "dead_letters_dropped"
    STORE_DAMAGED = "store_damaged"


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that no reader can save, counted so that read + lost = written (hazards, I1).

    Attributes:
        what: `"bytes"` or `"events"`.
        reason: why, as a short stable word: one of `LostBytes` or `LostEvents`, unless a newer version wrote it.
        amount: how many.
    """

    what: str
    reason: str
    amount: int


def wire_time(moment: datetime) -> str:
    """Render an aware time as the service wants it: `20171023T144439.948+0800` (API reference, section 4)."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("an event's time needs a zone")
    date = moment.year, moment.month, moment.day
    clock = moment.hour, moment.minute, moment.second, moment.microsecond // 1000
    return "%04d%02d%02dT%02d%02d%02d.%03d%s" % (*date, *clock, _wire_offset(offset))  # noqa: UP031  an f-string takes half as long again


@lru_cache(maxsize=256)
def _wire_offset(offset: timedelta) -> str:
    """Render an offset in hours and minutes; one with seconds, as cities had before there were zones, is rounded."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
