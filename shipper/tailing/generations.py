"""Generations of a log that came and were rotated away between two looks (hazard 1.2).

A log's family is settled when everything that was rotated from it is either being read or known. Its watermark is the
modification time of its newest file when it last was: what was rotated later was written later, what is older is
history that was there before the first look; see `Histories` for clocks that are set back. While a member waits for a
descriptor, cannot be read, or its rest is still looked for, the watermark stays, so that nothing slips through whatever
its name is by then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.copies import COPY_PATIENCE
from shipper.tailing.files import UnreadableError
from shipper.tailing.histories import Histories
from shipper.tailing.known import is_in_open_file, known_part
from shipper.tailing.surroundings import log_of
from shipper.tailing.tailer import recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed
    from shipper.tailing.positions import KnownContent
    from shipper.tailing.register import Register
    from shipper.tailing.surroundings import Neighbours, Surroundings

ARCHIVE_PATIENCE = 60.0


@dataclass(slots=True)
class Relatives:
    """What is known of one family.

    Attributes:
        open: its files that are being read.
        past: what was read of the others.
    """

    open: list[Followed]
    past: list[KnownContent]

    def part_with(self, register: Register) -> None:
        """Note which of the open files were closed for want of descriptors."""
        closed = [followed for followed in self.open if register.open.get(followed.node) is not followed]
        if not closed:
            return
        self.open = [followed for followed in self.open if followed not in closed]
        nodes = {followed.node for followed in closed}
        self.past += [known for known in register.positions.known() if known.checkpoint.identity.node in nodes]

    def may_be_rewritten(self) -> bool:
        """Tell whether some open file has other content than was read, and its reader has not noticed yet.

        What was copied from it before cannot be told from what nobody read.
        """
        try:
            return any(not followed.held and followed.tailer.is_rewritten() for followed in self.open)
        except OSError:
            return True

    @property
    def watermark(self) -> int:
        """Give the time up to which the family is known, in nanoseconds since the epoch; 0 for nothing."""
        return max([0, *(f.listed for f in self.open), *(known.checkpoint.modified for known in self.past)])


class Generations:
    """The families of logs that may have generations nobody has seen.

    Attributes:
        histories: what lay beside each log when its family was settled last.
    """

    def __init__(
        self,
        register: Register,
        surroundings: Surroundings,
        histories: Mapping[str, Collection[int]],
        wall: Callable[[], float],
    ) -> None:
        """Share what is known of the files; `wall` tells seconds since the epoch as the stamps of files have them."""
        self.histories = Histories(histories)
        self._register = register
        self._surroundings = surroundings
        self._wall = wall
        self._unsettled: dict[str, tuple[SourceTable, ...]] = {}
        self._since: dict[str, int] = {}
        self._entries: dict[str, Mapping[str, int]] = {}
        self._growing: dict[Node, tuple[int, float]] = {}
        self._empty: dict[Node, float] = {}
        self._shut: set[str] = set()
        self._searched: set[Node] = set()

    def __bool__(self) -> bool:
        """Tell whether some family is to be looked at soon; one of which a file cannot be read may take for ever."""
        return any(log not in self._shut for log in self._unsettled)

    def suspect(self, path: str, sources: tuple[SourceTable, ...], since: int = 0) -> None:
        """Look at the family of a file at the next `settle`.

        Args:
            path: of the file.
            sources: those that read it.
            since: the watermark if nothing else of the family is known any more.
        """
        if sources:
            log = log_of(path)
            self._unsettled[log] = sources
            if since:
                self._since.setdefault(log, since)

    def is_settled(self, path: str) -> bool:
        """Tell whether everything of a file's family was accounted for."""
        return log_of(path) not in self._unsettled

    def notice(self, entries: Mapping[str, Mapping[str, int]]) -> None:
        """Suspect the logs beside which a name came that may have been rotated from them, seen by nobody.

        Names and inodes are compared together: the next copy may have the inode of the one that was just removed.
        """
        logs = {log_of(followed.path): followed.sources for followed in self._register.open.values()}
        closed: set[str] | None = None
        for directory, names in entries.items():
            known = self._entries.get(directory)
            self._entries[directory] = names
            if known is None:
                continue
            come = [name for name, inode in names.items() if known.get(name) != inode]
            if come and closed is None:
                closed = {log_of(position.path) for position in self._register.positions}
            for path in {log_of(os.path.join(directory, name)) for name in come}:
                if path in logs:
                    self._unsettled[path] = logs[path]
                elif closed and path in closed:
                    self.suspect(path, self._register.sources_of(path))

    def settle(self, now: float, searched: Sequence[Checkpoint]) -> None:
        """Read what of the suspected families nobody has read; families that are not complete stay suspected.

        Args:
            now: monotonic seconds.
            searched: of the files whose rests are being looked for.
        """
        incomplete = self._incomplete(now) | {log_of(position.path) for position in searched}
        self._searched = {position.identity.node for position in searched}
        for log in incomplete:
            self._unsettled.setdefault(log, self._register.sources_of(log))
        if not self._unsettled:
            return
        relatives = self._relatives()
        for log, sources in list(self._unsettled.items()):
            watermark = relatives[log].watermark or self._since.get(log, 0)
            if self._settle(log, watermark, sources, relatives[log], now) and log not in incomplete:
                del self._unsettled[log]
                self._since.pop(log, None)
                self._register.positions.forget_trails(log)
                self.histories.account(log, self._neighbours(log, sources).generations(log), self._wall_ns())
                continue
            for followed in relatives[log].open:
                # the store must know how much of the family is, should this process end before all of it is
                followed.listed = followed.listed or watermark

    def forget(self) -> None:
        """Let go of the families of which nothing is known any more (hazard 5.5)."""
        known = {log_of(content.checkpoint.path) for content in self._register.positions.known()}
        self.histories.keep(known | {log_of(followed.path) for followed in self._register.open.values()})

    def _incomplete(self, now: float) -> set[str]:
        """Suspect the families of which some file waits or was closed early; they stay suspected until that is over."""
        register = self._register
        logs = set()
        for _, file in register.waiting.values():
            log = log_of(file.path)
            logs.add(log)
            self._since.setdefault(log, file.modified)
            self._unsettled.setdefault(log, register.sources_of(file.path))
        self._shut = set()
        for _, file in register.shut.values():
            self._shut.add(log_of(file.path))
            self._since.setdefault(log_of(file.path), file.modified)
        logs |= self._shut
        for path, (sources, until) in list(register.rested.items()):
            if now >= until:
                del register.rested[path]
            else:
                logs.add(log_of(path))
                self._unsettled.setdefault(log_of(path), sources)
        return logs

    def _relatives(self) -> dict[str, Relatives]:
        """Group all that is known by families."""
        families = {log: Relatives([], []) for log in self._unsettled}
        names: dict[str, list[str]] = {}
        for log in families:
            names.setdefault(os.path.basename(log), []).append(log)

        def of(path: str, *, anywhere: bool) -> Iterable[Relatives]:
            for log in names.get(os.path.basename(log_of(path)), ()):
                if anywhere or os.path.dirname(log) == os.path.dirname(path):
                    yield families[log]

        elsewhere = {source.name for source in self._register.sources if source.rotated}
        for followed in self._register.open.values():
            for family in of(followed.path, anywhere=followed.source.name in elsewhere):
                family.open.append(followed)
        for known in self._register.positions.known():
            for family in of(known.checkpoint.path, anywhere=known.checkpoint.source in elsewhere):
                family.past.append(known)
        return families

    def _settle(
        self, log: str, watermark: int, sources: tuple[SourceTable, ...], relatives: Relatives, now: float
    ) -> bool:
        """Account for one family; tells whether that is complete."""
        if not watermark:
            return True
        relatives.part_with(self._register)
        neighbours = self._neighbours(log, sources)
        complete = not neighbours.unlisted
        if relatives.may_be_rewritten():
            return False
        recent = self.histories.unaccounted(log, neighbours.generations(log), watermark, self._wall_ns())
        archives = []
        for file in recent:
            node = file.identity.node
            if (decided := self._is_decided(file, now)) is not None:
                complete &= decided
                continue
            try:
                content = open_content(self._register.host, file.path)
            except (UnreadableError, OSError):
                # what has gone from this name may have another one now
                complete = False
                continue
            if content.identity.node != node:
                # another file by now
                content.close()
                complete = False
            elif isinstance(content, CompressedLog):
                archives.append((file, content))
            else:
                complete &= self._account(file, content, log, watermark, sources, relatives, now)
        # archives last: one that is still being written holds less than the file that it is made of
        for file, content in archives:
            complete &= self._account(file, content, log, watermark, sources, relatives, now)
        return complete

    def _wall_ns(self) -> int:
        return int(self._wall() * 1e9)

    def _neighbours(self, log: str, sources: tuple[SourceTable, ...]) -> Neighbours:
        return self._surroundings.of(log, [glob for source in sources for glob in source.rotated])

    def _is_decided(self, file: Found, now: float) -> bool | None:
        """Tell without opening a file whether it is accounted for, or is later; None when it has to be looked at."""
        node = file.identity.node
        if (followed := self._register.open.get(node)) is not None:
            # whether an archive is whole is known at its end
            return not followed.finite
        if self._register.is_own(node):
            return True
        if node in self._searched:
            return False
        if (growing := self._growing.get(node)) is not None and growing[0] == file.size:
            return now - growing[1] >= ARCHIVE_PATIENCE
        # a position is believed only with the content: the next copy may get inode, name and size of the one before it
        return None

    def _account(
        self,
        file: Found,
        content: LogFile | CompressedLog,
        log: str,
        watermark: int,
        sources: tuple[SourceTable, ...],
        relatives: Relatives,
        now: float,
    ) -> bool:
        """Follow a generation if nobody has read it; False when that cannot be told now."""
        register = self._register
        plain = not isinstance(content, CompressedLog)
        if plain and register.is_found(file.identity.node):
            # a glob matches it: the next scan deals with it, unless it rests unchanged or was renamed since
            content.close()
            return register.is_resting(file) and register.is_still_found(file.identity.node)
        try:
            known, position = self._known(content, file.size, relatives)
        except OSError:
            content.close()
            return False
        if not known and (relatives.may_be_rewritten() or (plain and self._is_empty(file, content, now))):
            # truncated while it was compared, or a copy whose first bytes are not written yet
            content.close()
            return False
        whole = not (isinstance(content, CompressedLog) and self._is_growing(file, content, now))
        if known or not whole:
            content.close()
            return whole
        room = register.make_room(now)
        relatives.part_with(register)
        if not room:
            content.close()
            return False
        tailer = register.tailer(content, file.path, sources[0])
        try:
            resumed = position is not None and tailer.resume(position)
        except OSError:
            content.close()
            return False
        if resumed and position is not None and position.identity.node == content.identity.node:
            register.positions.take(position)
        followed = register.follow(tailer, sources, now, listed=watermark)
        followed.gone_at, followed.finite = now, not plain
        relatives.open.append(followed)
        telemetry.generation_found(file.path, log)
        return plain

    def _known(
        self, content: LogFile | CompressedLog, size: int, relatives: Relatives
    ) -> tuple[bool, Checkpoint | None]:
        """Tell whether a generation is read or being read, and else where to go on in it."""
        position = self._position(content)
        if position is not None:
            return not content.reaches(position.offset + 1), position
        if is_in_open_file(content, size, relatives.open):
            return True, None
        return known_part(content, relatives.past)

    def _is_empty(self, file: Found, content: LogFile | CompressedLog, now: float) -> bool:
        """Tell whether a plain file was listed empty, and not long ago."""
        if file.size:
            return False
        since = self._empty.setdefault(content.identity.node, now)
        if now - since < COPY_PATIENCE:
            return True
        del self._empty[content.identity.node]
        return False

    def _is_growing(self, file: Found, content: CompressedLog, now: float) -> bool:
        """Tell whether an archive seems to be cut: it may still be written, and is looked at again when it grew."""
        node = file.identity.node
        if not content.was_incomplete:
            self._growing.pop(node, None)
            return False
        before = self._growing.get(node)
        if before is None or before[0] != file.size:
            self._growing[node] = file.size, now
            return True
        return now - before[1] < ARCHIVE_PATIENCE

    def _position(self, content: LogFile | CompressedLog) -> Checkpoint | None:
        """Give the position of a generation; one of an earlier file with the same inode is void."""
        positions = self._register.positions
        position = positions.get(content.identity.node)
        if position is None:
            return None
        # where nothing was read the content confirms nothing
        sure = position.offset > 0 or position.identity.generation or not content.reaches(1)
        if not (sure and position.identity.may_be(content.identity) and recognises(content, position)):
            positions.retire(position)
            return None
        return position
