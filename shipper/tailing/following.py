"""Which files are followed: turns scans of the directories into tailers, through every kind of rotation.

A file is followed by its identity, not by its name, and read once however many names and sources it has. So
- renamed (hazards 1.1, 1.13): the same tailer goes on; what then appears under the old name is a new file, read
  from 0 beside it. A tailer whose name has gone is let go when it has been silent at its end long enough.
- truncated or rewritten in place (1.3, 1.5): the tailer notices by content. Its unread rest is looked for in a
  copy beside it (logrotate's `copytruncate`), by content; then the file is read from 0.
- rotated while nobody looked (1.6): a checkpoint whose file is not found under its name is looked for, by identity
  and by content, also in compressed files, in its directory and the source's `rotated` places, and read on there.
- rotated several times between two looks (1.2): generations of a log newer than what was read of it are read too.
- copied (1.3 c): see `copies`.

What cannot be found is said, and counted where the number of bytes is known.
"""

from __future__ import annotations

import errno
import heapq
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.copies import Copies, is_beginning, is_read_copy, position_at_end
from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, UnreadableError, compression_of, confirmed
from shipper.tailing.followed import Followed
from shipper.tailing.formats import assembler_of
from shipper.tailing.globs import path_pattern
from shipper.tailing.identity import HEAD_BYTES
from shipper.tailing.positions import Positions
from shipper.tailing.rests import Lost, Searches, is_known_content
from shipper.tailing.rotation import Search, are_relatives, family, possible_logs
from shipper.tailing.tailer import Tailer, recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, FileIdentity, Node
    from shipper.tailing.discovery import Discovery, Found
    from shipper.tailing.files import Files, LogFile
    from shipper.tailing.followed import OpenContent, Place
    from shipper.tailing.rotation import Generation

MAX_OPEN = 2048
SPARE_SHARE = 8
PURGE_INTERVAL = 600.0
FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0
_MAGIC_BYTES = 6


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be recorded of the files. See `Store.record`."""

    checkpoints: list[Checkpoint]
    forgotten: list[FileIdentity]
    scanned: dict[str, tuple[str, ...]]
    files: list[tuple[Followed, Place]]
    positions: tuple[list[Checkpoint], list[FileIdentity]]

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.forgotten or self.scanned)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be read, and until when nobody tries again; monotonic seconds."""

    reason: str
    until: float
    delay: float


@dataclass(frozen=True, slots=True)
class Missed:
    """A log of whose generations some could not be read: looked at again, under whatever names they have then.

    Attributes:
        path: the log's.
        known: how far the log was read before.
        sources: those that it belongs to.
    """

    path: str
    known: Checkpoint
    sources: tuple[SourceTable, ...]


