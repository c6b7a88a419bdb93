"""Generations of a log that came and were rotated away between two looks: read if nobody has (hazard 1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.content import is_file_of
from shipper.tailing.copies import COPY_PATIENCE
from shipper.tailing.files import UnreadableError
from shipper.tailing.known import UndecidedError, is_in_open_file, known_part

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed
    from shipper.tailing.positions import KnownContent
    from shipper.tailing.register import Register

ARCHIVE_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Family:
    """A log whose generations are accounted for.

    Attributes:
        log: its path.
        watermark: when the newest that is known of it was written, in nanoseconds since the epoch.
        sources: those that read it.
        relatives: what is known of it.
    """

    log: str
    watermark: int
    sources: tuple[SourceTable, ...]
    relatives: Relatives


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

    def has_untouched(self) -> bool:
        """Tell whether nothing was taken of some open file yet: its position would confirm nothing."""
        return any(followed.is_untouched() for followed in self.open)

    @property
    def watermark(self) -> int:
        """Give the time up to which the family is known, in nanoseconds since the epoch; 0 for nothing."""
        return max([0, *(f.listed for f in self.open), *(known.checkpoint.modified for known in self.past)])


class Generations:
    """Accounts for them, one family at a time. Times are monotonic seconds."""

    def __init__(self, register: Register) -> None:
        """Share what is known of the files."""
        self._register = register
        self._growing: dict[Node, tuple[int, float]] = {}
        self._empty: dict[Node, float] = {}

    def account(self, family: Family, suspects: Iterable[Found], searched: Collection[Node], now: float) -> bool:
        """Follow what nobody has read; tells whether all could be decided.

        Args:
            family: whose generations they are.
            suspects: generations that may hold what nobody has read.
            searched: files whose rests are being looked for.
            now: monotonic seconds.
        """
        complete = True
        archives: list[Found] = []
        for file in suspects:
            decided = False if file.identity.node in searched else self._is_decided(file, now)
            complete &= self._look_into(family, file, now, archives) if decided is None else decided
        # archives last: one that is still being written holds less than the file that it is made of
        for file in archives:
            complete &= self._look_into(family, file, now, None)
        return complete

    def _look_into(self, family: Family, file: Found, now: float, archives: list[Found] | None) -> bool:
        """Open one and account for it; an archive is added to `archives` for later, if given."""
        try:
            content = open_content(self._register.host, file.path)
        except (UnreadableError, OSError):
            # what has gone from this name may have another one now
            return False
        if content.identity.node != file.identity.node:
            # another file by now
            content.close()
            return False
        if archives is not None and isinstance(content, CompressedLog):
            # only one is open at a time: descriptors are few
            content.close()
            archives.append(file)
            return True
        return self._account(family, file, content, now)

    def _is_decided(self, file: Found, now: float) -> bool | None:
        """Tell without opening a file whether it is accounted for, or is later; None when it has to be looked at."""
        node = file.identity.node
        if (followed := self._register.open.get(node)) is not None:
            # whether an archive is whole is known at its end
            return not followed.finite
        if self._register.is_own(node):
            return True
        if (growing := self._growing.get(node)) is not None and growing[0] == file.size:
            return now - growing[1] >= ARCHIVE_PATIENCE
        # a position is believed only with the content: the next copy may get inode, name and size of the one before it
        return None

    def _account(self, family: Family, file: Found, content: LogFile | CompressedLog, now: float) -> bool:
        """Follow a generation if nobody has read it; False when that cannot be told now."""
        register, relatives = self._register, family.relatives
        plain = not isinstance(content, CompressedLog)
        if plain and register.is_found(file.identity.node):
            # a glob matches it: the next scan deals with it, unless it rests unchanged or was renamed since
            content.close()
            node = file.identity.node
            return register.is_resting(node, file) and register.is_still_found(node)
        try:
            known, position = self._known(content, file.size, relatives)
        except (OSError, UndecidedError):
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
        tailer = register.tailer(content, file.path, family.sources[0])
        try:
            resumed = position is not None and tailer.resume(position)
        except OSError:
            content.close()
            return False
        if resumed and position is not None and position.identity.node == content.identity.node:
            register.positions.take(position)
        # a clock that was set back gave it an older stamp
        listed = min(family.watermark, file.modified)
        followed = register.follow(tailer, family.sources, now, listed=listed)
        followed.gone_at, followed.finite = now, not plain
        relatives.open.append(followed)
        telemetry.generation_found(file.path, family.log)
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
        return known_part(content, relatives.past, goes_on=self._register.goes_on)

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
        if not (sure and is_file_of(content, position)):
            positions.retire(position)
            return None
        return position
