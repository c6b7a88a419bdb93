"""Tells copies from files of their own: logrotate's `copytruncate`, an administrator's `cp` (hazards 1.3 c, 1.8).

Between copy and truncation both files have the same bytes, and nobody can tell what will happen: the copy may become
the only place of lines that were not read yet, or stay a second file with the same words. So a new file whose bytes are
the beginning of a followed one's waits for `COPY_PATIENCE` before it is taken as a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.events import Checkpoint
from shipper.tailing.identity import GUARD_BYTES, HEAD_BYTES, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.events import Node
    from shipper.tailing.content import Content
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed
    from shipper.tailing.originals import Originals

COPY_PATIENCE = 5.0
SURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Suspect:
    """A file that may be a copy.

    Attributes:
        path: where it is.
        node: what finds it.
        size: bytes, all of which equal the original's.
        original: what it may be a copy of.
        since: when it was first seen with this size, in monotonic seconds.
    """

    path: str
    node: Node
    size: int
    original: Node
    since: float


class Copies:
    """The suspects."""

    def __init__(self) -> None:
        self._suspects: dict[Node, Suspect] = {}

    def __bool__(self) -> bool:
        return bool(self._suspects)

    def may_be_one(self, content: Content, file: Found, originals: Originals, now: float) -> bool:
        """Tell whether a new file still may be a copy of one of the originals, and should not be read yet."""
        node = file.identity.node
        before = self._suspects.pop(node, None)
        head = content.read_at(0, SURE_BYTES)
        original = next((o for o in originals.beginning_with(head) if _is_copy(content, file, o)), None)
        if original is None and not file.size:
            # created, but the first bytes are not copied yet
            original = originals.log_of(file.path)
        if original is None:
            return False
        since = before.since if before is not None and before.size == file.size else now
        self._suspects[node] = Suspect(file.path, node, file.size, original.node, since)
        return now - since < COPY_PATIENCE

    def of(self, original: Node) -> list[Suspect]:
        """Give the files that may be copies of one file."""
        return [suspect for suspect in self._suspects.values() if suspect.original == original]

    def settle(self, node: Node) -> None:
        """Note that a file is decided upon, or is not there any more."""
        self._suspects.pop(node, None)

    def keep(self, nodes: Iterable[Node]) -> None:
        """Let go of all but these."""
        kept = set(nodes)
        self._suspects = {node: suspect for node, suspect in self._suspects.items() if node in kept}


def _is_copy(content: Content, file: Found, original: Followed) -> bool:
    return is_beginning(content, file.size, original.tailer.file, original.tailer.file.status().st_size)


def is_beginning(content: Content, size: int, of: Content, of_size: int) -> bool:
    """Tell whether the `size` bytes of a file look like the beginning of another's: its head, and those at its end."""
    if not size or size > of_size:
        return False
    head = min(size, HEAD_BYTES)
    end = max(0, size - GUARD_BYTES)
    return all(content.read_at(at, length) == of.read_at(at, length) for at, length in ((0, head), (end, size - end)))


def is_read_copy(content: Content, size: int, original: Followed) -> bool:
    """Tell whether a file is a copy of what was already read of another, which was truncated since.

    One of which nothing proves that is taken for a file of its own: rather read twice than not at all.
    """
    if not size or size > original.tailer.offset:
        return False
    head = original.tailer.head
    begins_alike = content.read_at(0, min(size, len(head))) == head[:size]
    return begins_alike and (size <= len(head) or original.tailer.trail.leads_through(content, size))


def position_at_end(content: LogFile, path: str, original: Followed, *, finished: bool) -> Checkpoint:
    """Make the position of a copy whose bytes are all read already."""
    size = content.status().st_size
    guard = min(size, GUARD_BYTES)
    return Checkpoint(
        identity=content.identity,
        path=path,
        source=original.source.name,
        offset=size,
        head=fingerprint(content.read_at(0, min(size, HEAD_BYTES))),
        guard=fingerprint(content.read_at(size - guard, guard)),
        modified=original.listed,
        finished=finished,
    )
