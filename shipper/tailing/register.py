"""What is known of the files: those that are open, where the others were left, and what the last scans found.

It also holds the budget of descriptors: idle files are closed when too many are open (hazard 6.1), and what cannot be
opened now waits or is tried again later (hazard 2.3).
"""

from __future__ import annotations

import errno
import heapq
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing import access
from shipper.tailing.content import is_file_of
from shipper.tailing.copies import Copies
from shipper.tailing.files import LogFile, UnreadableError, confirmed
from shipper.tailing.followed import Followed
from shipper.tailing.formats import assembler_of
from shipper.tailing.globs import path_pattern
from shipper.tailing.positions import Positions
from shipper.tailing.sequels import part
from shipper.tailing.skipped import Skip, Why, why
from shipper.tailing.tailer import Tailer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, FileIdentity, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import Files
    from shipper.tailing.followed import OpenContent

SPARE_SHARE = 8
FEWEST_OPEN = 8
FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be read, and until when nobody tries again; monotonic seconds."""

    reason: str
    until: float
    delay: float


class Register:
    """See above.

    Attributes:
        sources: in the order of the configuration; the first one of those that match a file says how it is read.
        open: the open files.
        positions: where the files were left that are not open.
        copies: new files that may be copies of open ones.
        found: what the last scan of each source found, by its name.
        waiting: files that wait for a descriptor, with the source that found them.
        shut: files that cannot be opened or read now, with the source that found them.
        rested: sources of logs whose rests were closed for want of descriptors, and until when to look at them again.
        closed: size and time of the files that were closed for want of descriptors.
        failures: why files cannot be read.
        host: the file system.
        own: directories of the agent, never read.
    """

    def __init__(
        self,
        sources: Sequence[SourceTable],
        checkpoints: Iterable[Checkpoint],
        *,
        past: Iterable[Checkpoint],
        own: frozenset[str],
        own_files: frozenset[FileIdentity],
        host: Files,
        max_open: int,
        wall: Callable[[], float],
    ) -> None:
        """Begin with what the store knows. See `Following` for the arguments."""
        self.sources = tuple(sources)
        self.open: dict[Node, Followed] = {}
        self.positions = Positions(checkpoints, past, wall)
        self.copies = Copies()
        self.found: dict[str, dict[Node, Found]] = {}
        self.waiting: dict[Node, tuple[str, Found]] = {}
        self.shut: dict[Node, tuple[str, Found]] = {}
        self.rested: dict[str, tuple[tuple[SourceTable, ...], float]] = {}
        self.closed: dict[Node, tuple[int, int]] = {}
        self.failures: dict[Node, Failure] = {}
        self.host = host
        self.own = own
        self._own_nodes = frozenset(identity.node for identity in own_files)
        self._max_open = max_open
        self._full_at: float | None = None

    def is_own(self, node: Node) -> bool:
        """Tell whether a file is the agent's own."""
        return node in self._own_nodes

    def is_found(self, node: Node) -> bool:
        """Tell whether some source's last scan found a file."""
        return any(node in seen for seen in self.found.values())

    def is_resting(self, node: Node, file: Found) -> bool:
        """Tell whether a file was closed for want of descriptors and did not change since."""
        return node in self.positions and self.closed.get(node) == (file.size, file.modified)

    def goes_on(self, position: Checkpoint) -> bool:
        """Tell whether a file that is not open will be read on: not one at rest at its end, or that no source wants."""
        node = position.identity.node
        if not self.is_found(node):
            return self.owner(position) is not None
        try:
            status = self.host.status(position.path)
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != node or status.st_size != position.offset

    def is_still_found(self, node: Node) -> bool:
        """Tell whether a file has the name under which some source's last scan found it."""
        return any(node in seen and self.is_at(seen[node].path, node) for seen in self.found.values())

    def is_at(self, path: str, node: Node) -> bool:
        """Tell whether a path leads to a file now, as far as one may look."""
        try:
            status = self.host.status(path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == node

    def is_new(self, path: str) -> bool:
        """Tell whether a path leads to a file that no scan has found, as far as one may look."""
        try:
            status = self.host.status(path)
        except OSError:
            return False
        return not self.is_found((status.st_dev, status.st_ino))

    def exists(self, path: str) -> bool:
        """Tell whether there is anything under a path, as far as one may look."""
        try:
            self.host.status(path, follow=False)
        except OSError:
            return False
        return True

    def sources_of(self, path: str) -> tuple[SourceTable, ...]:
        """Give the sources whose globs match a path."""
        return tuple(s for s in self.sources if any(path_pattern(glob).fullmatch(path) for glob in s.paths))

    def owner(self, position: Checkpoint) -> str | None:
        """Give the source that looks after a position: its own, or for one of a past source one that its path fits."""
        if any(source.name == position.source for source in self.sources):
            return position.source
        return next((source.name for source in self.sources_of(position.path)), None)

    def stop_waiting(self, source: SourceTable) -> None:
        """Begin a scan of a source: it says anew which files wait, and which cannot be opened."""
        self._full_at = None
        self.waiting = {node: entry for node, entry in self.waiting.items() if entry[0] != source.name}
        self.shut = {node: entry for node, entry in self.shut.items() if entry[0] != source.name}

    def open_found(self, file: Found, source: SourceTable, skipped: dict[str, Skip], now: float) -> LogFile | None:
        """Open a found file, or note why it cannot be, or that it waits for a descriptor."""
        node = file.identity.node
        failure = self.failures.get(node)
        if failure is not None and now < failure.until:
            self.cannot_read(file, source, skipped, _failing(failure.reason))
            return None
        if not self.make_room(now):
            self.waiting[node] = (source.name, file)
            return None
        try:
            opened = self.host.open(file.path)
        except UnreadableError as error:
            if error.number in {errno.EMFILE, errno.ENFILE}:
                self._max_open = max(FEWEST_OPEN, len(self.open) - len(self.open) // SPARE_SHARE - 1)
                self.waiting[node] = (source.name, file)
            else:
                skip = Skip(access.open_reason(error, file.path, self.host), why(error.number))
                self.cannot_read(file, source, skipped, skip)
            return None
        if opened.identity.node != node:
            opened.close()
            self.waiting[node] = (source.name, file)
            return None
        return opened

    def cannot_read(self, file: Found, source: SourceTable, skipped: dict[str, Skip], skip: Skip) -> None:
        """Note that a found file cannot be opened or read now."""
        skipped[file.path] = skip
        self.shut[file.identity.node] = (source.name, file)

    def fail_found(self, file: Found, source: SourceTable, skipped: dict[str, Skip], reason: str, now: float) -> None:
        """Note that a found file can be opened and not read; it is tried again, later each time (hazard 2.3)."""
        self.cannot_read(file, source, skipped, _failing(reason))
        self._back_off(file.identity.node, file.path, reason, now)

    def _back_off(self, node: Node, path: str, reason: str, now: float) -> Failure:
        before = self.failures.get(node)
        delay = min(before.delay * 2, LONGEST_RETRY) if before and now < before.until + before.delay else FIRST_RETRY
        if before is None or before.reason != reason or delay == FIRST_RETRY:
            telemetry.file_failed(path, reason)
        failure = self.failures[node] = Failure(reason, now + delay, delay)
        return failure

    def forget_gone(self, now: float) -> None:
        """Let go of what is known of files that are not there any more, and are not tried again."""
        self.closed = {node: seen for node, seen in self.closed.items() if node in self.positions}
        self.failures = {
            node: failure
            for node, failure in self.failures.items()
            if now < failure.until + failure.delay or self.is_found(node)
        }

    def has_room(self) -> bool:
        """Whether one more file may be open."""
        return len(self.open) < self._max_open

    def make_room(self, now: float) -> bool:
        """Close idle files while too many are open; tells whether one more may be (hazard 6.1).

        First go those that a scan finds again when they change; then rests that were read to their end, beside whose
        logs `Families` looks for as long as they would have been held open.
        """
        if self.has_room():
            return True
        if now == self._full_at:
            return False
        idle = [f for f in self.open.values() if f.at_end and not f.held and not f.finite and not f.unread()]
        share = self._max_open // SPARE_SHARE + 1
        for followed in heapq.nsmallest(share, idle, key=lambda f: (f.gone_at is not None, f.changed_at)):
            if followed.is_unlinked():
                continue
            if followed.gone_at is None:
                self.closed[followed.node] = followed.seen
                self.put_away(followed)
            elif not followed.has_grown():
                self.rested[followed.path] = followed.sources, now + followed.source.deleted_hold
                self.positions.put(followed.checkpoint(finished=True))
                self.close(followed)
        if self.has_room():
            return True
        self._full_at = now
        return False

    def tailer(self, content: OpenContent, path: str, source: SourceTable) -> Tailer[OpenContent]:
        """Make what reads a file as a source says."""
        return Tailer(
            content,
            path,
            source.origin,
            max_line_bytes=source.max_line_bytes,
            partial_timeout=source.partial_timeout,
            assembler=assembler_of(source),
        )

    def follow(
        self, tailer: Tailer[OpenContent], sources: tuple[SourceTable, ...], now: float, *, listed: int
    ) -> Followed:
        """Take an open file up. `listed`: see `Followed.listed`."""
        followed = Followed(tailer, sources, now, now, listed=listed)
        with suppress(OSError):
            # whoever reads it next says why it cannot be
            followed.look()
        self.open[tailer.identity.node] = followed
        self.copies.settle(followed.node)
        return followed

    def put_away(self, followed: Followed) -> None:
        """Close a file and keep its position."""
        self.positions.keep_head(followed.node, followed.tailer.head)
        if followed.is_saved:
            self.positions.hold(followed.checkpoint())
        else:
            self.positions.put(followed.checkpoint())
        self.close(followed)

    def close(self, followed: Followed) -> None:
        """Close a file; its position is kept by somebody else, or nowhere."""
        followed.tailer.file.close()
        del self.open[followed.node]
        self.failures.pop(followed.node, None)
        part(followed.predecessor, followed)
        part(followed, followed.successor)

    def fail(self, followed: Followed, reason: str, now: float) -> None:
        """Close a file that cannot be read; it is taken up again at its checkpoint, later each time (hazard 2.3).

        One without a name stays open, for nobody could open it again; it is read again, or lost, by `deleted_hold`.
        """
        failure = self._back_off(followed.node, followed.path, reason, now)
        if followed.is_unlinked():
            followed.retry_at = failure.until
        else:
            self.put_away(followed)
            self.failures[followed.node] = failure

    def is_itself(self, path: str, node: Node) -> bool:
        """Tell whether a file that is not open is the one that its position was taken from: inodes are reused (1.7)."""
        position = self.positions.get(node)
        if position is None or not position.offset:
            # where nothing was read the content confirms nothing
            return False
        file = confirmed(self.host, path, lambda file: is_file_of(file, position))
        if file is not None:
            file.close()
        return file is not None


def _failing(reason: str) -> Skip:
    return Skip(f"cannot be read: {reason}; tried again later", Why.FAILING)
