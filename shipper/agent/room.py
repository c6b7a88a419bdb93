"""Whether there is room for new events: in the queue, by the rules that fill it, and on the disk.

A full queue pauses the files that fill it, a full disk all of them: the log files are the buffer. Only with
`overflow = "drop_oldest"` events are dropped, and counted (hazards 5.4, 6.4).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent import backpressure
from shipper.agent.trouble import Trouble

if TYPE_CHECKING:
    from shipper.agent.clock import Clock
    from shipper.agent.commits import Commits
    from shipper.config.model import StoreTable
    from shipper.outbox.store import Store
    from shipper.tailing.followed import Followed

TOLD_RULES = 5


class Room:
    """Belongs to the intake's thread.

    Attributes:
        reason: why some files are not read now; None when all may be.
        is_full: whether none is.
        trouble: the same, and since when.
    """

    def __init__(self, store: Store, limits: StoreTable, commits: Commits, clock: Clock) -> None:
        """Prepare.

        Args:
            store: holds the queue.
            limits: of it.
            commits: tells when the store fails.
            clock: tells the time.
        """
        self.reason: str | None = None
        self.is_full = False
        self.trouble: Trouble | None = None
        self._store = store
        self._limits = limits
        self._commits = commits
        self._clock = clock
        self._backpressure = backpressure.NONE
        self._dropping = False

    def look(self) -> bool:
        """Tell whether there is room for new events of any file; changes are told once."""
        if self._limits.overflow == "drop_oldest":
            if not self._make_room():
                return False
        else:
            self._backpressure = backpressure.backpressure(self._store.waiting_by_rule(), self._limits.max_queue_bytes)
        is_full, reason = self._backpressure.everything, self._queue_reason()
        if self._limits.min_free_disk and self._free_disk() < self._limits.min_free_disk:
            is_full, reason = True, "the disk of state_dir has less free space than min_free_disk"
        if (reason is None) != (self.reason is None):
            telemetry.reading_paused(reason) if reason else telemetry.reading_resumed()
            self.trouble = Trouble(reason, self._clock.now()) if reason else None
        self.reason, self.is_full = reason, is_full
        return not is_full

    def is_closed_to(self, followed: Followed) -> bool:
        """Tell whether a file waits, since the rules that it feeds hold more than their share."""
        return self._backpressure.holds(followed.feeds)

    def _queue_reason(self) -> str | None:
        if self._backpressure == backpressure.NONE:
            return None
        reason = f"{self._store.waiting_count} events wait, as many bytes as max_queue_bytes allows"
        if self._backpressure.everything:
            return reason
        rules = sorted(self._backpressure.rules)
        names = ", ".join(rules[:TOLD_RULES]) + (f" and {len(rules) - TOLD_RULES} more" if rules[TOLD_RULES:] else "")
        return f"{reason}; files that feed the rules holding most of them ({names}) wait"

    def _make_room(self) -> bool:
        """Drop the oldest events over `max_queue_bytes`; told once until the queue is half empty (I1)."""
        limit = self._limits.max_queue_bytes
        if self._store.waiting_bytes <= limit:
            self._dropping &= self._store.waiting_bytes * 2 > limit
            return True
        return self._commits.attempt(self._drop)

    def _drop(self) -> None:
        if dropped := self._store.drop_oldest(self._limits.max_queue_bytes):
            telemetry.events_dropped(dropped, told=self._dropping)
            self._dropping = True

    def _free_disk(self) -> int:
        status = os.statvfs(self._store.file.parent)
        return status.f_bavail * status.f_frsize