class Following:
    """All files of all sources. Not safe for use by two threads; times are monotonic seconds given by the caller.

    Attributes:
        sources: in the order of the configuration; the first one of those that match a file says how it is read.
        files: the open files.
        positions: where the files were left that are not open.
        skipped: why paths are not read, by source name and path.
        directories: those the last scan listed, by source name.
    """

    def __init__(
        self,
        sources: Sequence[SourceTable],
        checkpoints: Iterable[Checkpoint],
        scanned: Mapping[str, Sequence[str]],
        *,
        own: frozenset[str] = frozenset(),
        own_files: frozenset[FileIdentity] = frozenset(),
        positions_lost: bool = False,
        files: Files = HOST_FILES,
        wall: Callable[[], float] = time.time,
        max_open: int = MAX_OPEN,
    ) -> None:
        """Prepare to follow; nothing is opened before the first `scan`.

        Args:
            sources: see above.
            checkpoints: where files were left.
            scanned: globs of the sources whose first scan is complete, by name.
            own: directories of the agent, never read.
            own_files: files of the agent, never read: its log (hazard 6.6).
            positions_lost: the store had to be begun anew: unknown files are read from 0 rather than from the end.
            files: the file system.
            wall: the wall clock, in seconds since the epoch.
            max_open: descriptors that may be held; idle files are closed beyond it (hazard 6.1).
        """
        self.sources = tuple(sources)
        self.files: dict[Node, Followed] = {}
        self.positions = Positions(checkpoints)
        self.skipped: dict[str, dict[str, str]] = {}
        self.directories: dict[str, set[str]] = {}
        self._own = own
        self._own_nodes = frozenset(identity.node for identity in own_files)
        self._positions_lost = positions_lost
        self._files = files
        self._wall = wall
        self._max_open = max_open
        self._scanned = {name: tuple(globs) for name, globs in scanned.items()}
        self._complete: set[str] = set()
        self._newly_scanned: dict[str, tuple[str, ...]] = {}
        self._first: dict[str, set[Node]] = {}
        self._found: dict[str, dict[Node, Found]] = {}
        self._inodes: dict[str, frozenset[int]] = {}
        self._closed: dict[Node, tuple[int, int]] = {}
        self._waiting: set[Node] = set()
        self._failures: dict[Node, Failure] = {}
        self._copies = Copies()
        self._searches = Searches()
        self._missed: list[Missed] = []
        self._resumed: list[tuple[Checkpoint, tuple[SourceTable, ...]]] = []
        self._purge_at: float | None = None

    @property
    def undecided(self) -> bool:
        """Whether some file waits to be told from a copy, or for a descriptor: scan again soon."""
        return bool(self._copies) or bool(self._waiting) or bool(self._missed)

    @property
    def searching(self) -> bool:
        """Whether content is being looked for: call `search` again soon."""
        return bool(self._searches)

    def scan(self, source: SourceTable, now: float) -> bool:
        """Look at the directories of one source and follow what is there; tells whether files were taken up.

        Then the other sources are to be scanned before anything is read: the new file may be theirs too.
        """
        discovery = discover(source.paths, source.exclude, self._own, self._files)
        found = self._by_node(discovery)
        if source.name not in self._complete:
            self._complete.add(source.name)
            self._first[source.name] = set(found)
            self._newly_scanned[source.name] = source.paths
        self.directories[source.name] = discovery.directories
        self._found[source.name] = found
        before = {followed.path: (followed, followed.listed) for followed in self.files.values()}
        moved = self._see_known(source, found, discovery.skipped, now)
        arrivals = [file for node, file in found.items() if node not in self.files and self._is_changed(file)]
        self._waiting.difference_update(found)
        self._resume(source, arrivals, discovery.skipped, now)
        self._miss_closed(source, arrivals, now)
        for file in arrivals:
            self._begin(source, file, before, moved, discovery.skipped, now)
        displaced = moved | {before[file.path][0] for file in arrivals if file.path in before}
        displaced |= self._with_new_relatives(discovery, before)
        for path, (followed, listed) in before.items():
            if followed in displaced:
                self._find_missed(path, followed.checkpoint(modified=listed), followed.sources, now)
        for file in arrivals:
            if file.path not in before and (last := self._last_known(file)) is not None:
                self._find_missed(file.path, last, self._sources_of(file.path) or (source,), now)
        for position, sources in self._resumed:
            self._find_missed(position.path, position, sources, now)
        self._resumed.clear()
        unread, self._missed = self._missed, []
        for missed in unread:
            self._find_missed(missed.path, missed.known, missed.sources, now)
        self._inodes.update({where: frozenset(names.values()) for where, names in discovery.entries.items()})
        self._copies.keep({node for seen in self._found.values() for node in seen})
        self._bury(now)
        self._tell_skipped(source, discovery.skipped)
        return bool(arrivals)

    def search(self, now: float) -> None:
        """Look a little further for content that is not where it was; never for long."""
        for lost in self._searches.step(now):
            self._settle(lost, now)

    def rewritten(self, followed: Followed, now: float) -> None:
        """Deal with a file whose content before the offset changed: look for the old content's rest, then start at 0.

        The file is not read, and its checkpoint stays as it is, until the search is over.
        """
        checkpoint = followed.checkpoint()
        self._note_copies(followed)
        lost = self._lost(checkpoint, followed.sources)
        lost.unread, lost.truncated = followed.unread(), followed
        followed.held = True
        if self._searches.begin(lost, now):
            self._settle(lost, now)

    def finished(self, now: float) -> Iterator[Followed]:
        """Give the files whose name is gone and whose reading ends now; the caller commits, then calls `let_go`."""
        for followed in list(self.files.values()):
            if followed.gone_at is None or followed.held:
                continue
            status = followed.look()
            if followed.is_over(now, status):
                if unread := followed.unread():
                    followed.tailer.lose("deleted", unread)
                yield followed

    def let_go(self, followed: Followed) -> None:
        """Close a finished file."""
        if followed.tailer.file.status().st_nlink:
            self.positions.put(followed.checkpoint(finished=True, gone_at=self._wall()))
        else:
            self.positions.forget_identity(followed.tailer.identity)
        self._close(followed)
        telemetry.file_finished(followed.path, followed.tailer.offset)

    def fail(self, followed: Followed, reason: str, now: float) -> None:
        """Close a file that cannot be read; it is taken up again at its checkpoint, later each time (hazard 2.3)."""
        before = self._failures.get(followed.node)
        delay = min(before.delay * 2, LONGEST_RETRY) if before and now < before.until + before.delay else FIRST_RETRY
        if before is None or before.reason != reason or delay == FIRST_RETRY:
            telemetry.file_failed(followed.path, reason)
        self._failures[followed.node] = Failure(reason, now + delay, delay)
        self._put_away(followed)

    def moved_away(self, followed: Followed) -> bool:
        """Tell whether a file's name now means another file or none: then its directory is scanned at once."""
        try:
            status = self._files.status(followed.path)
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != followed.node

    def changes(self) -> Changes:
        """Give what has to be recorded; call `recorded` with it when it is."""
        files = [(followed, followed.place) for followed in self.files.values() if not followed.is_saved]
        positions = self.positions.changes()
        scanned = {
            name: globs
            for name, globs in self._newly_scanned.items()
            # the files of a first scan that still wait for a descriptor count as never seen
            if not self._first.get(name, set()) & self._waiting
        }
        return Changes(
            [*positions[0], *(followed.checkpoint() for followed, _ in files)], positions[1], scanned, files, positions
        )

    def recorded(self, changes: Changes) -> None:
        """Note that changes are in the store."""
        for followed, place in changes.files:
            followed.saved = place
        self.positions.recorded(changes.positions)
        for name, globs in changes.scanned.items():
            self._scanned[name] = globs
            if self._newly_scanned.get(name) == globs:
                del self._newly_scanned[name]

    def reconfigure(self, sources: Sequence[SourceTable]) -> None:
        """Follow other sources from now on; files whose source changed are taken up again by the next scan.

        What has no name any more is read to its end as it was begun: nobody could open it again.
        """
        before = {source.name: source for source in self.sources}
        self.sources = tuple(sources)
        unchanged = {source.name for source in sources if before.get(source.name) == source}
        for followed in list(self.files.values()):
            if followed.gone_at is None and not followed.held and {s.name for s in followed.sources} - unchanged:
                self._put_away(followed)
        for name in set(self._found) - unchanged:
            for known in (self._found, self._first, self._newly_scanned, self.skipped, self.directories):
                known.pop(name, None)
        self._complete &= unchanged

    def close(self) -> None:
        """Close every file."""
        self._searches.close()
        for followed in self.files.values():
            followed.tailer.file.close()
        self.files.clear()

    def _by_node(self, discovery: Discovery) -> dict[Node, Found]:
        """Give the found files once each: of several names the one under which a file is followed, or the first."""
        found: dict[Node, Found] = {}
        for file in discovery.files.values():
            node = file.identity.node
            followed = self.files.get(node)
            if node not in self._own_nodes and (node not in found or (followed and followed.path == file.path)):
                found[node] = file
        return found

    def _see_known(
        self, source: SourceTable, found: Mapping[Node, Found], unlisted: Mapping[str, str], now: float
    ) -> set[Followed]:
        """Note what became of the open files; gives those whose name changed or went."""
        moved = set()
        for followed in list(self.files.values()):
            file = found.get(followed.node)
            if file is not None:
                path = followed.path
                self._see_again(followed, source, file, now)
                if followed.path != path:
                    moved.add(followed)
            elif os.path.dirname(followed.path) in unlisted:
                # nobody knows what is in there now
                continue
            elif source.name in followed.seen_by and self._miss(followed, source, now):
                moved.add(followed)
        return moved

    def _miss(self, followed: Followed, source: SourceTable, now: float) -> bool:
        """Note that a source does not find a file any more; tells whether none does."""
        followed.seen_by.discard(source.name)
        if followed.seen_by:
            self._assign(followed)
            return False
        followed.gone_at = now
        followed.active = True
        return True

    def _see_again(self, followed: Followed, source: SourceTable, file: Found, now: float) -> None:
        if source.name not in followed.seen_by:
            followed.seen_by.add(source.name)
            self._assign(followed)
        followed.gone_at = None
        followed.listed = file.modified
        if followed.source.name == source.name:
            followed.tailer.path = file.path
        if followed.held or followed.seen == (file.size, file.modified):
            return
        followed.active = True
        try:
            if followed.tailer.is_rewritten():
                # before new files are judged: one of them may be the copy that holds the rest
                self.rewritten(followed, now)
        except OSError as error:
            self.fail(followed, error.strerror or str(error), now)

    def _assign(self, followed: Followed) -> None:
        """Give a file to the sources that find it; another first source reads it on in its own way (hazard 1.11)."""
        followed.sources = tuple(source for source in self.sources if source.name in followed.seen_by)
        before = followed.tailer
        if before.origin.source == followed.source.name:
            return
        tailer = self._tailer(before.file, before.path, followed.source)
        if tailer.resume(before.checkpoint()):
            for loss in before.take_losses():
                tailer.lose(loss.reason, loss.amount)
            followed.tailer = tailer

    def _is_changed(self, file: Found) -> bool:
        """Tell whether a file that is not open has to be; one that was closed for want of descriptors rests."""
        node = file.identity.node
        position = self.positions.get(node)
        if self._closed.get(node) != (file.size, file.modified) or position is None:
            return True
        self.positions.move(position, file.path)
        return False

    def _resume(self, source: SourceTable, arrivals: Sequence[Found], skipped: dict[str, str], now: float) -> None:
        """Take up the known files among the new ones; another file's position under the same inode is void."""
        void = []
        for file in arrivals:
            position = self.positions.get(file.identity.node)
            if position is None or self._searches.is_looking_for(file.identity.node):
                continue
            opened = self._open(file, skipped, now)
            if opened is None:
                continue
            try:
                if compression_of(opened.read_at(0, _MAGIC_BYTES)) is None:
                    if self._go_on(opened, file, position, source, now):
                        continue
                    # the inode was reused, or the content replaced, while nobody looked (hazards 1.7, 1.3)
                    void.append(position)
            except OSError as error:
                skipped[file.path] = error.strerror or str(error)
            opened.close()
        for position in void:
            self._look_for(position, (source,), now)

    def _go_on(self, opened: LogFile, file: Found, position: Checkpoint, source: SourceTable, now: float) -> bool:
        tailer = self._tailer(opened, file.path, source)
        if not position.identity.may_be(opened.identity) or not tailer.resume(position):
            return False
        stored = self.positions.take(position)
        if position.identity != opened.identity:
            self.positions.forget_identity(position.identity)
        followed = self._follow(tailer, (source,), now)
        followed.seen_by.add(source.name)
        followed.listed = file.modified
        self._resumed.append((position, (source,)))
        if file.identity.node not in self._closed:
            telemetry.file_resumed(file.path, tailer.offset)
        if stored and position.identity == opened.identity and position.gone_at is None and not position.finished:
            followed.saved = followed.place if position.path == file.path else None
        return True

    def _miss_closed(self, source: SourceTable, arrivals: Sequence[Found], now: float) -> None:
        """Look for the known files that are not where they were: all of them at the first scan (hazard 1.6)."""
        everywhere = {node for seen in self._found.values() for node in seen}
        missed: dict[Node, Checkpoint] = {}
        if source.name in self._newly_scanned:
            missed = {p.identity.node: p for p in self.positions if self._owner(p) == source.name}
        else:
            for node in [node for node in self._closed if node not in everywhere]:
                if (position := self.positions.get(node)) is not None and self._owner(position) == source.name:
                    missed[node] = position
        for file in arrivals:
            missed.update({position.identity.node: position for position in self.positions.at(file.path)})
        for node, position in missed.items():
            if node not in everywhere and not position.finished and not self._searches.is_looking_for(node):
                self._closed.pop(node, None)
                self._look_for(position, self._sources_of(position.path) or (source,), now)

    def _owner(self, position: Checkpoint) -> str | None:
        """Give the source that looks after a position: its own, or for one of a past source one that its path fits."""
        if any(source.name == position.source for source in self.sources):
            return position.source
        return next((source.name for source in self._sources_of(position.path)), None)

    def _sources_of(self, path: str) -> tuple[SourceTable, ...]:
        return tuple(s for s in self.sources if any(path_pattern(glob).fullmatch(path) for glob in s.paths))

    def _begin(
        self,
        source: SourceTable,
        file: Found,
        before: Mapping[str, tuple[Followed, int]],
        moved: set[Followed],
        skipped: dict[str, str],
        now: float,
    ) -> None:
        """Follow a file that nobody knows, or say why not."""
        node = file.identity.node
        if node in self.files:
            self.files[node].seen_by.add(source.name)
            self.files[node].gone_at = None
            return
        if node in self.positions or self._searches.is_looking_for(node):
            if file.path not in skipped and node not in self._waiting:
                skipped[file.path] = "the rest of what this file held before is being looked for"
            return
        opened = self._open(file, skipped, now)
        if opened is None:
            return
        try:
            kind = compression_of(opened.read_at(0, _MAGIC_BYTES))
            old = node in self._first.get(source.name, ())
            replaced = before[file.path][0] if file.path in before else None
            # the original of a copytruncate's copy keeps its name
            originals = [f for f in self.files.values() if f.gone_at is None and f not in moved]
            if kind is not None:
                skipped[file.path] = f"compressed ({kind}); `shipper backfill` reads such files"
            elif not (old and source.name not in self._scanned) and self._copies.may_be_one(
                opened, file, originals, now
            ):
                skipped[file.path] = "perhaps a copy of a followed file; waiting to see"
            else:
                self._copies.settle(node)
                tailer = self._tailer(opened, file.path, source)
                if replaced is not None and _is_saved_anew(replaced, opened, file):
                    tailer.resume(replaced.tailer.checkpoint())
                    replaced.tailer.skip_to_end(replaced.seen[0])
                elif old and self._existed_before(source, file.path):
                    tailer.skip_to_end(file.size)
                followed = self._follow(tailer, (source,), now)
                followed.seen_by.add(source.name)
                followed.listed = file.modified
                followed.predecessor = replaced
                telemetry.file_found(file.path, tailer.offset)
                return
        except OSError as error:
            skipped[file.path] = error.strerror or str(error)
        opened.close()

    def _open(self, file: Found, skipped: dict[str, str], now: float) -> LogFile | None:
        """Open a found file, or note why it cannot be, or that it waits for a descriptor."""
        node = file.identity.node
        failure = self._failures.get(node)
        if failure is not None and now < failure.until:
            skipped[file.path] = f"cannot be read: {failure.reason}; tried again later"
            return None
        if not self._make_room():
            self._waiting.add(node)
            return None
        try:
            opened = self._files.open(file.path)
        except UnreadableError as error:
            if error.number in {errno.EMFILE, errno.ENFILE}:
                self._max_open = max(SPARE_SHARE, len(self.files) - len(self.files) // SPARE_SHARE - 1)
                self._waiting.add(node)
            else:
                skipped[file.path] = str(error)
            return None
        if opened.identity.node != node:
            opened.close()
            self._waiting.add(node)
            return None
        return opened

    def _make_room(self) -> bool:
        """Close idle files while too many are open; tells whether one more may be (hazard 6.1)."""
        if len(self.files) < self._max_open:
            return True
        idle = [f for f in self.files.values() if f.gone_at is None and f.at_end and not f.held]
        for followed in heapq.nsmallest(self._max_open // SPARE_SHARE + 1, idle, key=lambda f: f.changed_at):
            self._closed[followed.node] = followed.seen
            self._put_away(followed)
        return len(self.files) < self._max_open

    def _follow(self, tailer: Tailer[OpenContent], sources: tuple[SourceTable, ...], now: float) -> Followed:
        followed = Followed(tailer, sources, now, now)
        followed.look()
        self.files[tailer.identity.node] = followed
        return followed

    def _put_away(self, followed: Followed) -> None:
        """Close a file and keep its position."""
        if followed.is_saved:
            self.positions.hold(followed.checkpoint())
        else:
            self.positions.put(followed.checkpoint())
        self._close(followed)

    def _close(self, followed: Followed) -> None:
        followed.tailer.file.close()
        del self.files[followed.node]
        for other in self.files.values():
            if other.predecessor is followed:
                other.predecessor = None

    def _existed_before(self, source: SourceTable, path: str) -> bool:
        """Tell whether `start_at = "end"` applies to a file without checkpoint at a source's first scan (spec, 3)."""
        if source.start_at != "end" or self._positions_lost:
            return False
        return not any(path_pattern(glob).fullmatch(path) for glob in self._scanned.get(source.name, ()))

    def _lost(self, checkpoint: Checkpoint, sources: tuple[SourceTable, ...]) -> Lost:
        rotated = [glob for source in sources for glob in source.rotated]

        def is_taken(place: Found) -> bool:
            node = place.identity.node
            return node in self.files or (node != checkpoint.identity.node and self._is_itself(place.path, node))

        return Lost(checkpoint, sources, Search(checkpoint, rotated, self._own, is_taken, self._files))

    def _is_itself(self, path: str, node: Node) -> bool:
        """Tell whether a file that is not open is the one that its position was taken from: inodes are reused (1.7)."""
        position = self.positions.get(node)
        if position is None:
            return False
        file = confirmed(
            self._files, path, lambda file: position.identity.may_be(file.identity) and recognises(file, position)
        )
        if file is not None:
            file.close()
        return file is not None

    def _look_for(self, position: Checkpoint, sources: tuple[SourceTable, ...], now: float) -> None:
        lost = self._lost(position, sources)
        if self._searches.begin(lost, now):
            self._settle(lost, now)

    def _settle(self, lost: Lost, now: float) -> None:
        """Go on with what was found, or say that nothing was; then read the original anew if it was truncated."""
        position = lost.checkpoint
        found = lost.search.found
        try:
            if found is not None and lost.found_is_sure():
                self._follow_rest(*found, lost, now)
            else:
                lost.search.close()
                self._give_up(lost, now)
            if lost.truncated is not None:
                self._read_anew(lost.truncated, position, found, now)
        except OSError:
            # found, but it cannot be read at this moment
            self._searches.again(lost, now)
            return
        self._find_missed(position.path, position, lost.sources, now)

    def _read_anew(
        self, followed: Followed, position: Checkpoint, found: tuple[str, OpenContent] | None, now: float
    ) -> None:
        telemetry.file_rewritten(followed.path, position.offset, found[0] if found else None)
        followed.tailer.restart()
        followed.saved, followed.held, followed.active, followed.changed_at = None, False, True, now

    def _follow_rest(self, path: str, content: LogFile | CompressedLog, lost: Lost, now: float) -> None:
        if content.identity.node in self.files:
            content.close()
            return
        tailer = self._tailer(content, path, lost.sources[0])
        if not tailer.resume(lost.checkpoint):
            raise OSError("it changed while it was opened")
        self.positions.forget(lost.checkpoint)
        if lost.node != content.identity.node and (stale := self.positions.get(content.identity.node)) is not None:
            self.positions.forget(stale)
        self._copies.settle(content.identity.node)
        followed = self._follow(tailer, lost.sources, now)
        followed.gone_at, followed.finite = now, isinstance(content, CompressedLog)
        telemetry.rest_found(path, lost.checkpoint.path, tailer.offset)

    def _give_up(self, lost: Lost, now: float) -> None:
        """Say that content is found nowhere. A position whose directory is away is kept: it may be back (2.4)."""
        position = lost.checkpoint
        if lost.truncated is not None:
            if lost.unread:
                lost.truncated.tailer.lose("truncated", lost.unread)
            return
        reused = any(position.identity.node in seen for seen in self._found.values())
        if not reused and not self._exists(os.path.dirname(position.path)):
            return
        if position.gone_at is None:
            telemetry.rest_not_found(position.path, position.offset)
        if reused:
            self.positions.forget(position)
        else:
            self.positions.miss(position, now, self._wall(), purge=False)

    def _find_missed(self, path: str, known: Checkpoint, sources: tuple[SourceTable, ...], now: float) -> None:
        """Read the generations of a log that came and were rotated away between two looks (hazard 1.2).

        They were written after the log's directory was listed last; what was rotated before is history.
        """
        rotated = [glob for source in sources for glob in source.rotated]
        generations = family(path, self._files, rotated, self._own)
        complete = True
        for generation in generations:
            node = generation.identity.node
            if generation.modified >= known.modified > 0 and node not in self.files and node not in self._own_nodes:
                complete &= self._read_missed(generation, known, sources, now)
        if not complete:
            self._missed.append(Missed(path, known, sources))

    def _with_new_relatives(self, discovery: Discovery, before: Mapping[str, tuple[Followed, int]]) -> set[Followed]:
        """Give the logs beside which a file came that may have been rotated from them, seen by nobody (hazard 1.2)."""
        logs = set()
        for directory, names in discovery.entries.items():
            known = self._inodes.get(directory)
            for name, inode in names.items():
                if known is None or inode in known:
                    continue
                for log in possible_logs(name):
                    if (path := os.path.join(directory, log)) in before:
                        logs.add(before[path][0])
        return logs

    def _last_known(self, file: Found) -> Checkpoint | None:
        """Give what was listed last of the log to which a new file belongs."""
        past = [position for position in self.positions if are_relatives(position.path, file.path)]
        for node, followed in self.files.items():
            if node != file.identity.node and are_relatives(followed.path, file.path):
                past.append(followed.checkpoint())
        return max(past, key=lambda position: position.modified, default=None)

    def _read_missed(
        self, generation: Generation, log: Checkpoint, sources: tuple[SourceTable, ...], now: float
    ) -> bool:
        """Follow a missed generation from its beginning; False when it cannot be read now."""
        if generation.identity.node in self.files:
            return True
        try:
            content = open_content(self._files, generation.path)
        except (UnreadableError, OSError):
            return not self._exists(generation.path)
        if not isinstance(content, CompressedLog) and any(
            generation.identity.node in seen for seen in self._found.values()
        ):
            # a glob matches it: the scan deals with it
            content.close()
            return True
        relatives = [f for f in self.files.values() if are_relatives(f.path, log.path)]
        for followed in relatives:
            if not followed.held:
                followed.look()
        heads = [log, *(p for p in self.positions if are_relatives(p.path, log.path))]
        try:
            position = self.positions.get(generation.identity.node)
            if position is not None and not (position.offset and recognises(content, position)):
                # of an earlier file with the same inode
                self.positions.forget(position)
                position = None
            known = (
                not content.reaches(position.offset + 1)
                if position is not None
                else is_known_content(content, generation.size, relatives, heads)
            )
        except OSError:
            content.close()
            return False
        if known or content.identity.node != generation.identity.node:
            content.close()
            return True
        tailer = self._tailer(content, generation.path, sources[0])
        if position is not None and tailer.resume(position):
            self.positions.take(position)
        followed = self._follow(tailer, sources, now)
        followed.listed = generation.modified
        followed.gone_at, followed.finite = now, isinstance(content, CompressedLog)
        telemetry.generation_found(generation.path, log.path)
        return True

    def _note_copies(self, followed: Followed) -> None:
        """Note the copies of a truncated file whose bytes were all read, so that nobody reads them again (1.3 c)."""
        found = {node for seen in self._found.values() for node in seen}
        suspects = {suspect.node: suspect.path for suspect in self._copies.of(followed.node)}
        for generation in family(followed.path, self._files, followed.source.rotated, self._own):
            suspects.setdefault(generation.identity.node, generation.path)
        for node, path in suspects.items():
            if node in self.files or self._is_itself(path, node):
                continue
            copy = confirmed(self._files, path, lambda file: is_read_copy(file, file.status().st_size, followed))
            if copy is not None:
                status = copy.status()
                self.positions.put(
                    position_at_end(copy, status, path, followed.source.name, finished=node not in found)
                )
                copy.close()

    def _bury(self, now: float) -> None:
        """Let go of positions whose files are gone for very long (hazards 5.5, 5.6)."""
        if self._purge_at is None or now < self._purge_at:
            self._purge_at = now + PURGE_INTERVAL if self._purge_at is None else self._purge_at
            return
        self._purge_at = now + PURGE_INTERVAL
        found = {node for seen in self._found.values() for node in seen}
        there: dict[str, bool] = {}
        for position in self.positions:
            directory = os.path.dirname(position.path)
            if position.identity.node not in found and not self._searches.is_looking_for(position.identity.node):
                if directory not in there:
                    there[directory] = self._exists(directory)
                self.positions.miss(position, now, self._wall(), purge=there[directory])

    def _exists(self, path: str) -> bool:
        try:
            self._files.status(path, follow=False)
        except OSError:
            return False
        return True

    def _tailer(self, file: OpenContent, path: str, source: SourceTable) -> Tailer[OpenContent]:
        return Tailer(
            file,
            path,
            source.origin,
            max_line_bytes=source.max_line_bytes,
            partial_timeout=source.partial_timeout,
            assembler=assembler_of(source),
        )

    def _tell_skipped(self, source: SourceTable, skipped: dict[str, str]) -> None:
        before = self.skipped.get(source.name, {})
        for path, reason in skipped.items():
            if before.get(path) != reason:
                telemetry.file_skipped(path, source.name, reason)
        self.skipped[source.name] = skipped


def _is_saved_anew(before: Followed, opened: LogFile, file: Found) -> bool:
    """Tell whether a file is what an editor wrote to replace another: it begins with all of its bytes (hazard 1.5).

    A short one is read from 0: it may be the banner of a service that was started again.
    """
    try:
        status = before.look()
    except OSError:
        return False
    unlinked = not status.st_nlink and status.st_size >= HEAD_BYTES and before.tailer.offset >= HEAD_BYTES
    return unlinked and is_beginning(before.tailer.file, status.st_size, opened, file.size)
