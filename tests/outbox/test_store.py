"""Offsets and events, durable together."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipper.errors import StateError
from shipper.events import Checkpoint, Event, FileIdentity, Fingerprint, LineState, Loss
from shipper.outbox.lock import StateLock
from shipper.outbox.store import Refusal, Store, Waiting


def event(number: int, rule: str = "r") -> Event:
    return Event("Name", f"content {number}", 1, datetime.now(UTC), rule, "/var/log/a", number, f"{number:032x}")


def encode(event: Event) -> bytes:
    return event.content.encode()


def checkpoint(offset: int, inode: int = 7) -> Checkpoint:
    return Checkpoint(
        FileIdentity(2**63 + 5, inode), "/l/\udcff.log", "app", offset, Fingerprint(3, b"h"), Fingerprint(2, b"g")
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, encode)
    yield opened
    opened.close()


def test_checkpoints_come_back_as_they_were(store: Store, tmp_path: Path) -> None:
    """Unsigned 64-bit device and inode numbers and any bytes of a path survive."""
    kept = checkpoint(10, inode=2**64 - 1)
    skipping = Checkpoint(FileIdentity(1, 2, 3), "/x", "", 5, kept.head, kept.guard, LineState.SKIPPING)
    store.record([kept, skipping], scanned={"app": ["/var/log/*.log"]})
    store.close()
    again = Store(tmp_path, encode)

    assert sorted(again.checkpoints(), key=lambda c: c.offset) == [skipping, kept]
    assert again.scanned_sources() == {"app": ("/var/log/*.log",)}
    again.close()


def test_events_leave_only_when_settled(store: Store) -> None:
    """Read again until acknowledged, in the order of commits."""
    store.record([checkpoint(1)], [event(n) for n in range(5)])
    first = store.next_events(3)
    assert [waiting.payload for waiting in first] == [b"content 0", b"content 1", b"content 2"]
    assert first == store.next_events(3)
    store.acknowledge(first)

    assert [waiting.payload for waiting in store.next_events(10)] == [b"content 3", b"content 4"]
    assert (store.waiting_count, store.waiting_bytes) == (2, 18)


def test_a_failed_commit_changes_nothing(store: Store) -> None:
    """All of a pass or nothing: offsets never pass events that are not there (I2)."""
    store.record([checkpoint(1)], [event(1)])
    bad = Checkpoint(FileIdentity(1, 1), "/x", None, 9, Fingerprint(0, b""), Fingerprint(0, b""))  # type: ignore[arg-type]
    with pytest.raises(StateError):
        store.record([checkpoint(50), bad], [event(2)], losses=[Loss("bytes", "x", 1)])

    assert [c.offset for c in store.checkpoints()] == [1]
    assert store.waiting_count == 1
    assert store.losses() == {}


def test_counts_survive_a_restart(store: Store, tmp_path: Path) -> None:
    """What waits is known from the start."""
    store.record([], [event(1), event(22)], losses=[Loss("bytes", "nul", 3)])
    store.record([], losses=[Loss("bytes", "nul", 4), Loss("events", "x", 1)])
    store.close()
    again = Store(tmp_path, encode)

    assert (again.waiting_count, again.waiting_bytes) == (2, 19)
    assert again.losses() == {("bytes", "nul"): 7, ("events", "x"): 1}
    again.close()


def test_a_buried_event_is_kept_with_the_services_words_up_to_the_limit(store: Store) -> None:
    """The oldest dead letter over the limit is counted as lost, never dropped in silence."""
    store.record([], [event(n) for n in range(4)])
    for waiting in store.next_events(4):
        store.bury(waiting, Refusal("400", "name", "req"), limit=3)

    assert store.waiting_count == 0
    assert store.dead_letter_count() == 3
    assert store.losses() == {("events", "dead_letters_full"): 1}


def test_everything_is_private(store: Store, tmp_path: Path) -> None:
    """The database is 0600 whatever the umask."""
    store.record([checkpoint(1)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100, None], ids=["empty", "foreign", "torn"])
def test_a_damaged_database_is_set_aside_and_said(
    store: Store, tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Never emptied in silence: the bytes are kept beside the new store (hazard 5.3)."""
    store.record([checkpoint(n, inode=n) for n in range(500)], [event(n) for n in range(500)])
    store.close()
    file = tmp_path / "shipper.db"
    content = file.read_bytes()
    file.write_bytes(damage if damage is not None else content[:4096] + b"\xff" * 8192 + content[12288:])
    again = Store(tmp_path, encode)
    again.record([checkpoint(1)], [event(1)])
    aside = list(tmp_path.glob("shipper.db.corrupt-*"))

    # an empty file is what SQLite itself begins with
    assert again.begun_anew == bool(damage != b"")
    assert bool(aside) == again.begun_anew
    assert ("set aside" in caplog.text) == again.begun_anew
    again.close()


def test_a_database_of_a_newer_version_is_refused(store: Store, tmp_path: Path) -> None:
    """A downgrade does not guess (hazard 10.4)."""
    store.close()
    with sqlite3.connect(tmp_path / "shipper.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StateError, match="newer version"):
        Store(tmp_path, encode)


def test_sync_can_be_called_at_any_time(store: Store) -> None:
    """Before anything was written, and after."""
    store.sync()
    store.record([checkpoint(1)], [event(1)])
    store.sync()

    assert store.waiting_count == 1


HOLD = """
import sys, pathlib
from shipper.outbox.lock import StateLock
lock = StateLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_agent_is_refused_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    """After SIGKILL the next one starts at once (hazard 5.7)."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StateError, match=rf"in use by another agent \(pid {holder.pid}\)"):
        StateLock(tmp_path)
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()

    StateLock(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_one_clear_message(tmp_path: Path) -> None:
    """The message names the directory and what to do."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match="cannot be written"):
        StateLock(tmp_path / "file" / "state")


def test_killed_while_writing_leaves_all_or_nothing(tmp_path: Path) -> None:
    """A process killed between commits has as many events as its offset says (I2)."""
    script = f"""
import pathlib
from tests.outbox.test_store import Store, checkpoint, encode, event
store = Store(pathlib.Path({str(tmp_path)!r}), encode)
n = 0
while True:
    n += 1
    store.record([checkpoint(n)], [event(n)])
    print(n, flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 50:
            break
    writer.kill()
    writer.wait()
    writer.stdout.close()
    store = Store(tmp_path, encode)
    (kept,) = store.checkpoints()

    assert kept.offset >= 50
    assert store.waiting_count == kept.offset
    assert isinstance(store.next_events(1)[0], Waiting)
    store.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_one_clear_message(tmp_path: Path) -> None:
    """As for a wrong user of the service."""
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match="cannot be written"):
        StateLock(tmp_path / "state")
    tmp_path.chmod(0o700)
