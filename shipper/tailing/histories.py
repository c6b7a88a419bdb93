"""What lay beside each log when all of it was accounted for, by modification time: rotation and compression keep that.

A generation is new when it was written later than anything known. Where the clock was set back, "later" says nothing;
then new is what was not there when the family was settled last, until it is settled again, whatever the clock says by
then (hazards 1.2, 9.3). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.events import History

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from shipper.tailing.discovery import Found

STEP_NS = 3600 * 10**9
"""The clock may be set back by so much, and have passed the watermark again, before anybody looks."""

STAMP_NS = 2 * 10**9
"""The coarsest stamps of files that are in use."""


def may_come_again(stamp: int, now: int) -> bool:
    """Tell whether what is written now may yet get a modification time that something has; both in nanoseconds."""
    return now - STAMP_NS <= stamp <= now


class Histories:
    """Modification times in nanoseconds since the epoch, by log."""

    def __init__(self, known: Mapping[str, History]) -> None:
        """Begin with what the store knows."""
        self._known = dict(known)
        self._changed: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __contains__(self, log: str) -> bool:
        return log in self._known

    def unaccounted(self, log: str, files: Iterable[Found], watermark: int, now: int) -> list[Found]:
        """Give the generations of a log that may hold what nobody has read.

        Args:
            log: the path of the log.
            files: its generations.
            watermark: when the newest that is known of the family was written.
            now: the wall clock in nanoseconds.
        """
        known = self._known.get(log)
        if known is None:
            # only the clock can tell
            return [file for file in files if file.modified >= watermark]
        if watermark > now and not known.set_back:
            known = History(known.times, set_back=True)
            self._put(log, known)
        since = 0 if known.set_back else watermark - STEP_NS
        times = set(known.times)
        return [
            file
            for file in files
            if file.modified >= watermark or (file.modified >= since and file.modified not in times)
        ]

    def begin(self, log: str, files: Iterable[Found]) -> None:
        """Note what lies beside a log of which nothing was read yet: it was there before, whatever its stamps say."""
        self._put(log, History(tuple(sorted({file.modified for file in files}))))

    def account(self, log: str, files: Iterable[Found], now: int) -> None:
        """Note that all generations of a log are accounted for."""
        times = {file.modified for file in files if not may_come_again(file.modified, now)}
        self._put(log, History(tuple(sorted(times))))

    def doubt(self, log: str, since: int) -> None:
        """Note that nothing is accounted for that was written since a moment, in nanoseconds; 0: nobody knows when."""
        known = self._known.get(log)
        if known is not None and since:
            self._put(log, History(tuple(time for time in known.times if time < since), set_back=True))

    def keep(self, logs: Collection[str]) -> None:
        """Let go of all logs but these."""
        for log in self._known.keys() - logs:
            del self._known[log]
            self._changed.add(log)

    def changes(self) -> dict[str, History | None]:
        """Give what has to be recorded; None for what goes."""
        return {log: self._known.get(log) for log in self._changed}

    def recorded(self, changes: Mapping[str, History | None]) -> None:
        """Note that what `changes` gave is in the store; nothing may have been changed since."""
        self._changed.difference_update(changes)

    def _put(self, log: str, history: History) -> None:
        if self._known.get(log) != history:
            self._known[log] = history
            self._changed.add(log)
