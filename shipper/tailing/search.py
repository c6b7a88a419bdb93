"""Where the content of a file went: looks for a checkpoint's bytes under other names (hazards 1.3, 1.6, 1.8, 1.12)."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.content import is_file_of, recognises
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError
from shipper.tailing.identity import HEAD_BYTES
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shipper.events import Checkpoint, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import Files
    from shipper.tailing.surroundings import Neighbours

MAX_ARCHIVES = 64
# with ENOENT, since what was listed a moment ago may have another name now
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.EINTR, errno.ENOENT}


class Search:
    """Looks for the file that holds a checkpoint's content now: by identity first, then by content alone.

    Plain files are looked at in the first step; compressed ones are decompressed a little in each.

    Attributes:
        found: path and open file, when it was found.
        pending: a candidate is still being written, or has another name by now: look again later.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        neighbours: Callable[[], Neighbours],
        is_taken: Callable[[Found], bool],
        position_of: Callable[[Node], Checkpoint | None],
        files: Files = HOST_FILES,
        *,
        since: int = 0,
    ) -> None:
        """Prepare.

        Args:
            checkpoint: what to look for; one at offset 0 is recognised by identity only.
            neighbours: gives the files among which it may be.
            is_taken: tells the files that are open, so cannot be it.
            position_of: gives the position of a file that is not open: one that was read itself is not it either.
            files: the file system.
            since: archives that were last changed before it cannot hold what is looked for; nanoseconds.
        """
        self.found: tuple[str, LogFile | CompressedLog] | None = None
        self.pending = False
        self._checkpoint = checkpoint
        self._neighbours = neighbours
        self._is_taken = is_taken
        self._position_of = position_of
        self._files = files
        self._since = since
        self._archive: CompressedLog | None = None
        self._steps: Iterator[None] | None = None
        self._budget = 0
        self._is_there = False

    def step(self, budget: int) -> bool:
        """Look a little further: decompress at most about `budget` bytes. True when this search is over."""
        if self._steps is None:
            self.close()
            self.pending = self._is_there = False
            self._steps = self._look()
        self._budget = budget
        for _ in self._steps:
            return False
        self._steps = None
        return True

    def close(self) -> None:
        """Close what is open, found or not."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        if self.found is not None:
            self.found[1].close()
            self.found = None

    def _look(self) -> Iterator[None]:
        wanted = self._checkpoint
        neighbours = self._neighbours()
        self.pending |= neighbours.unlisted
        archives: list[Found] = []
        candidates = list(self._candidates(neighbours))
        # what replaced it may begin in the same way: only when it is nowhere else
        names = {wanted.path, log_of(wanted.path)}
        successors = [
            place for place in candidates if place.path in names and place.identity.node != wanted.identity.node
        ]
        for place in candidates:
            if place not in successors and self._is_in(place, archives):
                return
            if self._is_there:
                # what others hold proves little while it cannot be read itself
                self.pending = True
                return
        for place in archives[:MAX_ARCHIVES]:
            # only one is open at a time: descriptors are few
            content = self._open(place)
            if not isinstance(content, CompressedLog):
                if content is not None:
                    content.close()
                continue
            self._archive = content
            itself = self._position_of(content.identity.node)
            while not content.advance(max(wanted.offset, itself.offset if itself else 0), self._budget):
                yield
            self._archive = None
            if self._recognise(place.path, content):
                self.found = place.path, content
                return
            self.pending |= content.was_incomplete
            content.close()
        any(self._is_in(place, archives) for place in successors)

    def _is_in(self, place: Found, archives: list[Found]) -> bool:
        """Tell whether a plain file is what is looked for; a compressed one is added to `archives`."""
        content = self._open(place)
        if isinstance(content, CompressedLog):
            if place.modified >= self._since:
                archives.append(place)
        elif content is not None and self._recognise(place.path, content):
            self.found = place.path, content
            return True
        if content is not None:
            content.close()
        return False

    def _candidates(self, neighbours: Neighbours) -> Iterator[Found]:
        """Give the file itself first, then by content those with its name, then the others; the newest first."""
        node = self._checkpoint.identity.node
        itself = neighbours.by_node.get(node)
        if itself is not None and not self._is_taken(itself):
            yield itself
        if self._checkpoint.offset:
            name = os.path.basename(self._checkpoint.path)
            for place in sorted(neighbours.files, key=lambda place: not os.path.basename(place.path).startswith(name)):
                if place.identity.node != node and not self._is_taken(place):
                    yield place

    def _open(self, place: Found) -> LogFile | CompressedLog | None:
        same = place.identity.node == self._checkpoint.identity.node
        try:
            content = open_content(self._files, place.path)
        except UnreadableError as error:
            self._is_there |= same
            # we are short of descriptors: not "not found"
            self.pending |= error.number in _PASSING
            return None
        except OSError:
            self._is_there |= same
            self.pending = True
            return None
        self.pending |= content.identity.node != place.identity.node
        return content

    def _recognise(self, path: str, content: LogFile | CompressedLog) -> bool:
        # a plain file does not become an archive: one with its inode is another file
        plain = not isinstance(content, CompressedLog)
        same = plain and content.identity.may_be(self._checkpoint.identity)
        try:
            is_it = (same or self._checkpoint.offset > 0) and holds(path, content, self._checkpoint)
            return is_it and not self._was_read(content)
        except OSError:
            self._is_there |= same
            return False

    def _was_read(self, content: LogFile | CompressedLog) -> bool:
        """Tell whether a file was read as another one: it only begins in the same way."""
        position = self._position_of(content.identity.node)
        if position is None or not position.offset or content.identity.node == self._checkpoint.identity.node:
            # where nothing was read the content confirms nothing
            return False
        return is_file_of(content, position)


def holds(path: str, content: LogFile | CompressedLog, wanted: Checkpoint) -> bool:
    """Tell whether a file holds the content of a checkpoint, and does not only begin with the same few words.

    Under the checkpoint's own name stands what replaced its file: the same content there is that of an editor's save or
    of another mount when it is long, or has the same inode; a short one is a banner that a restarted service wrote
    again (hazards 1.5, 1.8).

    Raises:
        OSError: the file cannot be read.
    """
    if not recognises(content, wanted):
        return False
    if path != wanted.path or content.identity.may_be(wanted.identity):
        return True
    return content.identity.inode == wanted.identity.inode or wanted.offset >= HEAD_BYTES
