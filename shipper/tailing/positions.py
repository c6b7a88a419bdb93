"""Where the files were left that are not open: known files, rotated ones, and those whose name is gone for now.

Nothing is forgotten the moment a file disappears: a volume may be mounted again, a directory moved back (hazard 2.4).
A position whose file is gone keeps the time since when, and goes when that is long ago (hazards 5.5, 5.6).
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.tailing.identity import HEAD_BYTES, fingerprint
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shipper.events import Checkpoint, FileIdentity, Fingerprint, Node
    from shipper.tailing.trail import Trail

TOMBSTONE_SECONDS = 7 * 24 * 3600.0
MISSED_SECONDS = 3600.0
PAST_OF_LOG = 32


@dataclass(frozen=True, slots=True)
class KnownContent:
    """Content that was read.

    Attributes:
        checkpoint: how far, and what it looks like.
        head: its first bytes where they are kept; else only their hash is known.
        is_over: nobody reads on where its file is; else that file may be known and looked after.
        trail: what else is remembered of it, as long as its family is not settled.
    """

    checkpoint: Checkpoint
    head: bytes
    is_over: bool
    trail: Trail | None = None


@dataclass(frozen=True, slots=True)
class PositionChanges:
    """What has to be recorded.

    Attributes:
        checkpoints: to be kept.
        forgotten: files whose checkpoints go.
        past: by log all that is remembered of its content that is no more.
    """

    checkpoints: list[Checkpoint]
    forgotten: list[FileIdentity]
    past: dict[str, list[Checkpoint]]


class Positions:
    """Checkpoints by device and inode, and what has to be recorded of them."""

    def __init__(
        self, checkpoints: Iterable[Checkpoint], past: Iterable[Checkpoint], wall: Callable[[], float]
    ) -> None:
        """Begin with what the store knows; `wall` as for `Following`."""
        self._wall = wall
        self._by_node: dict[Node, Checkpoint] = {}
        self._by_path: dict[str, set[Node]] = {}
        self._changed: dict[Node, Checkpoint] = {}
        self._forgotten: set[FileIdentity] = set()
        self._past: dict[str, deque[KnownContent]] = {}
        self._past_changed: set[str] = set()
        self._heads: dict[Node, bytes] = {}
        self._by_head: dict[int, dict[Fingerprint, set[Node]]] = {}
        self._missed: dict[Node, float] = {}
        self._purging_since: float | None = None
        self._finished: dict[str, dict[Node, None]] = {}
        for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.gone_at or 0.0):
            self._keep(checkpoint)
            if checkpoint.finished:
                self._bound(checkpoint)
        for checkpoint in past:
            self._past_of(checkpoint).append(KnownContent(checkpoint, b"", is_over=True))

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(list(self._by_node.values()))

    def __len__(self) -> int:
        return len(self._by_node)

    def __contains__(self, node: Node) -> bool:
        return node in self._by_node

    def get(self, node: Node) -> Checkpoint | None:
        """Give the position of a file."""
        return self._by_node.get(node)

    def at(self, path: str) -> list[Checkpoint]:
        """Give the positions of the files that were last seen under a path."""
        return [self._by_node[node] for node in self._by_path.get(path, ())]

    def beginning(self, head: bytes) -> Iterator[Checkpoint]:
        """Give the positions of the files whose heads some bytes begin with."""
        for length, by_head in list(self._by_head.items()):
            if 0 < length <= len(head):
                for node in list(by_head.get(fingerprint(head[:length]), ())):
                    yield self._by_node[node]

    def known(self) -> Iterator[KnownContent]:
        """Give all content that was read: of closed files, and of those that are no more or were rewritten."""
        for node, checkpoint in self._by_node.items():
            over = checkpoint.finished or checkpoint.gone_at is not None
            yield KnownContent(checkpoint, self._heads.get(node, b""), over)
        for past in self._past.values():
            yield from past

    def keep_head(self, node: Node, head: bytes) -> None:
        """Keep the first bytes of a short file: a hash of them does not tell what is the beginning of them."""
        if len(head) < HEAD_BYTES:
            self._heads[node] = head

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep a position, to be recorded; one of an earlier file with the same inode is void."""
        before = self._by_node.get(checkpoint.identity.node)
        if before is not None and (before.identity != checkpoint.identity or self._is_replaced(checkpoint)):
            self.retire(before)
        self._forgotten.discard(checkpoint.identity)
        self._keep(checkpoint)
        self._changed[checkpoint.identity.node] = checkpoint
        if checkpoint.finished:
            self._bound(checkpoint)

    def hold(self, checkpoint: Checkpoint) -> None:
        """Keep a position that is in the store as it is."""
        self._keep(checkpoint)

    def move(self, checkpoint: Checkpoint, path: str) -> None:
        """Note the name under which a file was found."""
        self._missed.pop(checkpoint.identity.node, None)
        if checkpoint.path != path or checkpoint.gone_at is not None:
            self.put(dataclasses.replace(checkpoint, path=path, gone_at=None))

    def note(self, node: Node, path: str) -> bool:
        """Note the name under which a file was found, if it has a position; tells whether it has one."""
        checkpoint = self._by_node.get(node)
        if checkpoint is None:
            return False
        if checkpoint.path != path or checkpoint.gone_at is not None or node in self._missed:
            self.move(checkpoint, path)
        return True

    def take(self, checkpoint: Checkpoint) -> bool:
        """Let go of the position of a file that is open from now on; tells whether it is in the store as it is."""
        node = checkpoint.identity.node
        self._drop(node)
        self._missed.pop(node, None)
        return self._changed.pop(node, None) is None

    def forget(self, checkpoint: Checkpoint) -> None:
        """Drop a position here and in the store, unless another file has its inode by now."""
        if not self._is_replaced(checkpoint):
            self.take(checkpoint)
            self._forgotten.add(checkpoint.identity)

    def retire(self, checkpoint: Checkpoint) -> None:
        """Drop the position of a file that is no more; remember its content, which may come back compressed."""
        head = self._heads.get(checkpoint.identity.node, b"")
        self.forget(checkpoint)
        self.remember(checkpoint, head)

    def remember(self, checkpoint: Checkpoint, head: bytes = b"", trail: Trail | None = None) -> None:
        """Remember what was read of a file that is no more or has other content now: a copy of it may come to light."""
        gone = dataclasses.replace(checkpoint, gone_at=self._wall())
        self._past_of(gone).append(KnownContent(gone, head, is_over=True, trail=trail))
        self._past_changed.add(log_of(gone.path))

    def forget_trails(self, log: str) -> None:
        """Let go of what is only needed until all copies of a log's content are accounted for."""
        if any(known.trail for known in self._past.get(log, ())):
            shorter = [dataclasses.replace(known, trail=None) for known in self._past[log]]
            self._past[log] = deque(shorter, maxlen=PAST_OF_LOG)

    def forget_identity(self, identity: FileIdentity) -> None:
        """Drop what the store has of a file that was open."""
        self._forgotten.add(identity)

    def changes(self) -> PositionChanges:
        """Give what has to be recorded."""
        past = {log: [known.checkpoint for known in self._past.get(log, ())] for log in self._past_changed}
        return PositionChanges(list(self._changed.values()), list(self._forgotten), past)

    def recorded(self, changes: PositionChanges) -> None:
        """Note that what `changes` gave is in the store; nothing may have been changed since."""
        for checkpoint in changes.checkpoints:
            if self._changed.get(checkpoint.identity.node) is checkpoint:
                del self._changed[checkpoint.identity.node]
        self._forgotten.difference_update(changes.forgotten)
        self._past_changed.difference_update(changes.past)

    def miss(self, checkpoint: Checkpoint, now: float, *, purge: bool) -> None:
        """Note that a scan did not find a file; drop it when that has been so for very long.

        The clock may have been wrong in an earlier process: this one must have missed it for an hour too (hazard 9.3).

        Args:
            checkpoint: its position.
            now: the monotonic clock.
            purge: whether it is believed to be gone; not while its whole directory is away (hazard 2.4).
        """
        if self._is_replaced(checkpoint):
            return
        node = checkpoint.identity.node
        since = self._missed.setdefault(node, now)
        if checkpoint.gone_at is None:
            self.put(dataclasses.replace(checkpoint, gone_at=self._wall()))
        elif purge and now - since >= MISSED_SECONDS and self._is_long_gone(checkpoint):
            self.forget(checkpoint)

    def purge_past(self, now: float) -> None:
        """Forget content that is no more for very long; not in the first hour of this process (hazard 9.3)."""
        if self._purging_since is None:
            self._purging_since = now
        if now - self._purging_since < MISSED_SECONDS:
            return
        for log, past in list(self._past.items()):
            kept = [known for known in past if not self._is_long_gone(known.checkpoint)]
            if len(kept) < len(past):
                self._past_changed.add(log)
                self._past[log] = deque(kept, maxlen=PAST_OF_LOG)

    def _is_long_gone(self, checkpoint: Checkpoint) -> bool:
        return self._wall() - (checkpoint.gone_at or 0.0) >= TOMBSTONE_SECONDS

    def _is_replaced(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the position of other content is kept by now: a file that came later has the same inode."""
        now = self._by_node.get(checkpoint.identity.node)
        return now is not None and (now.offset, now.head) != (checkpoint.offset, checkpoint.head)

    def _past_of(self, checkpoint: Checkpoint) -> deque[KnownContent]:
        return self._past.setdefault(log_of(checkpoint.path), deque(maxlen=PAST_OF_LOG))

    def _bound(self, checkpoint: Checkpoint) -> None:
        """Let go of the oldest of a log's finished files when there are many: nobody asks for them any more (5.5)."""
        finished = self._finished.setdefault(log_of(checkpoint.path), {})
        finished[checkpoint.identity.node] = None
        while len(finished) > PAST_OF_LOG:
            node = next(iter(finished))
            del finished[node]
            position = self._by_node.get(node)
            if position is not None and position.finished:
                self.forget(position)

    def _keep(self, checkpoint: Checkpoint) -> None:
        node = checkpoint.identity.node
        head = self._heads.get(node)
        self._drop(node)
        if head is not None:
            self._heads[node] = head
        self._by_node[node] = checkpoint
        self._by_path.setdefault(checkpoint.path, set()).add(node)
        self._by_head.setdefault(checkpoint.head.length, {}).setdefault(checkpoint.head, set()).add(node)

    def _drop(self, node: Node) -> None:
        before = self._by_node.pop(node, None)
        if before is None:
            return
        self._heads.pop(node, None)
        nodes = self._by_path[before.path]
        nodes.discard(node)
        if not nodes:
            del self._by_path[before.path]
        by_head = self._by_head[before.head.length]
        by_head[before.head].discard(node)
        if not by_head[before.head]:
            del by_head[before.head]
        if not by_head:
            del self._by_head[before.head.length]
