"""The embedded store: files' offsets and the events that wait, durable together in one SQLite database.

Promises
- `record` commits offsets and the events they caused in one transaction: after a crash or power loss both are
  there or neither is, and then the lines are read again (hazards 5.1, 5.2; I2).
- An event leaves by `acknowledge` or `bury`, and otherwise only by `drop_oldest`, counted as lost in the same commit.
- A damaged database is set aside and said, and what is sound in it is there again, never emptied in silence (hazard
  5.3). Damage that comes to light later is no failing disk: `StoreDamagedError`, and the next opening sets it aside.
- The directory is 0700, the files in it 0600.

WAL with `synchronous=NORMAL`: a commit survives the death of the process; a power loss may undo the last ones,
whole. `sync` makes all commits so far survive that too; it is called before a file that cannot be read again is let go.

One connection, guarded by a lock: intake and uploader share it.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from shipper.errors import StoreDamagedError
from shipper.events import LimitState, LostEvents
from shipper.outbox import dead_letters, rows
from shipper.outbox.acknowledged import Acknowledged
from shipper.outbox.backlog import Backlog, Movement
from shipper.outbox.database import Database
from shipper.outbox.delivered import Delivered
from shipper.outbox.passes import Passes
from shipper.outbox.schema import BYTES_READ, POSITIONS_LOST, SEND_RATE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from shipper.events import Checkpoint, Event, FileIdentity, History, Loss, Unjudged
    from shipper.outbox.dead_letters import Refusal
    from shipper.outbox.passes import Pass

_AT_ONCE = 1000


class Waiting(NamedTuple):
    """An event in the outbox.

    Attributes:
        seq: its place in the order of commits.
        rule: id of the rule that made it.
        event_id: the event's stable id.
        payload: its encoded form, ready to be sent.
    """

    seq: int
    rule: str
    event_id: str
    payload: bytes


class Store:
    """The database `shipper.db` of one state directory.

    Its methods raise `StateError` when the disk fails, `StoreDamagedError` when the database is damaged.

    Attributes:
        file: the database.
        dead_letters: what was refused, or not judged.
        delivered: which events were delivered lately.
        passes: how far backfills have come.
    """

    def __init__(
        self, directory: Path, encode: Callable[[Event], bytes], name: str = "shipper.db", *, remember: int = 0
    ) -> None:
        """Open or create the database.

        Args:
            directory: the state directory; its lock must be held by the caller.
            encode: gives the form in which an event waits and is sent.
            name: the database's file name.
            remember: ids of delivered events that are kept.

        Raises:
            StateError: it cannot be opened, or belongs to a newer version.
        """
        self.file = directory / name
        self._encode = encode
        self._database = Database(self.file)
        self._query = self._database.query
        self._lock = self._database.lock
        self._backlog = Backlog()
        self.dead_letters = dead_letters.DeadLetters(self._database, self._moving)
        self.delivered = Delivered(self._database, remember)
        self.passes = Passes(self._database)
        self._acknowledged = Acknowledged()
        self._in_flight: frozenset[int] = frozenset()
        with self._database.transaction() as run:
            self._acknowledged.sweep(run)
        for some in self._database.stretches(rows.READ_OUTBOX, _AT_ONCE):
            there = Movement()
            there.join(some)
            self._backlog.move(there)

    @property
    def waiting_count(self) -> int:
        """Number of events that wait."""
        return self._backlog.count

    @property
    def waiting_bytes(self) -> int:
        """Encoded bytes of the events that wait."""
        return self._backlog.bytes

    def waiting_by_rule(self) -> Mapping[str, int]:
        """Give the encoded bytes that wait, by rule id; a rule without waiting events is not in it. Costs no query."""
        with self._lock:
            return self._backlog.bytes_by_rule()

    def waiting_of(self, rule: str) -> int:
        """Give the number of events of a rule that wait. Costs no query."""
        return self._backlog.count_of(rule)

    def rules_over(self, count: int) -> list[str]:
        """Give the ids of the rules of which more events wait. Costs no query."""
        with self._lock:
            return self._backlog.rules_over(count)

    def checkpoints(self) -> list[Checkpoint]:
        """Give where every known file was left."""
        return [rows.checkpoint_of(row) for row in self._query(rows.READ_CHECKPOINTS)]

    def past(self) -> list[Checkpoint]:
        """Give what was read of content that is no more, the oldest of each log first."""
        return [rows.checkpoint_of(row) for row in self._query(rows.READ_PAST)]

    def histories(self) -> dict[str, History]:
        """Give what lay beside each log when it was accounted for."""
        return dict(map(rows.history_of, self._query(rows.READ_HISTORIES)))

    def limits(self, kind: str | None = None) -> list[LimitState]:
        """Give what limits of a kind, or all, remember."""
        return [LimitState(*row) for row in self._query(rows.READ_LIMITS, (kind,))]

    def scanned_sources(self) -> dict[str, tuple[str, ...]]:
        """Give the globs of every source that this store has scanned to the end once, by name."""
        return dict(map(rows.source_of, self._query(rows.READ_SOURCES)))

    def losses(self) -> dict[tuple[str, str], int]:
        """Give what was lost, by ("bytes" or "events", reason)."""
        return {(what, reason): amount for what, reason, amount in self._query(rows.READ_LOSSES)}

    def bytes_read(self) -> int:
        """Give the bytes of files that were ever matched: skipped ones are among the losses instead (I1)."""
        return self._counter(BYTES_READ)

    @property
    def send_rate(self) -> float | None:
        """Requests a second that were last found to be this host's share of the account's; None before the first."""
        return self._counter(SEND_RATE) / 1e6 or None

    def keep_send_rate(self, rate: float) -> None:
        """Keep the rate for the next start."""
        with self._database.transaction() as run:
            run.execute(rows.WRITE_COUNTER, (SEND_RATE, round(rate * 1e6)))

    @property
    def begun_anew(self) -> bool:
        """Whether a damaged database was set aside, and nobody has called `know` since."""
        return bool(self._counter(POSITIONS_LOST))

    def know(self, sources: Mapping[str, Sequence[str]]) -> None:
        """Take these sources, by name with their globs, as scanned although their positions may be lost.

        A file of theirs without a position is then read from 0, also by the next process (spec, `start_at`).
        """
        with self._database.transaction() as run:
            run.executemany(rows.WRITE_SOURCE, rows.source_rows(sources))
            run.execute("DELETE FROM counters WHERE name = ?", (POSITIONS_LOST,))

    def record(
        self,
        checkpoints: Iterable[Checkpoint],
        events: Sequence[Event] = (),
        *,
        losses: Iterable[Loss] = (),
        forgotten: Iterable[FileIdentity] = (),
        past: Mapping[str, Sequence[Checkpoint]] | None = None,
        histories: Mapping[str, History | None] | None = None,
        scanned: Mapping[str, Sequence[str]] | None = None,
        limits: Sequence[LimitState] = (),
        unjudged: Sequence[Unjudged] = (),
        passes: Sequence[Pass] = (),
        read: int = 0,
    ) -> None:
        """Commit what one pass over the files changed, all of it or nothing.

        Args:
            checkpoints: how far files were judged.
            events: what that judging made.
            losses: what was skipped or could not be read.
            forgotten: files whose content was replaced or found elsewhere.
            past: by log all that is remembered of its content that is no more; replaces what was.
            histories: by log what lay beside it; None for a log that is no more.
            scanned: sources whose first scan is complete, with their globs.
            limits: what thresholds and throttles remember otherwise than before.
            unjudged: places that rules did not judge.
            passes: how far a backfill has come with contents.
            read: bytes that were matched to come to these checkpoints; skipped ones are among `losses`.
        """
        payloads = [(event.rule, event.id, self._encode(event)) for event in events]
        with self._moving() as (run, moved):
            run.executemany(rows.FORGET_FILE, [rows.identity_row(identity) for identity in forgotten])
            run.executemany(rows.WRITE_CHECKPOINT, [rows.checkpoint_row(checkpoint) for checkpoint in checkpoints])
            for log, contents in (past or {}).items():
                run.execute(rows.FORGET_PAST, (os.fsencode(log),))
                run.executemany(rows.WRITE_PAST, rows.past_rows(log, contents))
            for log, history in (histories or {}).items():
                run.execute(rows.FORGET_HISTORY, (os.fsencode(log),))
                if history is not None:
                    run.execute(rows.WRITE_HISTORY, rows.history_row(log, history))
            rows.write_limits(run, limits)
            dead_letters.note(run, unjudged)
            self.passes.record(run, passes)
            run.executemany(rows.ADD_LOSS, [(loss.what, loss.reason, loss.amount) for loss in losses])
            run.executemany(rows.WRITE_SOURCE, rows.source_rows(scanned or {}))
            if read:
                run.execute(rows.ADD_TO_COUNTER, (BYTES_READ, read))
            if payloads:
                last = rows.write_events(run, payloads)
                first = last - len(payloads) + 1
                moved.join((seq, rule, len(payload)) for seq, (rule, _, payload) in enumerate(payloads, first))

    def forget_backfills(self) -> None:
        """Forget how far backfills came and what they delivered; what waits, or was refused, stays."""
        self.passes.forget()
        self.delivered.forget()
        with self._database.transaction() as run:
            run.execute(rows.FORGET_LIMITS)

    def waiting_ids(self) -> list[str]:
        """Give the ids of the events that wait."""
        return [event_id for (event_id,) in self._query(rows.READ_WAITING_IDS)]

    def next_events(self, limit: int) -> list[Waiting]:
        """Give the events whose turn it is, at most `limit`; they stay until they are settled.

        Rules take turns, one event each, in the order of their events; the rule that was settled last is the last to
        have its next turn. What is given is in flight, so that `drop_oldest` leaves it, until it is settled or a
        later call gives others.
        """
        with self._lock:
            turns = self._backlog.turns.next(limit)
            found = {row[0]: Waiting._make(row) for row in self._query(rows.READ_EVENTS, (json.dumps(turns),))}
            if len(found) < len(turns):
                raise StoreDamagedError(f"the store {self.file} is damaged: events that wait are not found in it")
            self._in_flight = frozenset(turns)
            return [found[seq] for seq in turns]

    def acknowledge(self, delivered: Sequence[Waiting]) -> None:
        """Let go of events that the service accepted; of those that are in flight, for no other can be."""
        with self._moving() as (run, moved):
            # one that is gone already must not be counted twice
            gone = [event for event in delivered if event.seq in self._in_flight]
            moved.settle((event.seq, event.rule, len(event.payload)) for event in gone)
            numbers = [event.seq for event in gone]
            if gone:
                self._acknowledged.note(run, numbers, is_last=len(gone) == self._backlog.count)
                self.delivered.note(run, (event.event_id for event in gone))
        self._in_flight = self._in_flight.difference(numbers)

    def drop_oldest(self, limit_bytes: int) -> int:
        """Drop the oldest events that are not in flight until `limit_bytes` or less wait; counted as lost.

        Returns:
            How many were dropped; what is in flight may keep more than `limit_bytes` waiting.
        """
        with self._moving() as (run, moved):
            excess = self._backlog.bytes - limit_bytes
            if excess <= 0:
                return 0
            self._acknowledged.sweep(run)
            dropped: list[tuple[int]] = []
            oldest = run.execute(rows.READ_OUTBOX)
            for seq, rule, size in oldest:
                if excess <= 0:
                    break
                if seq not in self._in_flight:
                    moved.count(rule, -1, -size)
                    dropped.append((seq,))
                    excess -= size
            oldest.close()
            if dropped:
                run.executemany(rows.SETTLE_EVENT, dropped)
                run.execute(rows.ADD_LOSS, ("events", LostEvents.QUEUE_FULL, len(dropped)))
                moved.dropped = dropped[-1][0], self._in_flight
            return len(dropped)

    def bury(self, refused: Waiting, refusal: Refusal, *, limit: int) -> int:
        """Move an event that the service refused to the dead letters, of which at most `limit` are kept.

        The oldest dead letter over the limit goes, counted as lost.

        Returns:
            Its number there.
        """
        with self._moving() as (run, moved):
            if run.execute(rows.SETTLE_EVENT, (refused.seq,)).rowcount:
                moved.settle([(refused.seq, refused.rule, len(refused.payload))])
            return dead_letters.bury(run, (refused.rule, refused.event_id, refused.payload), refusal, limit)

    def sync(self) -> None:
        """Make every commit so far survive a power loss: the write-ahead log is flushed to the disk."""
        self._database.sync()

    def close(self) -> None:
        """Close the database; what was committed stays."""
        self._database.close()

    def _counter(self, name: str) -> int:
        found = self._query(rows.READ_COUNTER, (name,))
        return int(found[0][0]) if found else 0

    @contextmanager
    def _moving(self) -> Iterator[tuple[sqlite3.Connection, Movement]]:
        """Begin a transaction that changes what waits; the numbers in memory follow the database."""
        with self._lock:
            moved = Movement()
            with self._database.transaction() as run:
                yield run, moved
            self._backlog.move(moved)
