"""The embedded store: files' offsets and the events that wait, durable together in one SQLite database.

Promises
- `record` commits offsets and the events they caused in one transaction: after a crash or power loss both are
  there or neither is, and then the lines are read again (hazards 5.1, 5.2; I2).
- An event leaves by `acknowledge` or `bury`, never otherwise.
- A damaged database is set aside and said, never emptied in silence (hazard 5.3).
- The directory is 0700, the files in it 0600.

WAL with `synchronous=NORMAL`: a commit survives the death of the process; a power loss may undo the last ones,
whole. `sync` makes all commits so far survive that too; it is called before a file that cannot be read again is let go.

One connection, guarded by a lock: intake and uploader share it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shipper import telemetry
from shipper.errors import StateError
from shipper.events import Checkpoint, FileIdentity, Fingerprint, LineState
from shipper.outbox.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from shipper.events import Event, Loss

_SIGNED = 1 << 63


@dataclass(frozen=True, slots=True)
class Waiting:
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the service said when it refused one event for good."""

    code: str
    message: str
    request_id: str


class Store:
    """The database `shipper.db` of one state directory. Its methods raise `StateError` when the disk fails.

    Attributes:
        file: the database.
        begun_anew: a damaged database was set aside at opening, so positions are unknown.
    """

    def __init__(self, directory: Path, encode: Callable[[Event], bytes], name: str = "shipper.db") -> None:
        """Open or create the database.

        Args:
            directory: the state directory; its lock must be held by the caller.
            encode: gives the form in which an event waits and is sent.
            name: the database's file name.

        Raises:
            StateError: it cannot be opened, or belongs to a newer version.
        """
        self.file = directory / name
        self._encode = encode
        self._lock = threading.RLock()
        self.begun_anew = False
        self._connection = self._open_or_set_aside()
        row = self._connection.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM outbox").fetchone()
        self._count, self._bytes = int(row[0]), int(row[1])

    @property
    def waiting_count(self) -> int:
        """Number of events that wait."""
        return self._count

    @property
    def waiting_bytes(self) -> int:
        """Encoded bytes of the events that wait."""
        return self._bytes

    def checkpoints(self) -> list[Checkpoint]:
        """Give where every known file was left."""
        rows = self._query(
            "SELECT device, inode, generation, path, source, offset,"
            " head_length, head_digest, guard_length, guard_digest, line, modified, gone_at, finished FROM files"
        )
        return [
            Checkpoint(
                identity=FileIdentity(row[0] % (2 * _SIGNED), row[1] % (2 * _SIGNED), row[2]),
                path=os.fsdecode(row[3]),
                source=row[4],
                offset=row[5],
                head=Fingerprint(row[6], row[7]),
                guard=Fingerprint(row[8], row[9]),
                line=LineState(row[10]),
                modified=row[11],
                gone_at=row[12],
                finished=bool(row[13]),
            )
            for row in rows
        ]

    def scanned_sources(self) -> dict[str, tuple[str, ...]]:
        """Give the globs of every source that this store has scanned to the end once, by name."""
        return {name: tuple(json.loads(globs)) for name, globs in self._query("SELECT name, globs FROM sources")}

    def losses(self) -> dict[tuple[str, str], int]:
        """Give what was lost, by ("bytes" or "events", reason)."""
        return {(what, reason): amount for what, reason, amount in self._query("SELECT * FROM losses")}

    def record(
        self,
        checkpoints: Iterable[Checkpoint],
        events: Sequence[Event] = (),
        *,
        losses: Iterable[Loss] = (),
        forgotten: Iterable[FileIdentity] = (),
        scanned: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Commit what one pass over the files changed, all of it or nothing.

        Args:
            checkpoints: how far files were judged.
            events: what that judging made.
            losses: what was skipped or could not be read.
            forgotten: files whose content was replaced or found elsewhere.
            scanned: sources whose first scan is complete, with their globs.
        """
        payloads = [(event.rule, event.id, self._encode(event)) for event in events]
        with self._transaction() as run:
            run.executemany(
                "DELETE FROM files WHERE device = ? AND inode = ? AND generation = ?",
                [_identity_row(identity) for identity in forgotten],
            )
            run.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_checkpoint_row(checkpoint) for checkpoint in checkpoints],
            )
            run.executemany("INSERT INTO outbox (rule, event_id, payload) VALUES (?, ?, ?)", payloads)
            run.executemany(
                "INSERT INTO losses VALUES (?, ?, ?)"
                " ON CONFLICT (what, reason) DO UPDATE SET amount = amount + excluded.amount",
                [(loss.what, loss.reason, loss.amount) for loss in losses],
            )
            run.executemany(
                "INSERT OR REPLACE INTO sources VALUES (?, ?)",
                [(name, json.dumps(list(globs))) for name, globs in (scanned or {}).items()],
            )
            self._count += len(payloads)
            self._bytes += sum(len(payload) for _, _, payload in payloads)

    def next_events(self, limit: int) -> list[Waiting]:
        """Give the oldest waiting events, at most `limit`; they stay until they are settled."""
        rows = self._query("SELECT seq, rule, event_id, payload FROM outbox ORDER BY seq LIMIT ?", (limit,))
        return [Waiting(*row) for row in rows]

    def acknowledge(self, delivered: Sequence[Waiting]) -> None:
        """Let go of events that the service accepted."""
        with self._transaction() as run:
            self._remove(run, delivered)

    def bury(self, refused: Waiting, refusal: Refusal, *, limit: int) -> None:
        """Move an event that the service refused to the dead letters, of which at most `limit` are kept.

        The oldest dead letter over the limit goes, counted as lost.
        """
        with self._transaction() as run:
            self._remove(run, [refused])
            run.execute(
                "INSERT INTO dead_letters (rule, event_id, payload, code, message, request_id, died_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    refused.rule,
                    refused.event_id,
                    refused.payload,
                    refusal.code,
                    refusal.message,
                    refusal.request_id,
                    datetime.now(UTC).isoformat(timespec="milliseconds"),
                ),
            )
            gone = run.execute(
                "DELETE FROM dead_letters WHERE id NOT IN (SELECT id FROM dead_letters ORDER BY id DESC LIMIT ?)",
                (limit,),
            ).rowcount
            if gone:
                run.execute(
                    "INSERT INTO losses VALUES ('events', 'dead_letters_full', ?)"
                    " ON CONFLICT (what, reason) DO UPDATE SET amount = amount + excluded.amount",
                    (gone,),
                )

    def dead_letter_count(self) -> int:
        """Tell how many dead letters are kept."""
        return int(self._query("SELECT count(*) FROM dead_letters")[0][0])

    def sync(self) -> None:
        """Make every commit so far survive a power loss: the write-ahead log is flushed to the disk."""
        wal = self.file.with_name(self.file.name + "-wal")
        with self._lock, _translated(self.file):
            try:
                descriptor = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Close the database; what was committed stays."""
        with self._lock:
            self._connection.close()

    def _remove(self, run: sqlite3.Connection, events: Sequence[Waiting]) -> None:
        run.executemany("DELETE FROM outbox WHERE seq = ?", [(event.seq,) for event in events])
        self._count -= len(events)
        self._bytes -= sum(len(event.payload) for event in events)

    def _query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self._lock, _translated(self.file):
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything in the block or nothing; the counts in memory follow the database."""
        with self._lock, _translated(self.file):
            before = self._count, self._bytes
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._count, self._bytes = before
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _open_or_set_aside(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError as error:
            raise StateError(f"the store {self.file} cannot be opened: {error}") from None
        except sqlite3.DatabaseError as error:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            aside = self.file.with_name(f"{self.file.name}.corrupt-{stamp}")
            for suffix in ("", "-wal", "-shm"):
                part = self.file.with_name(self.file.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            self.begun_anew = True
            telemetry.store_set_aside(str(self.file), str(aside), str(error))
            return self._open()

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            migrate(connection, str(self.file))
            if (damage := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(str(damage))
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"the store {file} cannot be used now: {error}") from error


def _signed(number: int) -> int:
    return number - 2 * _SIGNED if number >= _SIGNED else number


def _identity_row(identity: FileIdentity) -> tuple[int, int, int]:
    return _signed(identity.device), _signed(identity.inode), identity.generation


def _checkpoint_row(checkpoint: Checkpoint) -> tuple[object, ...]:
    return (
        *_identity_row(checkpoint.identity),
        os.fsencode(checkpoint.path),
        checkpoint.source,
        checkpoint.offset,
        checkpoint.head.length,
        checkpoint.head.digest,
        checkpoint.guard.length,
        checkpoint.guard.digest,
        int(checkpoint.line),
        checkpoint.modified,
        checkpoint.gone_at,
        int(checkpoint.finished),
    )
