"""What the store is to know of the files, collected for one commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.events import Checkpoint, FileIdentity, History
    from shipper.tailing.followed import Followed, Place
    from shipper.tailing.positions import PositionChanges


@dataclass(frozen=True, slots=True)
class Changes:
    """See `Store.record`.

    Attributes:
        checkpoints: of open and closed files.
        forgotten: files whose checkpoints go.
        past: by log what is remembered of its content that is no more.
        histories: by log what lay beside it, once that is accounted for; None for what goes.
        scanned: globs of sources whose first scan is complete.
        files: the open files among them, with the places that the checkpoints say.
        positions: what `Positions.changes` gave.
    """

    checkpoints: list[Checkpoint]
    forgotten: list[FileIdentity]
    past: dict[str, list[Checkpoint]]
    histories: dict[str, History | None]
    scanned: dict[str, tuple[str, ...]]
    files: list[tuple[Followed, Place]]
    positions: PositionChanges

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.forgotten or self.past or self.histories or self.scanned)
