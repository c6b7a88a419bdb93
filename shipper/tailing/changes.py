"""What the store is to know of the files, collected for one commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.events import Checkpoint, FileIdentity
    from shipper.tailing.followed import Followed, Place


@dataclass(frozen=True, slots=True)
class Changes:
    """See `Store.record`.

    Attributes:
        checkpoints: of open and closed files.
        forgotten: files whose checkpoints go.
        scanned: globs of sources whose first scan is complete.
        files: the open files among them, with the places that the checkpoints say.
        positions: what `Positions.changes` gave.
    """

    checkpoints: list[Checkpoint]
    forgotten: list[FileIdentity]
    scanned: dict[str, tuple[str, ...]]
    files: list[tuple[Followed, Place]]
    positions: tuple[list[Checkpoint], list[FileIdentity]]

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.forgotten or self.scanned)
