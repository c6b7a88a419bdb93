"""What a scan tells of the files that are open: found again, under another name, changed, in other sources, or gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.events import LostBytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from shipper.config.model import SourceTable
    from shipper.events import Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.families import Families
    from shipper.tailing.followed import Followed
    from shipper.tailing.register import Register
    from shipper.tailing.rests import Rests


class Sightings:
    """See above. Times are monotonic seconds."""

    def __init__(self, register: Register, rests: Rests, families: Families) -> None:
        """Share what is known of the files."""
        self._register = register
        self._rests = rests
        self._families = families

    def note(
        self, source: SourceTable, found: Mapping[Node, Found], unlisted: Collection[str], now: float
    ) -> set[Followed]:
        """Note what became of the open files; gives those whose name changed or went."""
        moved = set()
        for node, followed in list(self._register.open.items()):
            path, file = followed.path, found.get(node)
            try:
                if file is not None:
                    self._see_again(followed, source, file, now)
                    if followed.path != path:
                        moved.add(followed)
                elif os.path.dirname(path) in unlisted:
                    # nobody knows what is in there now
                    continue
                elif source.name in followed.seen_by and self._miss(followed, source, now):
                    moved.add(followed)
            except OSError as error:
                self._register.fail(followed, error.strerror or str(error), now)
        return moved

    def _miss(self, followed: Followed, source: SourceTable, now: float) -> bool:
        """Note that a source does not find a file any more; tells whether none does."""
        followed.seen_by.discard(source.name)
        if followed.seen_by:
            self._assign(followed)
            return False
        followed.gone_at = now
        followed.active = True
        if not followed.held:
            self._see_rewritten(followed, now)
        return True

    def _see_again(self, followed: Followed, source: SourceTable, file: Found, now: float) -> None:
        if source.name not in followed.seen_by:
            followed.seen_by.add(source.name)
            self._assign(followed)
        followed.gone_at = None
        if followed.source.name == source.name:
            followed.tailer.path = file.path
        if followed.fresh is not None and followed.fresh != file.modified:
            self._families.suspect(file.path, followed.sources)
        if followed.held or followed.seen == (file.size, file.modified):
            return
        followed.active = True
        self._see_rewritten(followed, now)
        if not followed.held:
            # while reading pauses nobody else looks how much would be lost (hazard 6.3)
            followed.seen = (file.size, file.modified)

    def _see_rewritten(self, followed: Followed, now: float) -> None:
        """Notice a truncation before new files are judged: one of them may be the copy that holds the rest."""
        if followed.tailer.is_rewritten():
            self._rests.rewritten(followed, now)

    def _assign(self, followed: Followed) -> None:
        """Give a file to the sources that find it; another first source reads it on in its own way (hazard 1.11)."""
        followed.sources = tuple(source for source in self._register.sources if source.name in followed.seen_by)
        before = followed.tailer
        if before.origin.source == followed.source.name:
            return
        tailer = self._register.tailer(before.file, before.path, followed.source)
        if tailer.resume(before.checkpoint()):
            for loss in before.take_losses():
                tailer.lose(LostBytes(loss.reason), loss.amount)
            followed.tailer = tailer
