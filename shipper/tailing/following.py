"""Which files are followed: turns scans of the directories into tailers, through every kind of rotation.

A file is followed by its identity, not by its name. So
- renamed (hazards 1.1, 1.13): the same tailer goes on; what then appears under the old name is a new file, read
  from 0 beside it. A tailer whose name has gone is let go when it has been silent at its end long enough.
- truncated or rewritten in place (1.3, 1.5): the tailer notices by content. Its unread rest is looked for in a
  copy beside it (logrotate's `copytruncate`), by content; then the file is read from 0.
- rotated while nobody looked (1.6): a checkpoint whose file is not found under its name is looked for, by identity
  and by content, in its directory and the source's `rotated` places, and read to its end there.
- copied (1.3 c): a new file whose bytes are a prefix of a followed one's may be a copy that is about to be
  the only place of its rest: it waits for `COPY_PATIENCE` before it is taken as a file of its own.

What cannot be found is said, and counted where the number of bytes is known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.condition import FileCondition, FileState
from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, UnreadableError, compression_of
from shipper.tailing.globs import path_pattern
from shipper.tailing.rotation import find_rest, is_prefix
from shipper.tailing.tailer import Tailer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, FileIdentity, LineState
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import Files, LogFile

COPY_PATIENCE = 5.0
UNLINKED_SILENCE = 30.0
_MAGIC_BYTES = 6


@dataclass(slots=True)
class Followed:
    """One followed file and what became of its name. Times are monotonic seconds.

    Attributes:
        tailer: reads it.
        source: the source it belongs to.
        changed_at: when its last bytes came.
        gone_at: since when no scan finds it under the source's globs; None while one does.
        seen: size and modification time when last looked at.
        active: looked at in every pass; else only when a scan or a hint says that it changed.
        saved: offset and state of the checkpoint that is in the store; None when it is not there.
    """

    tailer: Tailer[LogFile]
    source: SourceTable
    changed_at: float
    gone_at: float | None = None
    seen: tuple[int, int] = (-1, -1)
    active: bool = True
    saved: tuple[int, LineState] | None = None


class Following:
    """All files of all sources. Not safe for use by two threads; times are monotonic seconds given by the caller.

    Attributes:
        sources: in the order of the configuration; the first one that matches a file owns it.
        files: the open files, by identity.
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
        """
        self.sources = tuple(sources)
        self.files: dict[FileIdentity, Followed] = {}
        self.skipped: dict[str, dict[str, str]] = {}
        self.directories: dict[str, set[str]] = {}
        self._checkpoints = {checkpoint.identity: checkpoint for checkpoint in checkpoints}
        self._scanned = {name: tuple(globs) for name, globs in scanned.items()}
        self._complete: set[str] = set()
        self._newly_scanned: dict[str, tuple[str, ...]] = {}
        self._own = own
        self._own_files = own_files
        self._positions_lost = positions_lost
        self._files = files
        self._suspects: dict[FileIdentity, tuple[int, float, str]] = {}
        self._forgotten: list[FileIdentity] = []
        self._failures: dict[FileIdentity, str] = {}

    @property
    def undecided(self) -> bool:
        """Whether some file waits to be told from a copy: scan again soon."""
        return bool(self._suspects)

    def scan(self, source: SourceTable, now: float) -> None:
        """Look at the directories of one source and follow what is there."""
        discovery = discover(source.paths, source.exclude, self._own, self._files)
        self.directories[source.name] = discovery.directories
        found = {file.identity: file for file in discovery.files.values() if file.identity not in self._own_files}
        self._miss(source, found, now)
        known = {identity for identity in found if identity in self.files}
        moved = {identity for identity in known if found[identity].path != self.files[identity].tailer.path}
        for identity in known:
            self._see_again(source, found[identity], discovery.skipped, now)
        first = source.name not in self._complete
        # known files first: what one of them was truncated of may lie in a copy that is new
        for identity, file in sorted(found.items(), key=lambda item: item[0] not in self._checkpoints):
            if identity not in self.files and (reason := self._see_new(source, file, now, moved, first=first)):
                discovery.skipped[file.path] = reason
        self._suspects = {i: suspect for i, suspect in self._suspects.items() if self._exists(suspect[2])}
        if first:
            self._complete.add(source.name)
            self._newly_scanned[source.name] = source.paths
            for checkpoint in [c for c in self._checkpoints.values() if c.source == source.name]:
                self._find_rest(checkpoint, source, now)
        self._tell_skipped(source, discovery.skipped)

    def reconfigure(self, sources: Sequence[SourceTable]) -> None:
        """Follow other sources from now on; files whose source changed are taken up again by the next scan.

        Their checkpoints must be in the store: the caller commits before.
        """
        before = {source.name: source for source in self.sources}
        self.sources = tuple(sources)
        unchanged = {source.name for source in sources if before.get(source.name) == source}
        for identity, followed in list(self.files.items()):
            if followed.source.name not in unchanged:
                self._checkpoints[identity] = followed.tailer.checkpoint()
                followed.tailer.file.close()
                del self.files[identity]
        self._complete &= unchanged

    def take_scanned(self) -> dict[str, tuple[str, ...]]:
        """Give the sources whose first scan became complete since the last call, to be recorded."""
        taken, self._newly_scanned = self._newly_scanned, {}
        self._scanned.update(taken)
        return taken

    def take_forgotten(self) -> list[FileIdentity]:
        """Give the identities whose stored checkpoint is void, to be recorded."""
        taken, self._forgotten = self._forgotten, []
        return taken

    def rewritten(self, followed: Followed, now: float) -> None:
        """Deal with a file whose content before the offset changed: find the old content's rest, then start at 0."""
        tailer = followed.tailer
        checkpoint = tailer.checkpoint()
        place = find_rest(checkpoint, followed.source.rotated, self._own, self._is_known, self._files)
        telemetry.file_rewritten(tailer.path, checkpoint.offset, place[0] if place else None)
        if place is not None:
            self._follow_rest(*place, checkpoint, followed.source, now)
        elif (unread := followed.seen[0] - checkpoint.offset) > 0:
            tailer.lose("truncated", unread)
            telemetry.bytes_lost(tailer.path, "truncated", unread)
        tailer.restart()
        followed.saved = None
        followed.active = True
        followed.changed_at = now

    def finished(self, now: float) -> Iterator[Followed]:
        """Give the files whose name is gone and whose reading ends now; the caller commits, then calls `let_go`."""
        for followed in list(self.files.values()):
            if followed.gone_at is None:
                continue
            hold = followed.source.deleted_hold
            status = followed.tailer.file.status()
            unread = max(0, status.st_size - followed.tailer.offset)
            silent = now - max(followed.changed_at, followed.gone_at)
            if status.st_nlink:
                if not unread and silent >= hold:
                    yield followed
            # an unlinked file holds space on the disk: not longer than needed, never longer than the limit (1.9)
            elif not unread and silent >= min(hold, UNLINKED_SILENCE):
                yield followed
            elif now - followed.gone_at >= hold:
                followed.tailer.lose("deleted", unread)
                yield followed

    def let_go(self, followed: Followed) -> None:
        """Close a finished file."""
        identity = followed.tailer.identity
        if followed.tailer.file.status().st_nlink:
            self._checkpoints[identity] = followed.tailer.checkpoint()
        else:
            self._forgotten.append(identity)
        followed.tailer.file.close()
        del self.files[identity]
        telemetry.file_finished(followed.tailer.path, followed.tailer.offset)

    def fail(self, followed: Followed, reason: str) -> None:
        """Close a file that cannot be read any more; the next scan takes it up at its checkpoint (hazard 2.3)."""
        telemetry.file_failed(followed.tailer.path, reason)
        self._failures[followed.tailer.identity] = reason
        self._checkpoints[followed.tailer.identity] = followed.tailer.checkpoint()
        followed.tailer.file.close()
        del self.files[followed.tailer.identity]

    def moved_away(self, followed: Followed) -> bool:
        """Tell whether a file's name now means another file or none: then its directory is scanned at once."""
        try:
            status = self._files.status(followed.tailer.path)
        except OSError:
            return True
        identity = followed.tailer.identity
        return (status.st_dev, status.st_ino) != (identity.device, identity.inode)

    def close(self) -> None:
        """Close every file."""
        for followed in self.files.values():
            followed.tailer.file.close()
        self.files.clear()

    def _miss(self, source: SourceTable, found: Mapping[FileIdentity, Found], now: float) -> None:
        for identity, followed in self.files.items():
            if followed.source.name == source.name and identity not in found and followed.gone_at is None:
                followed.gone_at = now
                followed.active = True

    def _see_again(self, source: SourceTable, file: Found, skipped: dict[str, str], now: float) -> None:
        followed = self.files[file.identity]
        if followed.source.name != source.name:
            skipped[file.path] = f"already read by source '{followed.source.name}'"
            return
        followed.tailer.path = file.path
        followed.gone_at = None
        if followed.seen != (file.size, file.modified):
            followed.active = True
            if followed.tailer.is_rewritten():
                # before new files are judged: one of them may be the copy that holds the rest
                self.rewritten(followed, now)

    def _see_new(
        self, source: SourceTable, file: Found, now: float, moved: set[FileIdentity], *, first: bool
    ) -> str | None:
        """Follow a file that is not followed yet; gives the reason when it is not to be."""
        try:
            opened = self._files.open(file.path)
        except UnreadableError as error:
            return str(error)
        if opened.identity != file.identity:
            opened.close()
            return "replaced while it was opened; looking again soon"
        kind = compression_of(opened.read_at(0, _MAGIC_BYTES))
        checkpoint = None if kind else self._checkpoints.pop(file.identity, None)
        if kind is not None:
            opened.close()
            return f"compressed ({kind}); `shipper backfill` reads such files"
        # at a first scan every file has been there before: `start_at` decides, not what it looks like
        if checkpoint is None and not first and self._may_be_copy(opened, file, now, moved):
            opened.close()
            return "perhaps a copy of a followed file; waiting to see"
        self._suspects.pop(file.identity, None)
        self._failures.pop(file.identity, None)
        tailer = self._tailer(opened, file.path, source)
        followed = self.files[file.identity] = Followed(tailer, source, now)
        if checkpoint is None:
            if first and self._existed_before(source, file.path):
                tailer.skip_to_end(opened.status().st_size)
            telemetry.file_found(file.path, tailer.offset)
        elif tailer.resume(checkpoint):
            followed.saved = (checkpoint.offset, checkpoint.line)
            telemetry.file_resumed(file.path, tailer.offset)
        else:
            # the inode was reused, or the content replaced, while nobody looked (hazards 1.7, 1.3)
            telemetry.file_found(file.path, 0)
            self._find_rest(checkpoint, source, now)
        return None

    def _existed_before(self, source: SourceTable, path: str) -> bool:
        """Tell whether `start_at = "end"` applies to a file without checkpoint at a source's first scan (spec, 3)."""
        if source.start_at != "end" or self._positions_lost:
            return False
        return not any(path_pattern(glob).fullmatch(path) for glob in self._scanned.get(source.name, ()))

    def _may_be_copy(self, opened: LogFile, file: Found, now: float, moved: set[FileIdentity]) -> bool:
        """Tell whether a new file still may be the copy of a `copytruncate`, and should not be read yet.

        The original of such a copy keeps its name: a file that was renamed is the original of none.
        """
        originals = (f for i, f in self.files.items() if f.gone_at is None and i not in moved)
        if not any(is_prefix(opened, followed.tailer.file) for followed in originals):
            return False
        size, since, _ = self._suspects.get(file.identity, (-1, now, ""))
        if size != file.size:
            since = now
        self._suspects[file.identity] = (file.size, since, file.path)
        return now - since < COPY_PATIENCE

    def _exists(self, path: str) -> bool:
        try:
            self._files.status(path, follow=False)
        except OSError:
            return False
        return True

    def _is_known(self, identity: FileIdentity) -> bool:
        return identity in self.files or identity in self._checkpoints

    def _find_rest(self, checkpoint: Checkpoint, source: SourceTable, now: float) -> None:
        """Look for the rest of a file that is not under its name any more."""
        place = find_rest(checkpoint, source.rotated, self._own, self._is_known, self._files)
        if place is not None:
            self._follow_rest(*place, checkpoint, source, now)
        elif self._exists(os.path.dirname(checkpoint.path)):
            telemetry.rest_not_found(checkpoint.path, checkpoint.offset)
            self._checkpoints.pop(checkpoint.identity, None)
            self._forgotten.append(checkpoint.identity)

    def _follow_rest(self, path: str, file: LogFile, checkpoint: Checkpoint, source: SourceTable, now: float) -> None:
        self._checkpoints.pop(checkpoint.identity, None)
        self._forgotten.append(checkpoint.identity)
        if file.identity in self.files:
            file.close()
            return
        tailer = self._tailer(file, path, source)
        tailer.resume(checkpoint)
        self._suspects.pop(file.identity, None)
        self.files[file.identity] = Followed(tailer, source, now, gone_at=now)
        telemetry.rest_found(path, checkpoint.path, tailer.offset)

    def _tailer(self, file: LogFile, path: str, source: SourceTable) -> Tailer[LogFile]:
        return Tailer(
            file,
            path,
            source.origin,
            max_line_bytes=source.max_line_bytes,
            partial_timeout=source.partial_timeout,
        )

    def _tell_skipped(self, source: SourceTable, skipped: dict[str, str]) -> None:
        before = self.skipped.get(source.name, {})
        for path, reason in skipped.items():
            if before.get(path) != reason:
                telemetry.file_skipped(path, source.name, reason)
        self.skipped[source.name] = skipped

    def conditions(self, now: float) -> list[FileCondition]:
        """Tell of every file why it is or is not being read."""
        found = [self._condition(followed, now) for followed in self.files.values()]
        for checkpoint in self._checkpoints.values():
            failure = self._failures.get(checkpoint.identity)
            state = FileState.CLOSED if failure is None else FileState.FAILING
            reason = failure or "known, not under its name now"
            where = checkpoint.path, (checkpoint.source,)
            found.append(FileCondition(*where, state, reason, checkpoint.offset, identity=checkpoint.identity))
        for source, skipped in self.skipped.items():
            found += [FileCondition(path, (source,), FileState.SKIPPED, reason) for path, reason in skipped.items()]
        return found

    def _condition(self, followed: Followed, now: float) -> FileCondition:
        tailer, source = followed.tailer, (followed.source.name,)
        try:
            status = tailer.file.status()
        except OSError as error:
            reason = error.strerror or str(error)
            return FileCondition(tailer.path, source, FileState.FAILING, reason, tailer.offset)
        if not status.st_nlink:
            left = followed.source.deleted_hold - (now - (followed.gone_at or now))
            state, reason = FileState.FINISHING, f"deleted; held open and read to its end, at most {left:.0f} s more"
        elif followed.gone_at is not None:
            state, reason = FileState.FINISHING, "renamed or rotated; read to its end"
        elif status.st_size <= tailer.offset:
            state, reason = FileState.IDLE, "read to its end"
        elif tailer.waits:
            state, reason = FileState.WAITING, "its last line is unfinished"
        else:
            state, reason = FileState.READING, "more is there to read"
        return FileCondition(
            tailer.path,
            source,
            state,
            reason,
            tailer.offset,
            status.st_size,
            status.st_mtime,
            tailer.identity,
            is_deleted=not status.st_nlink,
        )
