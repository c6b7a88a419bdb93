"""The rest of content that is not where it was read: found by content and read on, or said to be lost.

What is lost this way is the rest of a file that was renamed, copied or compressed while nobody looked (hazard 1.6), or
that was truncated (hazard 1.3). A truncated file is held, and its checkpoint stays as it is, until its rest is found or
given up; then it is read from 0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.events import LostBytes
from shipper.tailing.archives import CompressedLog
from shipper.tailing.copies import is_read_copy, position_at_end
from shipper.tailing.files import confirmed
from shipper.tailing.search import Search
from shipper.tailing.searches import Lost, Searches
from shipper.tailing.sequels import part
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.families import Families
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed, OpenContent
    from shipper.tailing.register import Register
    from shipper.tailing.succession import Succession
    from shipper.tailing.surroundings import Neighbours, Surroundings


SLACK_NS = 2 * 10**9


class Rests:
    """See above. Times are monotonic seconds."""

    def __init__(
        self,
        register: Register,
        surroundings: Surroundings,
        families: Families,
        succession: Succession,
        wall: Callable[[], float],
    ) -> None:
        """Share what is known of the files; `wall` tells seconds since the epoch as the stamps of files have them."""
        self._register = register
        self._surroundings = surroundings
        self._families = families
        self._succession = succession
        self._wall = wall
        self._searches = Searches()
        self._not_noted: list[Followed] = []

    def __bool__(self) -> bool:
        return bool(self._searches)

    def is_looking_for(self, node: Node) -> bool:
        """Tell whether the content that a file had is being looked for."""
        return self._searches.is_looking_for(node)

    def may_be_found_in(self, path: str, content: LogFile) -> bool:
        """Tell whether a file holds content that is being looked for: then the search decides how it is read.

        Raises:
            OSError: the file cannot be read.
        """
        return self._searches.may_be_found_in(path, content)

    def look_for(self, position: Checkpoint, sources: tuple[SourceTable, ...], now: float) -> None:
        """Look for the content of a position that is not where it was."""
        self._begin(self._lost(position, sources), now)

    def rewritten(self, followed: Followed, now: float) -> None:
        """Look for the rest of what a file held before, whose content before the offset changed."""
        lost = self._lost(followed.checkpoint(), followed.sources, followed)
        lost.unread = followed.unread()
        followed.held = True
        # what it holds from now on did not come before anything
        part(followed, followed.successor)
        self._note_copies(followed)
        self._begin(lost, now)

    def searched(self) -> list[Checkpoint]:
        """Give how far the files were read whose content is being looked for."""
        return [lost.checkpoint for lost in self._searches.lost]

    def step(self, now: float) -> None:
        """Look a little further; never for long. Idle files may be closed for what is found."""
        self._register.make_room(now)
        for lost in self._searches.step(now):
            self._settle(lost, now)

    def note_copies(self) -> None:
        """Note the copies that could not be looked for when their originals were truncated."""
        waiting, self._not_noted = self._not_noted, []
        for followed in waiting:
            if followed.held:
                self._note_copies(followed)

    def close(self) -> None:
        """Give up all searches; their checkpoints are in the store, the next start looks again."""
        self._searches.close()

    def _lost(
        self, checkpoint: Checkpoint, sources: tuple[SourceTable, ...], truncated: Followed | None = None
    ) -> Lost:
        register = self._register
        rotated = tuple(glob for source in sources for glob in source.rotated)

        def neighbours() -> Neighbours:
            return self._surroundings.of(checkpoint.path, rotated)

        def is_taken(place: Found) -> bool:
            return place.identity.node in register.open or register.is_own(place.identity.node)

        # where the clock was set back the stamps of archives tell nothing
        written = 0 if checkpoint.modified > self._wall() * 1e9 else checkpoint.modified - SLACK_NS
        search = Search(checkpoint, neighbours, is_taken, register.positions.get, register.host, since=written)
        return Lost(checkpoint, sources, search, truncated=truncated)

    def _begin(self, lost: Lost, now: float) -> None:
        if self._searches.begin(lost, now):
            self._settle(lost, now)

    def _settle(self, lost: Lost, now: float) -> None:
        """Go on with what was found, or say that nothing was; then read the original anew if it was truncated."""
        found = lost.search.found
        try:
            if found is not None:
                self._follow(*found, lost, now)
            else:
                lost.search.close()
                self._give_up(lost, now)
            if lost.truncated is not None:
                self._read_anew(lost.truncated, lost.checkpoint, found, now)
        except OSError:
            # found, but it cannot be read at this moment
            self._searches.again(lost, now)
            return
        position = lost.checkpoint
        is_itself = found is not None and position.identity.generation and found[1].identity == position.identity
        if found is not None and not is_itself:
            self._families.look_again(position.path, lost.sources, position.modified)
        else:
            self._families.suspect(position.path, lost.sources, position.modified)

    def _read_anew(
        self, followed: Followed, position: Checkpoint, found: tuple[str, OpenContent] | None, now: float
    ) -> None:
        telemetry.file_rewritten(followed.path, position.offset, found[0] if found else None)
        # a copy of it may come to light later, compressed perhaps
        self._register.positions.remember(position, followed.tailer.head, followed.tailer.trail)
        followed.tailer.restart()
        followed.saved, followed.held, followed.active, followed.changed_at = None, False, True, now
        self._succession.begun(followed)

    def _follow(self, path: str, content: LogFile | CompressedLog, lost: Lost, now: float) -> None:
        register, positions = self._register, self._register.positions
        if content.identity.node in register.open:
            content.close()
            return
        if not register.has_room():
            raise OSError("it waits until fewer files are open")
        tailer = register.tailer(content, path, lost.sources[0])
        if not tailer.resume(lost.checkpoint):
            raise OSError("it changed while it was opened")
        if lost.truncated is None:
            positions.forget(lost.checkpoint)
        if lost.node != content.identity.node and (stale := positions.get(content.identity.node)) is not None:
            self._leave(content.identity.node)
            positions.retire(stale)
        followed = register.follow(tailer, lost.sources, now, listed=lost.checkpoint.modified)
        followed.gone_at, followed.finite = now, isinstance(content, CompressedLog)
        telemetry.rest_found(path, lost.checkpoint.path, tailer.offset)

    def _leave(self, node: Node) -> None:
        """Give an inode's position to another file; the rest of its former one is found after a restart too (1.7)."""
        former = self._register.positions.get(node)
        if former is not None and not former.finished:
            self._families.doubt(former.path, former.modified)

    def _give_up(self, lost: Lost, now: float) -> None:
        """Say that content is found nowhere. A position whose directory is away is kept: it may be back (2.4)."""
        position, positions = lost.checkpoint, self._register.positions
        if lost.truncated is not None:
            tailer = lost.truncated.tailer
            for reason, amount in ((LostBytes.TRUNCATED, lost.unread), (LostBytes.NUL, tailer.padding)):
                if amount:
                    tailer.lose(reason, amount)
            return
        reused = self._register.is_found(position.identity.node)
        if not reused and not self._register.exists(os.path.dirname(position.path)):
            return
        if position.gone_at is None:
            telemetry.rest_not_found(position.path, position.offset)
        if reused:
            positions.retire(position)
        else:
            positions.miss(position, now, purge=False)

    def _note_copies(self, followed: Followed) -> None:
        """Note the copies of a truncated file whose bytes were all read, so that nobody reads them again (1.3 c)."""
        register = self._register
        neighbours = self._surroundings.of(followed.path, followed.source.rotated)
        unclear = neighbours.unlisted
        suspects = {file.identity.node: file.path for file in neighbours.generations(log_of(followed.path))}
        for suspect in register.copies.of(followed.node):
            suspects.setdefault(suspect.node, suspect.path)
        for node, path in suspects.items():
            if node in register.open or register.is_itself(path, node):
                continue
            copy = confirmed(register.host, path, lambda file: is_read_copy(file, file.status().st_size, followed))
            if copy is None:
                # it may have another name by now
                unclear |= not register.is_at(path, node)
            else:
                self._leave(node)
                finished = not register.is_found(node)
                register.positions.put(position_at_end(copy, path, followed, finished=finished))
                copy.close()
        if unclear:
            self._not_noted.append(followed)
