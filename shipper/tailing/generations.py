"""Generations of a log that came and were rotated away between two looks (hazard 1.2).

A log's family is settled when everything that was rotated from it is either being read or known. Its watermark is the
modification time of its newest file when it last was: what was rotated later was written later, what is older is
history that was there before the first look. While a member waits for a descriptor, cannot be read, or its rest is
still looked for, the watermark stays, so that nothing slips through whatever its name is by then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.copies import SURE_BYTES, is_beginning
from shipper.tailing.files import UnreadableError
from shipper.tailing.identity import HEAD_BYTES, confirms, fingerprint
from shipper.tailing.surroundings import log_of, possible_logs
from shipper.tailing.tailer import recognises

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed
    from shipper.tailing.register import Register
    from shipper.tailing.surroundings import Surroundings


@dataclass(slots=True)
class Relatives:
    """What is known of one family.

    Attributes:
        open: its files that are being read.
        positions: where the others were left, also of content that is no more.
    """

    open: list[Followed]
    positions: list[Checkpoint]

    def part_with(self, register: Register) -> None:
        """Note which of the open files were closed for want of descriptors."""
        closed = [followed for followed in self.open if followed.node not in register.open]
        self.open = [followed for followed in self.open if followed not in closed]
        self.positions += [position for f in closed if (position := register.positions.get(f.node)) is not None]

    @property
    def watermark(self) -> int:
        """Give the time up to which the family is known, in nanoseconds since the epoch; 0 for nothing."""
        return max([0, *(f.listed for f in self.open), *(position.modified for position in self.positions)])


class Generations:
    """The families of logs that may have generations nobody has seen."""

    def __init__(self, register: Register, surroundings: Surroundings) -> None:
        """Share what is known of the files."""
        self._register = register
        self._surroundings = surroundings
        self._unsettled: dict[str, tuple[SourceTable, ...]] = {}
        self._since: dict[str, int] = {}
        self._inodes: dict[str, frozenset[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._unsettled)

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
        """Suspect the logs beside which a file came that may have been rotated from them, seen by nobody."""
        logs = {log_of(followed.path): followed.sources for followed in self._register.open.values()}
        for directory, names in entries.items():
            known = self._inodes.get(directory)
            self._inodes[directory] = frozenset(names.values())
            for name, inode in names.items():
                if known is None or inode in known:
                    continue
                for log in possible_logs(name):
                    path = os.path.join(directory, log)
                    if path in logs:
                        self._unsettled[path] = logs[path]

    def settle(self, now: float) -> None:
        """Read what of the suspected families nobody has read; families that are not complete stay suspected."""
        incomplete = self._incomplete(now)
        if not self._unsettled:
            return
        relatives = self._relatives()
        for log, sources in list(self._unsettled.items()):
            if self._settle(log, sources, relatives[log], now) and log not in incomplete:
                del self._unsettled[log]
                self._since.pop(log, None)

    def _incomplete(self, now: float) -> set[str]:
        """Suspect the families of which some file waits or was closed early; they stay suspected until that is over."""
        register = self._register
        logs = set()
        for _, file in register.waiting.values():
            log = log_of(file.path)
            logs.add(log)
            self._since.setdefault(log, file.modified)
            self._unsettled.setdefault(log, register.sources_of(file.path))
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
            name = os.path.basename(path)
            for possible in {name, *possible_logs(name), os.path.basename(log_of(path))} & names.keys():
                for log in names[possible]:
                    if anywhere or os.path.dirname(log) == os.path.dirname(path):
                        yield families[log]

        elsewhere = {source.name for source in self._register.sources if source.rotated}
        for followed in self._register.open.values():
            for family in of(followed.path, anywhere=followed.source.name in elsewhere):
                family.open.append(followed)
        for position in self._register.positions.all_known():
            for family in of(position.path, anywhere=position.source in elsewhere):
                family.positions.append(position)
        return families

    def _settle(self, log: str, sources: tuple[SourceTable, ...], relatives: Relatives, now: float) -> bool:
        """Account for one family; tells whether that is complete."""
        # nothing of a family may be known but that a file of it waits for its first descriptor
        watermark = relatives.watermark or self._since.get(log, 0)
        if not watermark:
            return True
        neighbours = self._surroundings.of(log, [glob for source in sources for glob in source.rotated])
        complete = not neighbours.unlisted
        for file in neighbours.generations(log):
            if file.modified < watermark:
                # the newest come first: the rest is history
                break
            if not (file.identity.node in self._register.open or self._register.is_own(file.identity.node)):
                complete &= self._account(file, log, watermark, sources, relatives, now)
        return complete

    def _account(
        self,
        file: Found,
        log: str,
        watermark: int,
        sources: tuple[SourceTable, ...],
        relatives: Relatives,
        now: float,
    ) -> bool:
        """Follow a generation if nobody has read it; False when that cannot be told now."""
        register = self._register
        node = file.identity.node
        if (position := register.positions.get(node)) and position.offset == file.size and position.path == file.path:
            return True
        try:
            content = open_content(register.host, file.path)
        except (UnreadableError, OSError):
            return not register.exists(file.path)
        plain = not isinstance(content, CompressedLog)
        if content.identity.node != node or (plain and register.is_found(node)):
            # another file by now: the next scan deals with it; or a glob matches it: this scan does
            content.close()
            return plain and content.identity.node == node
        try:
            position = self._position(content)
            known = (
                not content.reaches(position.offset + 1)
                if position is not None
                else is_known_content(content, file.size, relatives.open, relatives.positions)
            )
        except OSError:
            content.close()
            return False
        if known:
            content.close()
            return True
        room = register.make_room(now)
        relatives.part_with(register)
        if not room:
            content.close()
            return False
        tailer = register.tailer(content, file.path, sources[0])
        if position is not None and tailer.resume(position):
            register.positions.take(position)
        followed = register.follow(tailer, sources, now, listed=watermark)
        followed.gone_at, followed.finite = now, not plain
        relatives.open.append(followed)
        telemetry.generation_found(file.path, log)
        return True

    def _position(self, content: LogFile | CompressedLog) -> Checkpoint | None:
        """Give the position of a generation; one of an earlier file with the same inode is void."""
        positions = self._register.positions
        position = positions.get(content.identity.node)
        if position is not None and not (position.offset and recognises(content, position)):
            positions.retire(position)
            return None
        return position


def is_known_content(
    content: LogFile | CompressedLog, size: int, relatives: Iterable[Followed], known: Iterable[Checkpoint]
) -> bool:
    """Tell whether a generation is only a copy of what is being read, or was read before.

    Args:
        content: of the generation.
        size: its bytes on the disk.
        relatives: the open files of the same family.
        known: checkpoints of the family.
    """
    head = content.read_at(0, HEAD_BYTES)
    for position in known:
        length = position.head.length
        # of a short file the whole is known: a longer one that begins so is another
        if (
            length
            and confirms(position.head, head)
            and (length >= SURE_BYTES or not content.reaches(position.offset + 1))
        ):
            return True
    for followed in relatives:
        read = followed.tailer.checkpoint()
        if followed.held:
            begins = read.head.length > 0 and confirms(read.head, head)
            whole, length = read.offset, read.head.length
        elif isinstance(content, CompressedLog):
            mine = fingerprint(followed.tailer.file.read_at(0, HEAD_BYTES))
            begins = mine.length > 0 and confirms(mine, head)
            whole, length = followed.tailer.file.status().st_size, mine.length
        else:
            there = followed.tailer.file.status().st_size
            begins = is_beginning(content, size, followed.tailer.file, there)
            whole = length = size
        if begins and (length >= SURE_BYTES or not content.reaches(whole + 1)):
            return True
    return False
