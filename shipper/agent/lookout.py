"""When what is to be looked at: hints of the watcher, scans of the directories, and polls where no hints come from.

The periodic scan is the truth, a hint only makes it sooner (hazards 2.1, 2.2). It belongs to the intake's thread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.agent.clock import Clock
    from shipper.config.model import SourceTable
    from shipper.tailing.following import Following
    from shipper.tailing.watcher import Watcher

ACTIVE_POLL = 0.05
UNWATCHED_POLL = 1.0
SCAN_SHARE = 0.05


class Lookout:
    """See above. Times are monotonic seconds."""

    def __init__(self, following: Following, watcher: Watcher | None, clock: Clock) -> None:
        """Look at everything when first asked.

        Args:
            following: the files.
            watcher: where hints come from; None polls.
            clock: tells the time.
        """
        self._following = following
        self._watcher = watcher
        self._clock = clock
        self._scan_at: dict[str, float] = {}
        self._poll_at = 0.0
        self._unheard: set[str] = set()
        self._look_at = 0.0
        # of the open files; None when scans or searches may have changed that
        self._places: set[str] | None = None
        self._scan_cost: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Look at all that is due: files that changed are active then, new ones are followed."""
        self._take_hints()
        self._look_beside(now)
        self._scan_due(now)

    def due_at(self) -> float:
        """Tell when something is to be looked at again, if no hint comes before."""
        until = min([self._poll_at, *self._scan_at.values()])
        return min(until, self._look_at) if self._unheard else until

    def scan_now(self, source: SourceTable | None = None) -> None:
        """Have a source scanned with the next look; all of them when none is named."""
        if source is None:
            self._scan_at.clear()
        else:
            self._scan_at[source.name] = 0.0

    def forget_places(self) -> None:
        """Note that other files are open than before."""
        self._places = None

    def _take_hints(self) -> None:
        if self._watcher is None:
            return
        hints = self._watcher.take()
        if hints.overflowed:
            # what was written, and where names changed, is not known: everything is looked at (hazard 2.2)
            self._scan_at.clear()
            for followed in self._following.files.values():
                followed.active = True
        closed = set(hints.written)
        for followed in self._following.files.values() if hints.written else ():
            if followed.path in hints.written:
                followed.active = True
                closed.discard(followed.path)
        # known files that are not open, for there are too many: a scan takes them up, within a second
        written = {os.path.dirname(path) for path in closed if self._following.positions.at(path)}
        for source in self._following.sources:
            directories = self._following.directories.get(source.name, set())
            if hints.stirred & directories:
                self._scan_at[source.name] = 0.0
            elif written & directories:
                self._scan_at[source.name] = min(self._scan_at.get(source.name, 0.0), self._poll_at)

    def _look_beside(self, now: float) -> None:
        """Look at the quiet files of directories that are too busy to be heard, for a small part of the time.

        Once more when they are heard again: what was written until then was heard by nobody (hazard 2.1).
        """
        busy = self._watcher.busy() if self._watcher is not None else set()
        if not (busy or self._unheard) or now < self._look_at:
            return
        directories, self._unheard = busy | self._unheard, busy
        began = self._clock.monotonic()
        for followed in self._following.files.values():
            if not followed.active and followed.directory in directories:
                followed.active = followed.is_changed()
        self._look_at = now + max(ACTIVE_POLL, (self._clock.monotonic() - began) / SCAN_SHARE)

    def _scan_due(self, now: float) -> None:
        due = [s for s in self._following.sources if now >= self._scan_at.get(s.name, 0.0)]
        arrived = [self._scan(source, now) for source in due]
        if any(arrived):
            # a new file may belong to others too: they must know it before it is read (hazard 1.11)
            for source in self._following.sources:
                if source not in due:
                    self._scan(source, now)
        if due or self._following.searching:
            self._places = None
        self._following.search(now)
        if now >= self._poll_at:
            self._poll_at = now + UNWATCHED_POLL
            self._poll_unwatched()
            self._listen()

    def _scan(self, source: SourceTable, now: float) -> bool:
        began = self._clock.monotonic()
        arrived = self._following.scan(source, now)
        self._scan_cost[source.name] = self._clock.monotonic() - began
        soon = self._following.undecided
        self._scan_at[source.name] = now + (min(UNWATCHED_POLL, source.scan_interval) if soon else source.scan_interval)
        return arrived

    def _poll_unwatched(self) -> None:
        """Look at the files from whose directories no hints come."""
        heard = self._heard()
        if self._places is None:
            self._places = {followed.directory for followed in self._following.files.values()}
        if not self._places <= heard or any(source.watch != "auto" for source in self._following.sources):
            for followed in self._following.files.values():
                if not followed.active and not (followed.directory in heard and followed.source.watch == "auto"):
                    followed.active = followed.is_changed()
        for source in self._following.sources:
            directories = self._following.directories.get(source.name, set())
            if source.watch != "auto" or not directories <= heard:
                self._scan_at[source.name] = min(self._scan_at[source.name], self._poll_at)
            elif self._following.has_closed and directories & self._unheard:
                # files that are not open may have been written to; scans take a small part of the time, however long
                at = self._poll_at + self._scan_cost.get(source.name, 0.0) / SCAN_SHARE
                self._scan_at[source.name] = min(self._scan_at[source.name], at)

    def _heard(self) -> set[str]:
        """Give the directories from which hints come."""
        if self._watcher is None:
            return set()
        known: set[str] = set().union(*self._following.directories.values())
        return {directory for directory in known if self._watcher.hears(directory)}

    def _listen(self) -> None:
        if self._watcher is None:
            return
        directories: set[str] = set()
        for source in self._following.sources:
            if source.watch == "auto":
                directories |= self._following.directories.get(source.name, set())
        self._watcher.watch(directories)
