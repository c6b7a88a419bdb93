"""What was read and is not in the store yet, and the commits that bring it there; a failing store is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.judging import sendable
from shipper.agent.trouble import Trouble
from shipper.errors import StateError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from shipper.agent.clock import Clock
    from shipper.agent.storms import Storms
    from shipper.agent.tap import Tap
    from shipper.events import Event, LimitState, Loss, Unjudged
    from shipper.matching.limits import Limits
    from shipper.outbox.store import Store
    from shipper.tailing.changes import Changes
    from shipper.tailing.following import Following

SAVE_INTERVAL = 1.0
HOLD_SECONDS = 0.05
"""While there is more to read, commits of events are so far apart: each costs as much as judging a block."""

STORE_RETRY = 1.0


class Commits:
    """Belongs to the intake's thread.

    Attributes:
        events: made since the last commit.
        losses: of bytes, likewise.
        bytes_read: likewise, that the rules saw.
        unjudged: places that rules did not judge, likewise; by all but their length, which grows.
        trouble: why, and since when, the store cannot be written.
    """

    def __init__(
        self,
        following: Following,
        store: Store,
        limits: Limits,
        storms: Storms,
        tap: Tap,
        *,
        recorded: Callable[[], None],
        stopping: threading.Event,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            following: the files.
            store: where offsets and events go.
            limits: what thresholds and throttles remember.
            storms: folds the events of rules that make too many.
            tap: shows events to whoever asks.
            recorded: called after events were committed.
            stopping: set when a failing store is waited for no longer.
            clock: tells the time.
        """
        self.events: list[Event] = []
        self.losses: list[Loss] = []
        self.bytes_read = 0
        self.unjudged: dict[tuple[str, str, int, str], Unjudged] = {}
        self._save_at = self._hold_until = 0.0
        self.trouble: Trouble | None = None
        self._following = following
        self._store = store
        self._limits = limits
        self._storms = storms
        self._tap = tap
        self._recorded = recorded
        self._stopping = stopping
        self._clock = clock

    def take(self, events: list[Event]) -> None:
        """Take events for the next commit; those of rules in the shadow are left out, for their tallies count them."""
        self._tap.take(events)
        self.events += self._storms.take(sendable(events))

    def note(self, unjudged: Sequence[Unjudged]) -> None:
        """Take places that rules did not judge."""
        for each in unjudged:
            self.unjudged[each.rule, each.path, each.offset, each.cause] = each

    def look(self) -> None:
        """Take what tells of storms that are over."""
        self.events += self._storms.look()

    def are_due(self, now: float, *, loaded: bool) -> bool:
        """Tell whether it is time to commit; `loaded` while there is more to read at once, so that events may wait."""
        if self.events and not loaded:
            return True
        return now >= (self._hold_until if self.events else self._save_at)

    def commit(self) -> bool:
        """Record all that changed; waits for the store while it fails. False when told to stop before it could be."""
        changes = self._following.changes()
        limits = [*self._limits.changes(), *self._storms.changes()]
        now = self._clock.monotonic()
        self._save_at, self._hold_until = now + SAVE_INTERVAL, now + HOLD_SECONDS
        if not (changes or self.events or self.losses or limits or self.unjudged):
            return True
        if not self._insist(lambda: self._record(changes, limits)):
            # nothing of it is in the store: the next start reads these lines again
            return False
        self._following.recorded(changes)
        self._limits.recorded()
        self._storms.recorded()
        if self.events:
            self._recorded()
        self.events, self.losses, self.bytes_read, self.unjudged = [], [], 0, {}
        return True

    def sync(self) -> bool:
        """Make all commits so far survive a power loss; waits like `commit`."""
        return self._insist(self._store.sync)

    def attempt(self, write: Callable[[], None]) -> bool:
        """Write to the store; a failing disk is told when it begins and when it ends (hazard 5.4)."""
        try:
            write()
        except StateError as error:
            if self.trouble is None:
                self.trouble = Trouble(str(error), self._clock.now())
                telemetry.store_failing(str(error))
            return False
        if self.trouble is not None:
            self.trouble = None
            telemetry.store_recovered()
        return True

    def _insist(self, write: Callable[[], None]) -> bool:
        while not self.attempt(write):
            if self._stopping.wait(STORE_RETRY):
                return False
        return True

    def _record(self, changes: Changes, limits: Sequence[LimitState]) -> None:
        self._store.record(
            changes.checkpoints,
            self.events,
            losses=self.losses,
            scanned=changes.scanned,
            limits=limits,
            unjudged=list(self.unjudged.values()),
            read=self.bytes_read,
            forgotten=changes.forgotten,
            past=changes.past,
            histories=changes.histories,
        )
