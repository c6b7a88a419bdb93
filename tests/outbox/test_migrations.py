"""Stores that older versions wrote: opened, kept, and used on. `golden/` holds one of each, made by its own code."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import StateError
from shipper.events import Checkpoint, FileIdentity, Fingerprint, History, LimitState, LineState, Unjudged
from shipper.outbox import schema
from shipper.outbox.passes import Pass
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store
from tests.outbox.test_store import checkpoint, encode, event

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = range(1, schema.VERSION + 1)
OLDER = VERSIONS[:-1]
LOSSES = {
    1: {("bytes", "line_too_long"): 77, ("events", "x"): 2},
    2: {("bytes", "nul"): 7, ("events", "x"): 1},
    3: {("bytes", "nul"): 7, ("events", "x"): 1},
    4: {("bytes", "nul"): 7, ("events", "x"): 1},
    5: {("bytes", "nul"): 7, ("events", "x"): 1},
    6: {("bytes", "nul"): 7, ("events", "x"): 1},
    7: {("bytes", "nul"): 7, ("events", "x"): 1},
    8: {("bytes", "nul"): 7, ("events", "x"): 1},
    9: {("bytes", "nul"): 7, ("events", "x"): 1},
}
LIMITS = [
    LimitState("a", "threshold", b"k" * 16, b"[1700000000.5,[1700000000.25,1700000000.5]]"),
    LimitState("b", "throttle", b"rest", b'[1700000060.0,1700000061.0,10,0,"",null]'),
]
UNJUDGED = [
    Unjudged("a", "/var/log/\udcff.log", 12, 34, "timeout"),
    Unjudged("a", "/var/log/app.log", 2**40, 2**41, "set_aside"),
]

PASSES = [
    Pass(
        frozenset({b"r" * 8, b"s" * 8}),
        Checkpoint(FileIdentity(2**63 + 5, 2**64 - 1, 42), "/var/log/\udcff.log.1.gz", "app", 2**40,
                   Fingerprint(64, b"h" * 16), Fingerprint(32, b"g" * 16), LineState.TAKEN, 1700000000123456789,
                   finished=True),
        2**33,
        2**32 - 1,
        77,
    ),
    Pass(
        frozenset({b"t" * 8}),
        Checkpoint(FileIdentity(0, 7), "-", "", 5, Fingerprint(3, b"h"), Fingerprint(2, b"g")),
        0,
        0,
        0,
    ),
]  # fmt: skip


def histories(version: int) -> dict[str, History]:
    """What version 5 began to keep; it knew of no clock that was set back."""
    if version < 5:
        return {}
    return {
        "/var/log/app.log": History((5, 1700000000123456789), set_back=version >= 6),
        "/var/log/\udcff.log": History(),
    }


def golden(version: int, directory: Path) -> Path:
    return Path(shutil.copy(GOLDEN / f"v{version}.db", directory / "shipper.db"))


def expected(version: int) -> list[Checkpoint]:
    """What every golden file was filled with; version 1 knew no times."""
    short = Fingerprint(3, b"h"), Fingerprint(2, b"g")
    late = version >= 2
    return [
        Checkpoint(FileIdentity(2049, 8), "/var/log/old.log", "other", 5, *short, LineState.TAKEN,
                   *((6, 1700000001.5, True) if late else ())),
        Checkpoint(FileIdentity(2049, 7), "/var/log/app.log", "app", 99, *short, LineState.SKIPPING,
                   *((5, 1700000000.25, False) if late else ())),
        Checkpoint(FileIdentity(2**63 + 5, 2**64 - 1, 42), "/var/log/\udcff.log", "app", 1234,
                   Fingerprint(64, b"h" * 16), Fingerprint(32, b"g" * 16),
                   modified=1700000000123456789 if late else 0),
    ]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_every_version_keeps_everything_and_works(version: int, tmp_path: Path) -> None:
    """An upgrade loses no position, event, dead letter or count (hazard 10.4)."""
    golden(version, tmp_path)
    store = Store(tmp_path, encode)

    assert not store.begun_anew
    assert sorted(store.checkpoints(), key=lambda c: c.offset) == expected(version)
    assert store.scanned_sources() == {"app": ("/var/log/*.log",), "other": ("/o/*", "/p/**")}
    assert sorted((w.seq, w.payload) for w in store.next_events(99)) == [
        (n + 1, f"content {n}".encode()) for n in range(3, 12)
    ]
    assert store.waiting_by_rule() == {"a": 9 * 4 + 2 * 10, "b": 9 * 3}
    assert store.dead_letters.count() == 1
    assert store.losses() == LOSSES[version]
    assert store.bytes_read() == (4321 if version >= 3 else 0)
    assert store.past() == (expected(version)[:2] if version >= 4 else [])
    assert store.histories() == histories(version)
    assert store.limits() == (LIMITS if version >= 7 else [])
    with closing(StoreReader(tmp_path)) as reader:
        assert [noted.place for noted in reader.unjudged()] == (UNJUDGED if version >= 8 else [])
        assert reader.passes() == (PASSES if version >= 9 else [])
        assert list(reader.delivered()) == ([b"i" * 16, b"j" * 16, b"k" * 16] if version >= 9 else [])
    store.record([checkpoint(7)], [event(1)], read=1)
    store.close()
    again = Store(tmp_path, encode)
    assert (len(again.checkpoints()), again.waiting_count) == (4, 10)
    again.close()


@pytest.mark.parametrize("version", OLDER)
def test_the_older_store_is_kept_and_said(version: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The way back to the older version stays open, and the copy is as private as the store (hazard 10.4)."""
    caplog.set_level("INFO", logger="shipper")
    golden(version, tmp_path)
    Store(tmp_path, encode).close()
    copy = tmp_path / f"shipper.db.v{version}"

    assert str(copy) in caplog.text
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as kept, closing(sqlite3.connect(GOLDEN / f"v{version}.db")) as first:
        assert list(kept.iterdump()) == list(first.iterdump())
        assert schema.version_of(kept) == version
    caplog.clear()
    Store(tmp_path, encode).close()
    assert "is brought from" not in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {"shipper.db", copy.name}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("version", OLDER)
