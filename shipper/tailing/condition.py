"""Why every file is or is not being read, as a value that people and programs can be shown. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.events import FileIdentity


class FileState(enum.Enum):
    """What is done with a file now.

    Attributes:
        FAILING: it cannot be read (I/O error, vanished); it is tried again (hazard 2.4).
        PAUSED: it has more to read, but reading waits for room in the queue or on the disk.
        READING: it has more to read, and that is being read.
        WAITING: only an unfinished line or record is left; it is taken when it ends, or after its time-out.
        FINISHING: its name is gone (renamed, rotated, deleted); it is held open and read to its end (hazard 1.9).
        IDLE: it was read to its end.
        CLOSED: its position is known, and it is not open now.
        SKIPPED: a source names it and it is not read; the reason says why (hazard 2.6).
    """

    FAILING = "failing"
    PAUSED = "paused"
    READING = "reading"
    WAITING = "waiting"
    FINISHING = "finishing"
    IDLE = "idle"
    CLOSED = "closed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class FileCondition:
    """One file and why it is or is not being read.

    Attributes:
        path: where it was last seen.
        sources: names of the sources that it belongs to.
        state: what is done with it.
        reason: why, for people; a sentence without its full stop.
        offset: bytes before it are judged; None for a file without a position.
        size: bytes it has now; None when that is not known.
        changed_at: its time of last change in seconds since the epoch; None when that is not known.
        identity: tells files that had the same path apart; None when it was never opened.
        is_deleted: it has no name any more, so its bytes are free on the disk only when it is closed (hazard 1.9).
    """

    path: str
    sources: tuple[str, ...]
    state: FileState
    reason: str
    offset: int | None = None
    size: int | None = None
    changed_at: float | None = None
    identity: FileIdentity | None = None
    is_deleted: bool = False

    @property
    def lag(self) -> int:
        """Bytes that are there and not read yet (hazard 6.3); 0 for a file without a position."""
        if self.offset is None or self.size is None:
            return 0
        return max(0, self.size - self.offset)


def paused(condition: FileCondition, reason: str) -> FileCondition:
    """Give the condition of a file while nothing is read: those that have more to read say so."""
    if condition.state not in {FileState.READING, FileState.WAITING}:
        return condition
    return replace(condition, state=FileState.PAUSED, reason=reason)
