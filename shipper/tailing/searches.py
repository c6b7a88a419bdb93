"""The searches for content that is not where it was read: step by step, so that no archive keeps others waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipper.tailing.search import holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed
    from shipper.tailing.search import Search

STEP_BYTES = 1024 * 1024
PENDING_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Lost:
    """Content that is being looked for.

    Attributes:
        checkpoint: how far it was read, and what it looks like.
        sources: those that read it.
        search: looks for it.
        unread: bytes behind the checkpoint that are known to have been there.
        truncated: the open file that had it and has other content now: read again from 0 when the search is over.
        again_at: when to look again, in monotonic seconds, for what is being written at this moment.
    """

    checkpoint: Checkpoint
    sources: tuple[SourceTable, ...]
    search: Search
    unread: int = 0
    truncated: Followed | None = None
    again_at: float = 0.0

    @property
    def node(self) -> Node:
        """What found it before."""
        return self.checkpoint.identity.node


@dataclass(slots=True)
class Searches:
    """The searches that go on, the oldest first."""

    lost: list[Lost] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost)

    def is_looking_for(self, node: Node) -> bool:
        """Tell whether the content that a file had is being looked for."""
        return any(lost.node == node for lost in self.lost)

    def may_be_found_in(self, path: str, content: LogFile) -> bool:
        """Tell whether a file holds content that is being looked for, so that a search may end there.

        Raises:
            OSError: the file cannot be read.
        """
        return any(lost.checkpoint.offset and holds(path, content, lost.checkpoint) for lost in self.lost)

    def begin(self, lost: Lost, now: float) -> bool:
        """Look at once where that is quick; tells whether the search is over, else it goes on with `step`."""
        if self._look(lost, now):
            return True
        self.lost.append(lost)
        return False

    def step(self, now: float) -> Iterator[Lost]:
        """Look a little further; gives what was found, or is found nowhere."""
        for lost in list(self.lost):
            if now >= lost.again_at and self._look(lost, now):
                self.lost.remove(lost)
                yield lost

    def again(self, lost: Lost, now: float) -> None:
        """Look once more, a little later."""
        lost.search.close()
        lost.again_at = now + PENDING_SECONDS
        self.lost.append(lost)

    def close(self) -> None:
        """Give up all searches; their checkpoints are in the store, the next start looks again."""
        for lost in self.lost:
            lost.search.close()
        self.lost.clear()

    def _look(self, lost: Lost, now: float) -> bool:
        if not lost.search.step(STEP_BYTES):
            return False
        if lost.search.found is None and lost.search.pending:
            lost.again_at = now + PENDING_SECONDS
            return False
        return True
