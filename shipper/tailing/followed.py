"""One open file that is followed: its tailer, the sources it belongs to, and what became of its name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shipper.events import LineState, LostBytes
from shipper.tailing.content import Content
from shipper.tailing.tailer import Halt

if TYPE_CHECKING:
    import os

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node, Origin
    from shipper.tailing.tailer import Tailer

UNLINKED_SILENCE = 30.0

Place = tuple[int, LineState, str]
"""What a checkpoint says that changes while a file is read: offset, state of the line, path."""


class OpenContent(Content, Protocol):
    """Content of an open file of the host, plain or compressed."""

    def status(self) -> os.stat_result:
        """Give size, times and link count of the open file, whatever its name is now."""

    def close(self) -> None:
        """Close it."""


@dataclass(slots=True, eq=False)
class Followed:
    """One followed file. Times are monotonic seconds unless said otherwise.

    Attributes:
        tailer: reads it.
        sources: those that it belongs to, in the order of the configuration; the first one says how it is read. Those
            of the last scan that found it when none does any more.
        changed_at: when its last bytes came.
        opened_at: when it was opened.
        finite: nothing will be added to it: a compressed generation. Its end is a fact, not a moment.
        seen_by: names of the sources whose last scan found it.
        gone_at: since when no source finds it; None while one does.
        seen: size and modification time when last looked at.
        active: looked at in every pass; else only when a scan or a hint says that it changed.
        halt: why the last look ended; None before the first and while there is more.
        held: not read, since its former content is being looked for.
        saved: offset, state and path of the checkpoint that is in the store; None when it is not there.
        predecessor: the generation of its log directly before it, in which a record may be open that ends in this one;
            while both are open and that is not decided (hazard 4.1).
        successor: the other way round.
        reach: the size that the predecessor had when the first bytes of this one were seen; None before.
        listed: its modification time when its directory was listed last, in nanoseconds: what is rotated from it
            later was written later.
        fresh: the same when nothing of it was read then, else None: what it held may be gone when it was written since,
            and nobody else would notice. 0 where a coarse clock may tell the same once more (hazard 1.5).
        retry_at: when to read it again that could not be read and cannot be opened again either.
        turn: when it was read last, in turns of the reading loop.
        feeds: rules that made events of it lately, for the queue's shares.
        told: reasons of losses that the log has told of this file.
    """

    tailer: Tailer[OpenContent]
    sources: tuple[SourceTable, ...]
    changed_at: float
    opened_at: float
    finite: bool = False
    seen_by: set[str] = field(default_factory=set)
    gone_at: float | None = None
    seen: tuple[int, int] = (-1, -1)
    active: bool = True
    halt: Halt | None = None
    held: bool = False
    saved: Place | None = None
    predecessor: Followed | None = None
    successor: Followed | None = None
    reach: int | None = None
    listed: int = 0
    fresh: int | None = None
    retry_at: float = 0.0
    turn: int = 0
    feeds: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    @property
    def node(self) -> Node:
        """What finds it while it is open."""
        return self.tailer.identity.node

    @property
    def path(self) -> str:
        """Its name, the last one known."""
        return self.tailer.path

    @property
    def directory(self) -> str:
        """Where it is, or was when its name was last known."""
        return self.path.rpartition("/")[0] or "/"

    @property
    def source(self) -> SourceTable:
        """The source that says how it is read."""
        return self.sources[0]

    @property
    def others(self) -> tuple[Origin, ...]:
        """What the events of the further sources' rules inherit (hazard 1.11)."""
        return tuple(source.origin for source in self.sources[1:])

    @property
    def at_end(self) -> bool:
        """Whether everything that was there at the last look is taken."""
        return self.halt is Halt.AT_END

    @property
    def place(self) -> Place:
        """What a checkpoint says that changes while a file is read."""
        return self.tailer.offset, self.tailer.line, self.tailer.path

    @property
    def is_saved(self) -> bool:
        """Whether the store has its checkpoint; while its former content is looked for, the one of that."""
        # asked of thousands at every commit: nothing is made for it
        saved, tailer = self.saved, self.tailer
        return saved is not None and saved[0] == tailer.offset and saved[1] is tailer.line and saved[2] == tailer.path

    def checkpoint(self, **changes: object) -> Checkpoint:
        """Tell how far it was taken, and when it was last changed as far as we know."""
        return dataclasses.replace(self.tailer.checkpoint(), **{"modified": self.listed, **changes})  # type: ignore[arg-type]

    def look(self) -> os.stat_result:
        """Note size and time of the open file. Raises `OSError`."""
        status = self.tailer.file.status()
        self.saw(status)
        return status

    def saw(self, status: os.stat_result) -> None:
        """Note what size and time the open file had."""
        self.seen = (status.st_size, status.st_mtime_ns)

    def is_changed(self) -> bool:
        """Tell whether size or time differ from when it was last looked at, or cannot be told."""
        try:
            status = self.tailer.file.status()
        except OSError:
            # whoever reads it next says why
            return True
        return self.seen != (status.st_size, status.st_mtime_ns)

    def is_due(self, now: float) -> bool:
        """Tell whether it may be read now."""
        return self.active and not self.held and now >= self.retry_at

    def is_untouched(self) -> bool:
        """Tell whether it holds something and nothing of that was taken."""
        return not self.tailer.offset and self.seen[0] > 0 and not self.held and not self.finite

    def has_grown(self) -> bool:
        """Tell whether there is more than was taken, now and not at the last look."""
        try:
            return not self.finite and self.tailer.file.reaches(self.tailer.offset + 1)
        except OSError:
            # the descriptor leads nowhere any more
            return False

    def is_unlinked(self) -> bool:
        """Tell whether the open file has no name any more, so that nobody could open it again."""
        try:
            return not self.tailer.file.status().st_nlink
        except OSError:
            # the descriptor leads nowhere any more; a name may
            return False

    def unread(self) -> int:
        """Give the bytes that were there at the last look and are not taken."""
        return 0 if self.finite else max(0, self.seen[0] - self.tailer.offset - self.tailer.padding)

    def give_up(self) -> None:
        """Count what was there at the last look and is not taken: nobody can read it any more (hazards 1.9, 3.6)."""
        for reason, amount in ((LostBytes.DELETED, self.unread()), (LostBytes.NUL, self.tailer.padding)):
            if amount:
                self.tailer.lose(reason, amount)

    def is_over(self, now: float, status: os.stat_result) -> bool:
        """Tell whether reading ends: its name is gone, and it was silent at its end for long enough; or it is finite.

        An unlinked file holds space on the disk: not longer than needed, and never longer than `deleted_hold`, read
        or not (hazard 1.9). One that only left the globs is read on while its writer writes (hazard 1.1).
        """
        if self.finite:
            return self.at_end
        if self.gone_at is None:
            return False
        hold = self.source.deleted_hold
        silent = now - max(self.changed_at, self.gone_at)
        unread = status.st_size > self.tailer.offset + self.tailer.padding
        if status.st_nlink:
            return not unread and silent >= hold
        return now - self.gone_at >= hold or (not unread and silent >= min(hold, UNLINKED_SILENCE))
