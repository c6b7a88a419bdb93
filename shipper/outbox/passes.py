"""How far a backfill has judged a content, and by which rules: what makes it go on, and do nothing twice."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shipper.events import Checkpoint, FileIdentity, Fingerprint, LineState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from shipper.outbox.database import Database

DIGEST_BYTES = 8
_WRITE = "INSERT OR REPLACE INTO passes (id, rules, place) VALUES (?, ?, ?)"
_REMOVE = "DELETE FROM passes WHERE id = ?"
READ = "SELECT id, rules, place FROM passes ORDER BY id"


@dataclass(frozen=True, slots=True)
class Pass:
    """One content and some rules.

    Attributes:
        rules: digests of the rules that have judged it, `DIGEST_BYTES` each.
        checkpoint: how far, in which file, and how to know its content.
        begin: where judging began: 0, or further on where all before was out of the span asked for.
        checksum: CRC-32 of the content from there to the offset.
        size: bytes of the file on the disk, when it was looked at last.
        replaces: numbers of earlier passes that this one goes on from and makes needless.
        number: its own in the store; None for one that was not read from there.
    """

    rules: frozenset[bytes]
    checkpoint: Checkpoint
    begin: int
    checksum: int
    size: int
    replaces: tuple[int, ...] = ()
    number: int | None = field(default=None, compare=False)


class Passes:
    """Those of one store. What is written again in the life of this object replaces what it wrote before."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[tuple[frozenset[bytes], FileIdentity], int | None] = {}

    def all(self) -> list[Pass]:
        """Give all that are kept."""
        return [pass_of(row) for row in self._database.query(READ)]

    def forget(self, rules: Collection[bytes] | None = None) -> None:
        """Forget those of rules with these digests and of no others; None means all."""
        gone = [each.number for each in self.all() if rules is None or each.rules <= set(rules)]
        with self._database.transaction() as run:
            run.executemany(_REMOVE, [(number,) for number in gone])
        self._numbers.clear()

    def record(self, run: sqlite3.Connection, passes: Iterable[Pass]) -> None:
        """Keep how far contents were judged; belongs into a transaction."""
        for each in passes:
            run.executemany(_REMOVE, [(number,) for number in each.replaces])
            key = each.rules, each.checkpoint.identity
            row = self._numbers.get(key), b"".join(sorted(each.rules)), _place(each)
            self._numbers[key] = run.execute(_WRITE, row).lastrowid


def pass_of(row: tuple[int, bytes, str]) -> Pass:
    """Give the pass of a row of READ."""
    number, rules, place = row
    path, source, device, inode, generation, offset, head_length, head, guard, *rest = json.loads(place)
    guard_length, line, modified, finished, begin, checksum, size = rest
    checkpoint = Checkpoint(
        identity=FileIdentity(device, inode, generation),
        path=os.fsdecode(bytes.fromhex(path)),
        source=source,
        offset=offset,
        head=Fingerprint(head_length, bytes.fromhex(head)),
        guard=Fingerprint(guard_length, bytes.fromhex(guard)),
        line=LineState(line),
        modified=modified,
        finished=finished,
    )
    digests = frozenset(rules[at : at + DIGEST_BYTES] for at in range(0, len(rules), DIGEST_BYTES))
    return Pass(digests, checkpoint, begin, checksum, size, number=number)


def _place(each: Pass) -> str:
    there = each.checkpoint
    values: list[Any] = [os.fsencode(there.path).hex(), there.source]
    values += [there.identity.device, there.identity.inode, there.identity.generation, there.offset]
    values += [there.head.length, there.head.digest.hex(), there.guard.digest.hex(), there.guard.length]
    values += [int(there.line), there.modified, there.finished, each.begin, each.checksum, each.size]
    return json.dumps(values, separators=(",", ":"))