def test_a_migration_cut_short_anywhere_is_done_by_the_next_start(version: int, tmp_path: Path) -> None:
    """Ended before any of its statements: a step that was not committed never happened (hazard 10.4)."""
    steps = 0
    while True:
        directory = tmp_path / str(steps)
        directory.mkdir()
        file = golden(version, directory)
        ended = cut_short(file, steps)
        store = Store(directory, encode)
        assert sorted(store.checkpoints(), key=lambda c: c.offset) == expected(version)
        assert store.waiting_count == 9
        assert store.losses() == LOSSES[version]
        store.close()
        if not ended:
            break
        steps += 1
    assert steps > 3


def cut_short(file: Path, after: int) -> bool:
    """Migrate with a connection that dies before its statement number `after`; tells whether it came to that."""
    left = after

    class Mortal(sqlite3.Connection):
        def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return super().execute(statement, parameters)

    with closing(sqlite3.connect(file, isolation_level=None, factory=Mortal)) as connection:
        try:
            schema.migrate(connection, file)
        except Killed:
            return True
    return False


def test_a_copy_that_cannot_be_written_leaves_the_older_store_alone(tmp_path: Path) -> None:
    """One clear message, and nothing was changed (hazards 5.4, 10.4)."""
    file = golden(1, tmp_path)
    (tmp_path / "shipper.db.v1").mkdir()

    with pytest.raises(StateError, match=r"copy .*shipper\.db\.v1 that is kept of it before cannot be written"):
        Store(tmp_path, encode)
    with closing(sqlite3.connect(file)) as connection:
        assert schema.version_of(connection) == 1
