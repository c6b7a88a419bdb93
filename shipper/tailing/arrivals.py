"""Files that a scan found and that are not open: known ones go on, new ones begin, the others say why they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.printable import printable_path
from shipper.tailing.copies import SURE_BYTES, is_beginning
from shipper.tailing.files import MAGIC_BYTES, UnreadableError, compression_of
from shipper.tailing.identity import HEAD_BYTES
from shipper.tailing.skipped import Skip, Why
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.families import Families
    from shipper.tailing.files import LogFile
    from shipper.tailing.first_scans import FirstScans
    from shipper.tailing.followed import Followed
    from shipper.tailing.originals import Originals
    from shipper.tailing.register import Register
    from shipper.tailing.rests import Rests
    from shipper.tailing.succession import Succession

_COMPRESSED = "compressed ({}); `shipper backfill` reads such files"


class Arrivals:
    """Takes files up. Times are monotonic seconds."""

    def __init__(
        self,
        register: Register,
        rests: Rests,
        families: Families,
        first_scans: FirstScans,
        succession: Succession,
    ) -> None:
        """Share what is known of the files."""
        self._register = register
        self._rests = rests
        self._families = families
        self._first_scans = first_scans
        self._succession = succession
        self._archives: dict[Node, tuple[int, int, str]] = {}
        self._told = 0

    def keep(self, nodes: Collection[Node]) -> None:
        """Let go of what is known of all files but these."""
        if len(self._archives) > len(nodes):
            self._archives = {node: archive for node, archive in self._archives.items() if node in nodes}

    def tell_rest(self, source: SourceTable) -> None:
        """Tell how many of a scan's files were not told of one by one."""
        if self._told > telemetry.FEW:
            telemetry.more_files(source.name, self._told - telemetry.FEW)
        self._told = 0

    def among(self, found: Mapping[Node, Found]) -> list[Found]:
        """Give the found files that are not open and have to be; one closed for want of descriptors rests.

        Those come first that have the name of a log, not of a generation: one of the others may be a copy of them.
        """
        opened, closed, positions = self._register.open, self._register.closed, self._register.positions
        arrivals = [
            file
            for node, file in found.items()
            # most of thousands rest, and did not change
            if node not in opened
            and not (closed.get(node) == (file.size, file.modified) and positions.note(node, file.path))
        ]
        return sorted(arrivals, key=lambda file: (log_of(file.path) != file.path, -file.modified))

    def resume(self, source: SourceTable, arrivals: Sequence[Found], skipped: dict[str, Skip], now: float) -> None:
        """Take up the known files; another file's position under the same inode is void (hazards 1.7, 1.3)."""
        register = self._register
        void = []
        for file in arrivals:
            position = register.positions.get(file.node)
            if position is None or self._rests.is_looking_for(file.node):
                continue
            if self._is_unsure(position, source):
                continue
            if position.finished and self._archive(file) is not None:
                register.positions.move(position, file.path)
                continue
            opened = register.open_found(file, source, skipped, now)
            if opened is None:
                continue
            try:
                if self._compression(opened, file) is None:
                    if self._go_on(opened, file, position, source, now):
                        continue
                    void.append(position)
                else:
                    # an archive may have the inode of a file that was read, or may have been read itself
                    register.positions.move(position, file.path)
                    if not position.finished:
                        void.append(position)
            except OSError as error:
                register.fail_found(file, source, skipped, error.strerror or str(error), now)
            opened.close()
        for position in void:
            if position.finished:
                register.positions.retire(position)
            else:
                self._rests.look_for(position, (source,), now)

    def miss(
        self, source: SourceTable, arrivals: Sequence[Found], before: Iterable[Node], now: float, *, first: bool
    ) -> None:
        """Look for the known files that are not where they were: all of them at the first scan (hazard 1.6).

        Args:
            source: whose scan it is.
            arrivals: what it found and is not open.
            before: what its last scan found.
            now: monotonic seconds.
            first: whether it is the first scan.
        """
        register = self._register
        everywhere = {node for seen in register.found.values() for node in seen}
        missed: dict[Node, Checkpoint] = {}
        if first:
            missed = {p.identity.node: p for p in register.positions if register.owner(p) == source.name}
        else:
            for node in before:
                if node not in everywhere and (position := register.positions.get(node)) is not None:
                    missed[node] = position
        for file in arrivals:
            missed.update({position.identity.node: position for position in register.positions.at(file.path)})
        for node, position in missed.items():
            if node not in everywhere and not position.finished and not self._rests.is_looking_for(node):
                register.closed.pop(node, None)
                self._rests.look_for(position, register.sources_of(position.path) or (source,), now)

    def begin(
        self,
        source: SourceTable,
        file: Found,
        replaced: Followed | None,
        originals: Originals,
        skipped: dict[str, Skip],
        now: float,
    ) -> Followed | None:
        """Follow a file that nobody knows, or say why not.

        Args:
            source: whose scan found it.
            file: what it found.
            replaced: the open file that had its path before.
            originals: the files that it may be a copy of.
            skipped: gets the reason.
            now: monotonic seconds.
        """
        register = self._register
        node = file.node
        if (followed := register.open.get(node)) is not None:
            # found again as somebody's rest
            followed.seen_by.add(source.name)
            followed.gone_at = None
            return None
        position = register.positions.get(node)
        known = position is not None and not self._is_unsure(position, source)
        if known or self._rests.is_looking_for(node):
            if file.path not in skipped and node not in register.waiting:
                said = "the rest of what this file held before is being looked for"
                skipped[file.path] = Skip(said, Why.UNDECIDED)
            return None
        if (kind := self._archive(file)) is not None:
            skipped[file.path] = Skip(_COMPRESSED.format(kind))
            return None
        opened = register.open_found(file, source, skipped, now)
        if opened is None:
            return None
        try:
            kind = self._compression(opened, file)
            never_seen = self._first_scans.was_there(source, node) and self._first_scans.is_unknown(source)
            if kind is not None:
                skipped[file.path] = Skip(_COMPRESSED.format(kind))
            elif not never_seen and register.copies.may_be_one(opened, file, originals, now):
                skipped[file.path] = Skip("perhaps a copy of a followed file; waiting to see", Why.UNDECIDED)
            elif self._rests.may_be_found_in(file.path, opened):
                said = "perhaps the rest of a file that is being looked for; waiting to see"
                skipped[file.path] = Skip(said, Why.UNDECIDED)
            elif not never_seen and _is_any_rewritten(opened, originals):
                # truncated while it was compared: its reader has to notice first
                skip = Skip("perhaps a copy of a truncated file; waiting to see", Why.UNDECIDED)
                register.cannot_read(file, source, skipped, skip)
            elif (original := self._closed_original(opened, file)) is not None:
                named = printable_path(original)
                said = f"perhaps a copy of {named}, which is not open now; waiting to see"
                skipped[file.path] = Skip(said, Why.UNDECIDED)
            else:
                return self._follow(opened, file, source, replaced, now)
        except OSError as error:
            register.fail_found(file, source, skipped, error.strerror or str(error), now)
        opened.close()
        return None

    def _follow(
        self, opened: LogFile, file: Found, source: SourceTable, replaced: Followed | None, now: float
    ) -> Followed:
        tailer = self._register.tailer(opened, file.path, source)
        if replaced is not None and self._register.open.get(replaced.node) is not replaced:
            # closed to make room for this one
            replaced = None
        if replaced is not None and _is_saved_anew(replaced, opened, file):
            tailer.resume(replaced.tailer.checkpoint())
            replaced.tailer.skip_to_end(replaced.seen[0])
        elif self._first_scans.begins_at_end(source, file.path, file.node):
            tailer.skip_to_end(file.size)
        position = self._register.positions.get(file.node)
        if position is not None:
            self._register.positions.take(position)
            if position.identity != opened.identity:
                self._register.positions.forget_identity(position.identity)
            self._families.suspect(position.path, (source,), position.modified)
        followed = self._register.follow(tailer, (source,), now, listed=position.modified if position else 0)
        followed.seen_by.add(source.name)
        self._succession.begun(followed)
        telemetry.file_found(file.path, tailer.offset, quietly=self._is_one_of_many())
        return followed

    def _is_one_of_many(self) -> bool:
        self._told += 1
        return self._told > telemetry.FEW

    def _archive(self, file: Found) -> str | None:
        """Give how a file is compressed if that is known and it did not change: thousands may lie in a directory."""
        size, modified, kind = self._archives.get(file.node, (-1, -1, None))
        return kind if (size, modified) == (file.size, file.modified) else None

    def _compression(self, opened: LogFile, file: Found) -> str | None:
        kind = compression_of(opened.read_at(0, MAGIC_BYTES))
        if kind is not None:
            self._archives[file.node] = file.size, file.modified, kind
        return kind

    def _closed_original(self, opened: LogFile, file: Found) -> str | None:
        """Give a known file that is not open and of which this may be the copy: its rest may be in there."""
        register = self._register
        for position in register.positions.beginning(opened.read_at(0, HEAD_BYTES)):
            node = position.identity.node
            if position.finished or node == opened.identity.node:
                continue
            shut = node in register.failures or node in register.waiting
            if shut or (register.is_found(node) and self._is_beginning_of(position, opened, file.size)):
                return position.path
        return None

    def _is_beginning_of(self, position: Checkpoint, opened: LogFile, size: int) -> bool:
        """Tell whether a file may be the beginning of one that rests; equal heads alone prove nothing (hazard 1.8)."""
        try:
            original = self._register.host.open(position.path)
        except UnreadableError:
            return True
        try:
            if original.identity.node != position.identity.node:
                return True
            return is_beginning(opened, size, original, original.status().st_size)
        finally:
            original.close()

    def _is_unsure(self, position: Checkpoint, source: SourceTable) -> bool:
        """Tell whether nothing says if a file is the one of its position, nor has to: it begins at 0 in any case."""
        return not position.offset and not position.identity.generation and self._first_scans.is_old(source)

    def _go_on(self, opened: LogFile, file: Found, position: Checkpoint, source: SourceTable, now: float) -> bool:
        register = self._register
        tailer = register.tailer(opened, file.path, source)
        if not position.identity.may_be(opened.identity) or not tailer.resume(position):
            return False
        stored = register.positions.take(position)
        if position.identity != opened.identity:
            register.positions.forget_identity(position.identity)
        followed = register.follow(tailer, (source,), now, listed=position.modified)
        followed.seen_by.add(source.name)
        self._succession.begun(followed)
        self._families.suspect(position.path, (source,))
        if file.node not in register.closed:
            telemetry.file_resumed(file.path, tailer.offset, quietly=self._is_one_of_many())
        if stored and position.identity == opened.identity and position.gone_at is None and not position.finished:
            followed.saved = followed.place if position.path == file.path else None
        return True


def _is_any_rewritten(opened: LogFile, originals: Originals) -> bool:
    """Tell whether some file that began like this one has other content now, and its reader has not noticed yet."""
    head = opened.read_at(0, SURE_BYTES)
    return any(not f.held and f.tailer.offset and f.tailer.is_rewritten() for f in originals.beginning_with(head))


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
