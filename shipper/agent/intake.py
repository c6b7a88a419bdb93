"""The first loop: files → blocks → events → the outbox, in passes over all files that have something new.

In each pass every file that was read to its end has its turn first, then those that are behind, in turn, until
`PASS_SECONDS` are over: so a file written as fast as the disk allows keeps no quiet one waiting (hazard 6.2). Offsets
are committed together with the events they caused. Between passes it waits for a hint, or for the next scan.
What there is no room for waits in the log files, see `room`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.commits import Commits
from shipper.agent.judging import judged, tell
from shipper.agent.lookout import ACTIVE_POLL, Lookout
from shipper.agent.room import Room
from shipper.agent.storms import Storms
from shipper.agent.tap import Tap
from shipper.tailing.condition import conditions, paused
from shipper.tailing.sequels import next_blocks, part, successors
from shipper.tailing.tailer import Halt

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipper.agent.clock import Clock
    from shipper.agent.heartbeat import Heartbeat
    from shipper.agent.recent import Recent
    from shipper.agent.trouble import Trouble
    from shipper.config.model import SourceTable, StoreTable
    from shipper.matching.engine import Engine
    from shipper.outbox.store import Store
    from shipper.tailing.condition import FileCondition
    from shipper.tailing.followed import Followed
    from shipper.tailing.following import Following
    from shipper.tailing.skipped import Unreadable
    from shipper.tailing.watcher import Watcher

TURN_BYTES = 1024 * 1024
TURN_SECONDS = 0.1
PASS_SECONDS = 0.25
COMMIT_EVENTS = 1000
ACTIVE_FOR = 2.0
STORM_LOOK = 1.0


class Intake:
    """Reads, matches and records. `run` is called in a thread of its own; `stop` and `change` by any other.

    Attributes:
        tap: shows its events.
        looked_at: when the loop last began something, monotonic; a loop that is well does so within seconds.
    """

    def __init__(
        self,
        following: Following,
        engine: Engine,
        store: Store,
        limits: StoreTable,
        *,
        wake: threading.Event,
        recorded: Callable[[], None],
        watcher: Watcher | None,
        heartbeat: Heartbeat | None = None,
        recent: Recent | None = None,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        """Prepare; nothing is read before `run`.

        Args:
            following: the files.
            engine: the rules.
            store: where offsets and events go.
            limits: when reading pauses.
            wake: set by hints, `stop` and `change`.
            recorded: called after events were committed.
            watcher: where hints come from; None polls.
            heartbeat: makes an event every so often; None for none.
            recent: keeps the newest events with their lines; None when nobody can look at them.
            clock: tells the time.
        """
        self._following = following
        self._engine = engine
        self._store = store
        self._wake = wake
        self._clock = clock
        self._stopping = threading.Event()
        self._pending: list[Callable[[], None]] = []
        self._pending_lock = threading.Lock()
        self.looked_at = clock.monotonic()
        self._lookout = Lookout(following, watcher, clock)
        self._turn = 0
        self._heartbeat = heartbeat
        self._recent = recent
        self._storms = Storms(store, limits, clock)
        self.tap = Tap()
        self._commits = Commits(
            following,
            store,
            engine.limits,
            self._storms,
            self.tap,
            recorded=recorded,
            stopping=self._stopping,
            clock=clock,
        )
        self._adopt(engine)
        self._room = Room(store, limits, self._commits, clock)

    def run(self) -> None:
        """Work until `stop`; what was read is committed before this returns."""
        while not self._stopping.is_set():
            if not self.step(self._clock.monotonic()):
                self._wait(self._clock.monotonic())
        for followed in self._following.last_chances():
            self._take_losses(followed)
        self._commits.commit()

    def stop(self) -> None:
        """Ask `run` to end after the block at hand."""
        self._stopping.set()
        self._wake.set()

    def close(self) -> None:
        """Close the files; `run` must have returned."""
        self._following.close()

    def change(self, engine: Engine, sources: tuple[SourceTable, ...]) -> None:
        """Use other rules and sources from the next pass on, between two blocks (spec, section 4 "Reload")."""

        def apply() -> None:
            self._adopt(engine)
            if sources != self._following.sources and self._commits.commit():
                self._following.reconfigure(sources)
                self._lookout.scan_now()

        with self._pending_lock:
            self._pending.append(apply)
        self._wake.set()

    def _adopt(self, engine: Engine) -> None:
        """Judge by other rules from now on; what is held back for rules that are gone is told."""
        if self._engine.quarantine is not None:
            self._engine.quarantine.release_all()
            tell(self._engine.quarantine)
        self._engine = engine
        self._commits.take(engine.limits.use(engine.rules))

    def step(self, now: float) -> bool:
        """Look at everything that is due once; tells whether there may be more at once.

        `run` calls it again and again; without threads it may be called in its place.
        """
        self.looked_at = now
        self._apply_changes()
        self._lookout.look(now)
        more = self._room.look() and self._read_all(now)
        if self._stopping.is_set():
            return False
        self._commits.take(self._engine.limits.expire(self._clock.now().timestamp()))
        self._commits.look()
        if self._heartbeat is not None:
            self._commits.take(self._heartbeat.look())
        if self._commits.are_due(now, loaded=more):
            self._commits.commit()
        self._finish(now)
        return more

    def _read_all(self, now: float) -> bool:
        """Give the files their turns; tells whether some have more."""
        until = self._clock.monotonic() + PASS_SECONDS
        more = was_behind = False
        # one that waits for another comes after it
        for followed in sorted(self._due(now), key=lambda f: (f.halt is None, f.predecessor is not None, f.turn)):
            if followed.halt is None:
                # one of those that are behind has its turn in every pass, however slow the machine is
                if was_behind and self._clock.monotonic() >= until:
                    return True
                was_behind = True
            self._turn += 1
            followed.turn = self._turn
            more |= self._read(followed, now)
            if len(self._commits.events) >= COMMIT_EVENTS and not (self._commits.commit() and self._room.look()):
                return True
            if self._stopping.is_set():
                break
        return more

    def _due(self, now: float) -> list[Followed]:
        # few of thousands are active
        active = [f for f in self._following.files.values() if f.active]
        return [f for f in active if f.is_due(now) and not self._room.is_closed_to(f)]

    def _apply_changes(self) -> None:
        with self._pending_lock:
            pending, self._pending = self._pending, []
        for apply in pending:
            apply()

    def _read(self, followed: Followed, now: float) -> bool:
        """Take what one file has, up to the budget; tells whether it had more than that."""
        tailer = followed.tailer
        self.looked_at = self._clock.monotonic()
        before = tailer.offset
        try:
            # before it is read: what is written while it is being read is a change since then, to be noticed
            status = tailer.file.status()
            halt = self._take_blocks(followed, now)
            if halt is Halt.REWRITTEN:
                self._take_losses(followed)
                self._following.rewritten(followed, now)
                self._lookout.forget_places()
                return not followed.held
            followed.saw(status)
        except OSError as error:
            self._take_losses(followed)
            self._commits.commit()
            self._following.fail(followed, error.strerror or str(error), now)
            return False
        self._take_losses(followed)
        followed.halt = halt
        if tailer.offset != before:
            followed.changed_at = now
        elif followed.gone_at is None:
            if self._following.moved_away(followed):
                self._lookout.scan_now(followed.source)
            followed.active = halt is not Halt.AT_END or now - followed.changed_at <= ACTIVE_FOR
            if not followed.active:
                tailer.trail.shorten()
        elif halt is Halt.UNFINISHED and self._following.is_replaced(followed):
            # the open record may end in the file that has its name now
            self._lookout.scan_now(followed.source)
        return halt is None

    def _take_blocks(self, followed: Followed, now: float, *, flush: bool = False) -> Halt | None:
        """Match what one file has, up to the budget; tells why there was no more. Raises `OSError`."""
        tailer = followed.tailer
        before = tailer.offset
        # what it fed long ago and nothing waits of does not hold it back
        followed.feeds &= self._store.waiting_by_rule().keys()
        if followed.predecessor is not None and self._room.is_closed_to(followed.predecessor):
            # nobody knows for how long
            part(followed.predecessor, followed)
        until = self._clock.monotonic() + TURN_SECONDS
        together = [tailer, *(later.tailer for later in successors(followed))]
        passed = sum(each.offset - each.skipped for each in together)
        try:
            while self._is_turn(tailer.offset - before, until):
                found = next_blocks(followed, self._clock.now(), now, most_skipped=TURN_BYTES, flush=flush)
                if found is Halt.SKIPPED:
                    break
                if isinstance(found, Halt):
                    return found
                # all of them before the next commit: their offsets have moved together
                for block in found:
                    events, unjudged = judged(self._engine, block)
                    followed.feeds.update(event.rule for event in events)
                    self._commits.take(events)
                    if self._recent is not None and events:
                        self._recent.take(events, block)
                    self._commits.note(unjudged)
        finally:
            moved = sum(each.offset - each.skipped for each in together)
            self._commits.bytes_read += moved - passed
        return None

    def _is_turn(self, taken: int, until: float) -> bool:
        """Tell whether a file that has given so many bytes may go on."""
        if taken >= TURN_BYTES or len(self._commits.events) >= COMMIT_EVENTS:
            return False
        # events that a storm folds are not among those of the commit
        return not taken or self._clock.monotonic() < until

    def _take_losses(self, followed: Followed) -> None:
        """Count what was not read, and tell it once for each reason (I1)."""
        losses = followed.tailer.take_losses()
        self._commits.losses += losses
        for loss in losses:
            telemetry.bytes_lost(followed.path, loss.reason, loss.amount, told=loss.reason in followed.told)
            followed.told.add(loss.reason)
        if followed.tailer.odd_lines and "odd" not in followed.told:
            followed.told.add("odd")
            telemetry.format_not_kept(followed.path, followed.source.format)

    def _finish(self, now: float) -> None:
        """Close files that are read to their end and have no name any more; first what was read of them is durable."""
        finished = list(self._following.finished(now))
        if not finished:
            return
        for followed in finished:
            self._take_last(followed, now)
        # power loss must not undo offsets and events of files that cannot be read again
        if self._commits.commit() and self._commits.sync():
            for followed in finished:
                self._following.let_go(followed)

    def _take_last(self, followed: Followed, now: float) -> None:
        """Give a file that is let go its last turn: what is unfinished is taken as it is, the rest is lost (1.9)."""
        if not self._room.is_full and not self._room.is_closed_to(followed) and followed.unread():
            with suppress(OSError):
                # then all of it is lost
                self._take_blocks(followed, now, flush=True)
        followed.give_up()
        self._take_losses(followed)

    def _wait(self, now: float) -> None:
        until = self._lookout.due_at()
        if not self._room.is_full and self._due(now):
            until = min(until, now + ACTIVE_POLL)
        until = min(until, now + self._engine.limits.due_at - self._clock.now().timestamp())
        if self._storms.are_on:
            until = min(until, now + STORM_LOOK)
        if self._heartbeat is not None:
            until = min(until, self._heartbeat.due_at)
        if self._wake.wait(max(0.0, until - now)):
            self._wake.clear()

    @property
    def store_trouble(self) -> Trouble | None:
        """Why, and since when, the store cannot be written."""
        return self._commits.trouble

    @property
    def pause(self) -> Trouble | None:
        """Why, and since when, nothing is read."""
        return self._room.trouble

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What of the sources may not be read, as their last scans saw it."""
        return tuple(self._following.unreadable.values())

    @property
    def engine(self) -> Engine:
        """The one at work; its numbers are counted on while they are read."""
        return self._engine

    def conditions(self, timeout: float) -> list[FileCondition] | None:
        """Tell of every file why it is or is not being read; any thread may ask.

        Args:
            timeout: seconds to wait for the thread of `run`, which looks between two passes.

        Returns:
            None when it did not come to that in time, or has ended.
        """
        found: list[FileCondition] = []
        answered = threading.Event()

        def look() -> None:
            held = {f.tailer.identity for f in self._following.files.values() if self._room.is_closed_to(f)}
            for condition in conditions(self._following, self._clock.monotonic()):
                is_held = self._room.is_full or condition.identity in held
                reason = self._room.reason if is_held else None
                found.append(condition if reason is None else paused(condition, reason))
            answered.set()

        with self._pending_lock:
            self._pending.append(look)
        self._wake.set()
        if not answered.wait(0 if self._stopping.is_set() else timeout):
            with self._pending_lock:
                self._pending = [change for change in self._pending if change is not look]
            return None
        return found
