"""Which files are followed: turns scans of the directories into tailers, through every kind of rotation.

A file is followed by its identity, not by its name, and read once however many names and sources it has. So
- renamed (hazards 1.1, 1.13): the same tailer goes on; what then appears under the old name is a new file, read
  from 0 beside it. A tailer whose name has gone is let go when it has been silent at its end long enough.
- truncated or rewritten in place (1.3, 1.5): the tailer notices by content. Its unread rest is looked for in a
  copy beside it (logrotate's `copytruncate`), by content; then the file is read from 0. See `rests`.
- rotated while nobody looked (1.6): a checkpoint whose file is not found under its name is looked for, by identity
  and by content, also in compressed files, in its directory and the source's `rotated` places, and read on there.
- rotated several times between two looks (1.2): see `families`.
- copied (1.3 c): see `copies`.

What cannot be found is said, and counted where the number of bytes is known.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.arrivals import Arrivals
from shipper.tailing.changes import Changes
from shipper.tailing.discovery import discover
from shipper.tailing.families import Families
from shipper.tailing.files import HOST_FILES
from shipper.tailing.first_scans import FirstScans
from shipper.tailing.originals import Originals
from shipper.tailing.register import Register
from shipper.tailing.rests import Rests
from shipper.tailing.sightings import Sightings
from shipper.tailing.skipped import Skipped
from shipper.tailing.succession import Succession
from shipper.tailing.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, FileIdentity, History, Node
    from shipper.tailing.discovery import Discovery, Found
    from shipper.tailing.files import Files
    from shipper.tailing.followed import Followed
    from shipper.tailing.positions import Positions
    from shipper.tailing.register import Failure
    from shipper.tailing.skipped import Skip, Unreadable

MAX_OPEN = 2048
PURGE_INTERVAL = 600.0


class Following:
    """All files of all sources. Not safe for use by two threads; times are monotonic seconds given by the caller.

    Attributes:
        sources: in the order of the configuration; the first one of those that match a file says how it is read.
        files: the open files.
        positions: where the files were left that are not open.
        directories: those the last scan listed, by source name.
    """

    def __init__(
        self,
        sources: Sequence[SourceTable],
        checkpoints: Iterable[Checkpoint],
        scanned: Mapping[str, Sequence[str]],
        *,
        past: Iterable[Checkpoint] = (),
        histories: Mapping[str, History] | None = None,
        own: frozenset[str] = frozenset(),
        own_files: frozenset[FileIdentity] = frozenset(),
        files: Files = HOST_FILES,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        max_open: int = MAX_OPEN,
    ) -> None:
        """Prepare to follow; nothing is opened before the first `scan`.

        Args:
            sources: see above.
            checkpoints: where files were left.
            scanned: globs of the sources whose first scan is complete, by name.
            past: what was read of content that is no more.
            histories: see `Histories`.
            own: directories of the agent, never read.
            own_files: files of the agent, never read: its log (hazard 6.6).
            files: the file system.
            wall: the wall clock, in seconds since the epoch.
            monotonic: seconds since any moment.
            max_open: descriptors that may be held; idle files are closed beyond it (hazard 6.1).
        """
        epoch = wall() - monotonic()

        def steady() -> float:
            """Give the wall clock as it was at the beginning: no later jump of it ages what is remembered (9.3)."""
            return epoch + monotonic()

        self._register = Register(
            sources,
            checkpoints,
            past=past,
            own=own,
            own_files=own_files,
            host=files,
            max_open=max_open,
            wall=steady,
        )
        self._surroundings = Surroundings(own, files)
        self._families = Families(self._register, self._surroundings, histories or {}, wall)
        self._succession = Succession(self._register, self._surroundings)
        self._rests = Rests(self._register, self._surroundings, self._families, self._succession, wall)
        self._sightings = Sightings(self._register, self._rests, self._families)
        self._first_scans = FirstScans(scanned)
        self._arrivals = Arrivals(self._register, self._rests, self._families, self._first_scans, self._succession)
        self._skipped = Skipped(wall)
        self.directories: dict[str, set[str]] = {}
        self._seen: dict[str, dict[str, Found]] = {}
        self._files = files
        self._steady = steady
        self._purge_at: float | None = None

    @property
    def sources(self) -> tuple[SourceTable, ...]:
        """Those of the configuration, in its order."""
        return self._register.sources

    @property
    def files(self) -> dict[Node, Followed]:
        """The open files."""
        return self._register.open

    @property
    def positions(self) -> Positions:
        """Where the files were left that are not open."""
        return self._register.positions

    @property
    def skipped(self) -> Mapping[str, Mapping[str, Skip]]:
        """Why paths are not read, by source name and path."""
        return self._skipped.by_source

    @property
    def unreadable(self) -> Mapping[str, Unreadable]:
        """What may not be read, by source name; any thread may ask."""
        return self._skipped.unreadable

    @property
    def failures(self) -> Mapping[Node, Failure]:
        """Why files could not be read at the last attempt."""
        return self._register.failures

    @property
    def waiting(self) -> Collection[str]:
        """The paths of the files that wait for a descriptor."""
        return [file.path for _, file in self._register.waiting.values()]

    @property
    def has_closed(self) -> bool:
        """Whether files were closed for want of descriptors: whoever writes to them is noticed by scans only."""
        return bool(self._register.closed)

    @property
    def undecided(self) -> bool:
        """Whether some file waits to be told from a copy, or for a descriptor: scan again soon."""
        return bool(self._register.copies) or bool(self._register.waiting) or bool(self._families)

    @property
    def searching(self) -> bool:
        """Whether content is being looked for: call `search` again soon."""
        return bool(self._rests)

    def scan(self, source: SourceTable, now: float) -> bool:
        """Look at the directories of one source and follow what is there; tells whether files were taken up.

        Then the other sources are to be scanned before anything is read: the new file may be theirs too.
        """
        register = self._register
        self._surroundings.forget()
        before_this = self._seen.get(source.name, {})
        discovery = discover(source.paths, source.exclude, register.own, self._files, before=before_this)
        self._seen[source.name] = discovery.files
        found = self._by_node(discovery)
        first = self._first_scans.begin(source, found)
        self.directories[source.name] = discovery.directories
        found_before = register.found.get(source.name, {})
        register.found[source.name] = found
        register.stop_waiting(source)
        before = {followed.path: followed for followed in self.files.values()}
        self._rests.note_copies()
        moved = self._sightings.note(source, found, discovery.skipped, now)
        arrivals = self._arrivals.among(found)
        self._arrivals.resume(source, arrivals, discovery.skipped, now)
        self._arrivals.miss(source, arrivals, found_before, now, first=first)
        # the original of a copytruncate's copy keeps its name
        kept = [f for f in self.files.values() if f.gone_at is None and f not in moved] if arrivals else []
        originals = Originals(kept, self.files)
        for file in arrivals:
            begun = self._arrivals.begin(source, file, before.get(file.path), originals, discovery.skipped, now)
            if begun is not None:
                originals.add(begun)
        for path, followed in before.items():
            if followed in moved:
                self._families.suspect(path, followed.sources)
        for file in arrivals:
            if file.path not in before or before[file.path] not in moved:
                self._families.suspect(file.path, register.sources_of(file.path) or (source,))
        if first:
            for position in self.positions:
                if register.owner(position) == source.name:
                    self._families.suspect(position.path, (source,))
        self._families.notice(discovery.entries)
        self._families.settle(now, self._rests.searched())
        self._succession.settle()
        for node, file in found.items():
            seen = self.files.get(node)
            if seen is not None and self._families.is_settled(file.path):
                seen.listed = file.modified
                seen.fresh = None if seen.tailer.offset else self._families.distinct(file.modified)
        there = {node for seen_by in register.found.values() for node in seen_by}
        register.copies.keep(there)
        self._arrivals.keep(there)
        self._arrivals.tell_rest(source)
        self._skipped.note(source.name, discovery.skipped, is_any_read=self._is_any_read(source, discovery.skipped))
        self._bury(now)
        return bool(arrivals)

    def search(self, now: float) -> None:
        """Look a little further for content that is not where it was; never for long."""
        if self._rests:
            self._surroundings.forget()
            self._rests.note_copies()
            self._rests.step(now)
            self._families.settle(now, self._rests.searched())
            self._succession.settle()

    def rewritten(self, followed: Followed, now: float) -> None:
        """Deal with a file whose content before the offset changed: look for the old content's rest, then start at 0.

        The file is not read, and its checkpoint stays as it is, until the search is over.
        """
        self._surroundings.forget()
        self._rests.rewritten(followed, now)
        self._succession.settle()

    def finished(self, now: float) -> Iterator[Followed]:
        """Give the files whose reading ends now.

        The caller reads once more, gives up the rest, commits, then calls `let_go`.
        """
        for followed in list(self.files.values()):
            if (followed.gone_at is None and not followed.finite) or followed.held:
                continue
            try:
                status = followed.look()
            except OSError as error:
                self.fail(followed, error.strerror or str(error), now)
                continue
            if followed.is_over(now, status):
                yield followed

    def last_chances(self) -> Iterator[Followed]:
        """Give the files that nobody can open again after `close`; what is unread of them is counted as lost (1.9)."""
        for followed in self.files.values():
            try:
                is_last = not (followed.held or followed.finite or followed.look().st_nlink)
            except OSError:
                # how much there was cannot be known either
                continue
            if is_last:
                followed.give_up()
                yield followed

    def let_go(self, followed: Followed) -> None:
        """Close a finished file."""
        self.positions.put(followed.checkpoint(finished=True, gone_at=self._steady()))
        self._register.close(followed)
        telemetry.file_finished(followed.path, followed.tailer.offset)

    def fail(self, followed: Followed, reason: str, now: float) -> None:
        """Close a file that cannot be read; it is taken up again at its checkpoint, later each time (hazard 2.3)."""
        self._register.fail(followed, reason, now)

    def moved_away(self, followed: Followed) -> bool:
        """Tell whether a file's name now means another file or none: then its directory is scanned at once."""
        return not self._register.is_at(followed.path, followed.node)

    def is_replaced(self, followed: Followed) -> bool:
        """Tell whether a file's name means another file now, which no scan has found yet."""
        return self._register.is_new(followed.path)

    def changes(self) -> Changes:
        """Give what has to be recorded; call `recorded` with it when it is."""
        files = [(followed, followed.place) for followed in self.files.values() if not followed.is_saved]
        positions = self.positions.changes()
        checkpoints = [*positions.checkpoints, *(followed.checkpoint() for followed, _ in files)]
        scanned = self._first_scans.to_record(self._register.waiting)
        histories = self._families.histories.changes()
        return Changes(checkpoints, positions.forgotten, positions.past, histories, scanned, files, positions)

    def recorded(self, changes: Changes) -> None:
        """Note that changes are in the store."""
        for followed, place in changes.files:
            followed.saved = place
        self.positions.recorded(changes.positions)
        self._families.histories.recorded(changes.histories)
        self._first_scans.recorded(changes.scanned)

    def reconfigure(self, sources: Sequence[SourceTable]) -> None:
        """Follow other sources from now on; files whose source changed are taken up again by the next scan.

        What has no name any more is read to its end as it was begun: nobody could open it again.
        """
        before = {source.name: source for source in self.sources}
        self._register.sources = tuple(sources)
        unchanged = {source.name for source in sources if before.get(source.name) == source}
        for followed in list(self.files.values()):
            if followed.gone_at is None and not followed.held and {s.name for s in followed.sources} - unchanged:
                self._register.put_away(followed)
        for name in set(self._register.found) - unchanged:
            for known in (self._register.found, self.directories, self._seen):
                known.pop(name, None)
            self._skipped.forget(name)
        self._first_scans.keep(unchanged)

    def close(self) -> None:
        """Close every file."""
        self._rests.close()
        for followed in self.files.values():
            followed.tailer.file.close()
        self.files.clear()

    def _by_node(self, discovery: Discovery) -> dict[Node, Found]:
        """Give the found files once each: of several names the one under which a file is followed, or the first."""
        found: dict[Node, Found] = {}
        opened = self.files
        for file in discovery.files.values():
            node = file.node
            followed = opened.get(node)
            if not self._register.is_own(node) and (node not in found or (followed and followed.path == file.path)):
                found[node] = file
        return found

    def _bury(self, now: float) -> None:
        """Let go of positions whose files are gone for very long (hazards 5.5, 5.6)."""
        if self._purge_at is None or now < self._purge_at:
            self._purge_at = now + PURGE_INTERVAL if self._purge_at is None else self._purge_at
            return
        self._purge_at = now + PURGE_INTERVAL
        self.positions.purge_past(now)
        self._register.forget_gone(now)
        there: dict[str, bool] = {}
        for position in self.positions:
            directory = os.path.dirname(position.path)
            node = position.identity.node
            if not self._register.is_found(node) and not self._rests.is_looking_for(node):
                if directory not in there:
                    unlisted = any(directory in skipped for skipped in self.skipped.values())
                    there[directory] = not unlisted and self._register.exists(directory)
                self.positions.miss(position, now, purge=there[directory])
        self._families.forget()

    def _is_any_read(self, source: SourceTable, skipped: Collection[str]) -> bool:
        """Tell whether some file of a source is read, though it be open only, or will be when its turn comes."""
        if any(file.path not in skipped for file in self._register.found[source.name].values()):
            return True
        return any(source.name in followed.seen_by for followed in self.files.values())
