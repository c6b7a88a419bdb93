"""What a tailer reads, and how content is recognised that was read before (hazards 1.3, 1.7, 1.8). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from shipper.tailing.identity import confirms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shipper.events import Checkpoint, FileIdentity, LineState, Record


class Content(Protocol):
    """What a tailer reads: a file's bytes by position, whether they lie in it plainly or compressed."""

    @property
    def identity(self) -> FileIdentity:
        """What finds the file."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer at the end."""

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes."""


class Sequel(Protocol):
    """What the file after this one begins with: a record may begin here and end there (hazards 4.1, 4.2, 4.3)."""

    @property
    def data(self) -> bytes:
        """Its first bytes, read before the end of this file is: what came before them is there then."""

    def take(self, size: int, line: LineState, records: Sequence[Record], data: bytes, read_at: datetime) -> None:
        """Take the first `size` bytes: the end of a record of this file.

        Args:
            size: bytes.
            line: where in a line the next one lies.
            records: those that begin among them, with offsets and lines counted from there; in `data`.
            data: of the block.
            read_at: as for `next_block`.
        """

    def refuse(self) -> None:
        """Note that nothing of it belongs to a record of this file."""


def is_file_of(file: Content, checkpoint: Checkpoint) -> bool:
    """Tell whether a file is the one that a checkpoint was taken from: found by identity, confirmed by content."""
    return checkpoint.identity.may_be(file.identity) and recognises(file, checkpoint)


def recognises(file: Content, checkpoint: Checkpoint) -> bool:
    """Tell whether a file's content is the one a checkpoint was taken from, and reaches as far."""
    guard_at = checkpoint.offset - checkpoint.guard.length
    return (
        file.reaches(checkpoint.offset)
        and confirms(checkpoint.head, file.read_at(0, checkpoint.head.length))
        and confirms(checkpoint.guard, file.read_at(guard_at, checkpoint.guard.length))
    )
