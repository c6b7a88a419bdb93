"""The families of logs: which may have generations that nobody has seen, and what lay beside them (hazard 1.2).

A log's family is settled when everything that was rotated from it is either being read or known. Its watermark is the
modification time of its newest file when it last was: what was rotated later was written later, what is older is
history that was there before the first look; see `Histories` for clocks that are set back. While a member waits for a
descriptor, cannot be read, or its rest is still looked for, the watermark stays, so that nothing slips through whatever
its name is by then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.tailing.generations import Family, Generations, Relatives
from shipper.tailing.histories import Histories, may_come_again
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from shipper.config.model import SourceTable
    from shipper.events import Checkpoint, History, Node
    from shipper.tailing.register import Register
    from shipper.tailing.surroundings import Neighbours, Surroundings


class Families:
    """See above.

    Attributes:
        histories: what lay beside each log when its family was settled last.
    """

    def __init__(
        self,
        register: Register,
        surroundings: Surroundings,
        histories: Mapping[str, History],
        wall: Callable[[], float],
    ) -> None:
        """Share what is known of the files; `wall` tells seconds since the epoch as the stamps of files have them."""
        self.histories = Histories(histories)
        self._register = register
        self._surroundings = surroundings
        self._wall = wall
        self._generations = Generations(register)
        self._unsettled: dict[str, tuple[SourceTable, ...]] = {}
        self._since: dict[str, int] = {}
        self._floor: dict[str, int] = {}
        self._entries: dict[str, Mapping[str, int]] = {}
        self._blocked: set[str] = set()

    def __bool__(self) -> bool:
        """Tell whether some family is to be looked at soon; one of which a file cannot be read may take for ever."""
        return any(log not in self._blocked for log in self._unsettled)

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

    def look_again(self, path: str, sources: tuple[SourceTable, ...], since: int) -> None:
        """Look at all generations of a file's family that were written since a moment, accounted for or not.

        What was found may be another file that begins in the same way (hazard 1.8).

        Args:
            path: of the file.
            sources: those that read it.
            since: in nanoseconds since the epoch; 0 when it is not known.
        """
        self.suspect(path, sources, since)
        if since:
            log = log_of(path)
            self._floor[log] = min(since, self._floor.get(log, since))

    def doubt(self, path: str, since: int) -> None:
        """Look at all generations of a file's family that were written since a moment, also after a restart.

        Args:
            path: of the file.
            since: in nanoseconds since the epoch; 0 when it is not known.
        """
        self.histories.doubt(log_of(path), since)

    def is_settled(self, path: str) -> bool:
        """Tell whether everything of a file's family was accounted for."""
        return log_of(path) not in self._unsettled

    def distinct(self, stamp: int) -> int:
        """Give a modification time if no later one is equal to it, else 0; in nanoseconds since the epoch."""
        return 0 if may_come_again(stamp, self._wall_ns()) else stamp

    def notice(self, entries: Mapping[str, Mapping[str, int]]) -> None:
        """Suspect the logs beside which a name came that may have been rotated from them, seen by nobody.

        Names and inodes are compared together: the next copy may have the inode of the one that was just removed.
        """
        logs: dict[str, tuple[SourceTable, ...]] = {}
        closed: set[str] | None = None
        for directory, names in entries.items():
            known = self._entries.get(directory)
            self._entries[directory] = names
            if known is None or known == names:
                continue
            come = [name for name, inode in names.items() if known.get(name) != inode]
            if come and closed is None:
                logs = {log_of(followed.path): followed.sources for followed in self._register.open.values()}
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
        nodes = {position.identity.node for position in searched}
        for log in incomplete:
            self._unsettled.setdefault(log, self._register.sources_of(log))
        if not self._unsettled:
            return
        relatives = self._relatives()
        for log, sources in list(self._unsettled.items()):
            watermark = relatives[log].watermark or self._since.get(log, 0)
            watermark = min(watermark, self._floor.get(log, watermark))
            if not relatives[log].watermark and log not in self.histories:
                self.histories.begin(log, self._neighbours(log, sources).generations(log))
            # without one nothing of it was read yet
            whole = not watermark or self._settle(log, watermark, sources, relatives[log], nodes, now)
            if relatives[log].has_untouched():
                # rests that lie in another directory are of this family too
                self._blocked.add(log)
            elif whole and log not in incomplete:
                del self._unsettled[log]
                self._since.pop(log, None)
                self._floor.pop(log, None)
                self._register.positions.forget_trails(log)
                self.histories.account(log, self._neighbours(log, sources).generations(log), self._wall_ns())
                continue
            for followed in relatives[log].open:
                # the store must know how much of the family is, should this process end before all of it is
                followed.listed = followed.listed or watermark

    def forget(self) -> None:
        """Let go of the families of which nothing is known any more (hazard 5.5)."""
        paths = {content.checkpoint.path for content in self._register.positions.known()}
        paths.update(followed.path for followed in self._register.open.values())
        # rotation may put a file into another directory
        names = {os.path.basename(log_of(path)) for path in paths}
        self.histories.keep({log for log in self.histories if os.path.basename(log) in names} | self._unsettled.keys())

    def _incomplete(self, now: float) -> set[str]:
        """Suspect the families of which some file waits or was closed early; they stay suspected until that is over.

        One of which nothing was read waits too: its position confirms nothing, so only its time tells it apart.
        """
        register = self._register
        logs = set()
        for _, file in register.waiting.values():
            log = log_of(file.path)
            logs.add(log)
            self._since.setdefault(log, file.modified)
            self._unsettled.setdefault(log, register.sources_of(file.path))
        self._blocked = set()
        for _, file in register.shut.values():
            self._blocked.add(log_of(file.path))
            self._since.setdefault(log_of(file.path), file.modified)
        for followed in register.open.values():
            if followed.is_untouched():
                log = log_of(followed.path)
                self._blocked.add(log)
                self._since.setdefault(log, followed.seen[1])
                self._unsettled.setdefault(log, followed.sources)
        logs |= self._blocked
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
        self,
        log: str,
        watermark: int,
        sources: tuple[SourceTable, ...],
        relatives: Relatives,
        searched: Collection[Node],
        now: float,
    ) -> bool:
        """Account for one family; tells whether that is complete."""
        relatives.part_with(self._register)
        if relatives.may_be_rewritten():
            return False
        neighbours = self._neighbours(log, sources)
        suspects = self.histories.unaccounted(log, neighbours.generations(log), watermark, self._wall_ns())
        family = Family(log, watermark, sources, relatives)
        return self._generations.account(family, suspects, searched, now) and not neighbours.unlisted

    def _wall_ns(self) -> int:
        return int(self._wall() * 1e9)

    def _neighbours(self, log: str, sources: tuple[SourceTable, ...]) -> Neighbours:
        return self._surroundings.of(log, [glob for source in sources for glob in source.rotated])
