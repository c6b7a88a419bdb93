"""Why every file is or is not being read, as a value that people and programs can be shown."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shipper.tailing.skipped import Why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.events import FileIdentity
    from shipper.tailing.followed import Followed
    from shipper.tailing.following import Following
    from shipper.tailing.register import Failure


class FileState(enum.Enum):
    """What is done with a file now.

    Attributes:
        FAILING: it cannot be read or looked at (I/O error, vanished); it is tried again (hazard 2.4).
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


def conditions(following: Following, now: float) -> list[FileCondition]:
    """Tell of every known file why it is or is not being read.

    Args:
        following: the files; only the thread that owns it may ask.
        now: monotonic seconds.
    """
    failures = following.failures
    refused = {
        path: skip.reason
        for skipped in following.skipped.values()
        for path, skip in skipped.items()
        if skip.why is Why.REFUSED
    }
    found = [_open_condition(followed, now, failures.get(followed.node)) for followed in following.files.values()]
    shown = {condition.path for condition in found}
    for position in following.positions:
        failure = failures.get(position.identity.node)
        state, reason = FileState.CLOSED, "its position is known; it is not open now"
        if failure is not None:
            state, reason = FileState.FAILING, failure.reason
        elif position.path in refused:
            state, reason = FileState.SKIPPED, refused[position.path]
        shown.add(position.path)
        found.append(
            FileCondition(position.path, (position.source,), state, reason, position.offset, identity=position.identity)
        )
    waiting = set(following.waiting) - shown
    found += [FileCondition(path, (), FileState.SKIPPED, "waits until fewer files are open") for path in waiting]
    found += _skipped(following, shown)
    return found


def _skipped(following: Following, shown: set[str]) -> Iterator[FileCondition]:
    for source, skipped in following.skipped.items():
        for path, skip in skipped.items():
            if path not in shown:
                state = FileState.FAILING if skip.why is Why.FAILING else FileState.SKIPPED
                yield FileCondition(path, (source,), state, skip.reason)


def _open_condition(followed: Followed, now: float, failure: Failure | None) -> FileCondition:
    tailer = followed.tailer
    sources = tuple(source.name for source in followed.sources)
    try:
        status = tailer.file.status()
    except OSError as error:
        reason = error.strerror or str(error)
        return FileCondition(followed.path, sources, FileState.FAILING, reason, tailer.offset)
    # of a compressed file the size says nothing about how much text is left
    size = None if followed.finite else status.st_size
    state, reason = FileState.READING, "more is there to read"
    if failure is not None and now < followed.retry_at:
        state, reason = FileState.FAILING, failure.reason
    elif followed.held:
        state, reason = FileState.FINISHING, "its former content is looked for first"
    elif not status.st_nlink:
        gone_at = now if followed.gone_at is None else followed.gone_at
        left = max(0.0, followed.source.deleted_hold - (now - gone_at))
        state, reason = FileState.FINISHING, f"deleted; held open and read to its end, at most {left:.0f} s more"
    elif followed.gone_at is not None or followed.finite:
        state, reason = FileState.FINISHING, "renamed or rotated; read to its end"
    elif status.st_size <= tailer.offset:
        state, reason = FileState.IDLE, "read to its end"
    elif status.st_size <= tailer.offset + tailer.padding:
        state, reason = FileState.IDLE, "read to the NULs at its end, over which text may yet be written"
    elif tailer.waits:
        state, reason = FileState.WAITING, "its last line or record is unfinished"
    elif followed.predecessor is not None:
        state, reason = FileState.WAITING, "the record at the end of the file before it may end here"
    return FileCondition(
        followed.path,
        sources,
        state,
        reason,
        tailer.offset,
        size,
        status.st_mtime,
        tailer.identity,
        is_deleted=not status.st_nlink,
    )
