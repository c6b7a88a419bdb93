"""What lay beside each log when all of it was accounted for, by modification time: rotation and compression keep that.

A generation is new when it was written later than anything known. Where the clock was set back, "later" says nothing;
then new is what was not there when the family was settled last (hazards 1.2, 9.3). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from shipper.tailing.discovery import Found

STEP_NS = 3600 * 10**9
"""The clock may be set back by so much, and have passed the watermark again, before anybody looks."""

STAMP_NS = 2 * 10**9
"""The coarsest stamps of files that are in use."""


class Histories:
    """Modification times in nanoseconds since the epoch, by log."""

    def __init__(self, known: Mapping[str, Collection[int]]) -> None:
        """Begin with what the store knows."""
        self._known = {log: frozenset(times) for log, times in known.items()}
        self._changed: set[str] = set()

    def unaccounted(self, log: str, files: Iterable[Found], watermark: int, now: int) -> list[Found]:
        """Give the generations of a log that may hold what nobody has read.

        Args:
            log: the path of the log.
            files: its generations.
            watermark: when the newest that is known of the family was written.
            now: the wall clock in nanoseconds.
        """
        known = self._known.get(log)
        # without a history only the clock can tell
        since = watermark if known is None else 0 if watermark > now else watermark - STEP_NS
        return [
            file
            for file in files
            if file.modified >= watermark
            or (file.modified >= since and known is not None and file.modified not in known)
        ]

    def account(self, log: str, files: Iterable[Found], now: int) -> None:
        """Note that all generations of a log are accounted for; what is written now may yet get the same stamp."""
        times = frozenset(file.modified for file in files if not now - STAMP_NS <= file.modified <= now)
        if self._known.get(log) != times:
            self._known[log] = times
            self._changed.add(log)

    def keep(self, logs: Collection[str]) -> None:
        """Let go of all logs but these."""
        for log in self._known.keys() - logs:
            del self._known[log]
            self._changed.add(log)

    def changes(self) -> dict[str, Sequence[int] | None]:
        """Give what has to be recorded; None for what goes."""
        return {log: sorted(self._known[log]) if log in self._known else None for log in self._changed}

    def recorded(self, changes: Mapping[str, Sequence[int] | None]) -> None:
        """Note that what `changes` gave is in the store; nothing may have been changed since."""
        self._changed.difference_update(changes)
