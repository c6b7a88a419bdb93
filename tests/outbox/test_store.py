"""Offsets and events, durable together."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import StateError
from shipper.events import Checkpoint, Event, FileIdentity, Fingerprint, History, LineState, Loss
from shipper.outbox import acknowledged
from shipper.outbox.dead_letters import Refusal
from shipper.outbox.lock import StateLock
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store, Waiting


def event(number: int, rule: str = "r") -> Event:
    return Event("Name", f"content {number}", 1, datetime.now(UTC), rule, "/var/log/a", number, f"{number:032x}")


def encode(event: Event) -> bytes:
    return event.content.encode()


def checkpoint(offset: int, inode: int = 7) -> Checkpoint:
    return Checkpoint(
        FileIdentity(2**63 + 5, inode),
        "/l/\udcff.log",
        "app",
        offset,
        Fingerprint(3, b"h"),
        Fingerprint(min(2, offset), b"g"),
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


def test_what_was_read_of_content_that_is_no_more_is_kept_by_log(store: Store, tmp_path: Path) -> None:
    """In order, each log's list replaced as a whole, the others' left alone (hazards 1.3, 1.12)."""
    first, second, third = (checkpoint(n, inode=5) for n in (1, 2, 3))
    store.record([], past={"/l/\udcff.log": [first, second], "/l/b.log": [third]})
    store.record([checkpoint(9)], past={"/l/\udcff.log": [second, third]})
    store.record([], past={"/l/c.log": []})
    store.close()
    again = Store(tmp_path, encode)

    assert again.past() == [third, second, third]
    assert [c.offset for c in again.checkpoints()] == [9]
    again.close()


def test_what_lay_beside_each_log_is_kept(store: Store, tmp_path: Path) -> None:
    """By log, each replaced as a whole, until it goes (hazards 1.2, 9.3)."""
    store.record([], histories={"/l/\udcff.log": History((3, 2**62)), "/l/b.log": History(), "/l/c.log": History((1,))})
    store.record([], histories={"/l/c.log": None, "/l/b.log": History((7,), set_back=True)})
    store.close()
    again = Store(tmp_path, encode)

    assert again.histories() == {"/l/\udcff.log": History((3, 2**62)), "/l/b.log": History((7,), set_back=True)}
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
    assert store.dead_letters.count() == 3
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

    # an empty one too: no start leaves one behind, however it ends
    assert again.begun_anew
    assert len(aside) == 1
    assert "set aside" in caplog.text
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


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """What the holder started, and what outlives it, holds nothing (hazard 5.7)."""
    lock = StateLock(tmp_path)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    lock.close()
    try:
        StateLock(tmp_path).close()
        assert child.poll() is None
    finally:
        child.communicate()


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


def test_what_waits_is_known_by_rule_whatever_happens_to_it(store: Store, tmp_path: Path) -> None:
    """A rule's share of the queue is exact after every way in and out, and after a restart (hazard 6.4)."""
    store.record([], [event(n, "ab"[n % 2]) for n in range(6)])
    assert store.waiting_by_rule() == {"a": 27, "b": 27}
    first, second, third = store.next_events(3)
    store.acknowledge([first, second])
    # an answer that was noted already changes nothing
    store.acknowledge([first])
    store.bury(third, Refusal("400", "no", "r"), limit=9)
    assert store.waiting_by_rule() == {"a": 9, "b": 18}
    store.next_events(1)
    assert store.drop_oldest(10) == 2
    store.close()
    again = Store(tmp_path, encode)

    assert again.waiting_by_rule() == {"b": 9}
    assert (again.waiting_count, again.waiting_bytes) == (1, 9)
    again.close()


def test_a_failed_commit_leaves_the_shares_as_they_were(store: Store) -> None:
    """Numbers in memory never run ahead of the database, and the next commit works (hazard 5.4)."""
    store.record([], [event(1)])
    store._database._connection.execute("ALTER TABLE losses RENAME TO hidden")
    with pytest.raises(StateError):
        store.record([], [event(2, "other")], losses=[Loss("bytes", "x", 1)], read=7)
    with pytest.raises(StateError):
        store.drop_oldest(0)
    store._database._connection.execute("ALTER TABLE hidden RENAME TO losses")
    assert (store.waiting_by_rule(), store.bytes_read()) == ({"r": 9}, 0)
    store.record([], [event(2, "other")], read=7)

    assert (store.waiting_by_rule(), store.bytes_read()) == ({"r": 9, "other": 9}, 7)


def test_the_oldest_are_dropped_but_never_those_in_flight(store: Store) -> None:
    """`overflow = "drop_oldest"`: down to the limit, counted in the same commit (I1)."""
    store.record([], [event(n) for n in range(10)])
    flying = store.next_events(3)

    assert store.drop_oldest(54) == 4
    assert store.losses() == {("events", "queue_full"): 4}
    assert [w.payload for w in store.next_events(10)] == [f"content {n}".encode() for n in (0, 1, 2, 7, 8, 9)]
    # now all of them are in flight
    assert store.drop_oldest(0) == 0
    store.acknowledge(flying)
    store.next_events(1)
    assert store.drop_oldest(0) == 2
    assert store.waiting_count == 1
    assert store.drop_oldest(9) == 0


@given(st.lists(st.tuples(st.sampled_from(["record", "give", "ack", "bury", "drop"]), st.integers(0, 12)), max_size=30))
def test_numbers_in_memory_are_those_of_the_database(steps: list[tuple[str, int]]) -> None:
    """After any steps: the shares are what a new look finds, nothing in flight was dropped, nothing vanished (I1)."""
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory), encode)
        given_out: list[Waiting] = []
        recorded = settled = 0
        for step, size in steps:
            if step == "record":
                store.record([], [event(n, "abc"[n % 3]) for n in range(size)])
                recorded += size
            elif step == "give":
                given_out = store.next_events(size)
            elif step == "ack":
                done, given_out = given_out[:size], given_out[size:]
                store.acknowledge(done)
                settled += len(done)
            elif step == "bury" and given_out:
                store.bury(given_out.pop(), Refusal("400", "no", "r"), limit=1000)
                settled += 1
            elif step == "drop":
                store.drop_oldest(size * 10)
            with closing(StoreReader(Path(directory))) as reader:
                waiting = reader.waiting()
                dropped = reader.losses().get(("events", "queue_full"), 0)
            assert store.waiting_by_rule() == {rule: size for rule, (_, size) in waiting.items()}
            assert store.waiting_count == sum(count for count, _ in waiting.values())
            assert store.waiting_count == recorded - settled - dropped
            assert {w.seq for w in given_out} <= {s for (s,) in store._query("SELECT seq FROM outbox")}
        store.close()


def test_bytes_read_are_committed_with_the_offsets(store: Store, tmp_path: Path) -> None:
    """What was read can be held against what was lost and written, also after a restart (I1)."""
    store.record([checkpoint(5)], read=5)
    store.record([checkpoint(9)], read=4)
    store.close()
    again = Store(tmp_path, encode)

    assert again.bytes_read() == 9
    again.close()


def test_a_store_that_cannot_be_opened_is_one_clear_message(tmp_path: Path) -> None:
    """The message names the file and what to do, and no file is moved (hazard 5.4)."""
    (tmp_path / "shipper.db").mkdir()
    (tmp_path / "shipper.db-wal").write_bytes(b"x")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(StateError, match=r"shipper\.db cannot be opened: .*; see that its disk is writable"):
        Store(tmp_path, encode)
    assert sorted(tmp_path.iterdir()) == before


def test_every_damaged_store_is_kept(tmp_path: Path) -> None:
    """Damaged again within the same second: no evidence is overwritten (hazard 5.3)."""
    for number in range(3):
        (tmp_path / "shipper.db").write_bytes((b"damage number %d" % number) * 100)
        Store(tmp_path, encode).close()
    kept = {path.read_bytes()[:15] for path in tmp_path.glob("shipper.db.corrupt-*")}

    assert kept == {b"damage number %d" % number for number in range(3)}


FULL_DISK = """
import pathlib, resource, signal, sys
from shipper.errors import StateError
from shipper.events import Loss
from tests.outbox.test_store import Store, checkpoint, encode, event
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
directory = pathlib.Path(sys.argv[1])
store = Store(directory, encode)
store.record([checkpoint(1)], [event(1)], read=1)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
taken = 1
try:
    while taken < 1000:
        store.record([checkpoint(taken + 1)], [event(n) for n in range(100)], losses=[Loss("bytes", "x", 1)], read=1)
        taken += 1
except StateError as error:
    print(error)
before = store.waiting_count, store.waiting_by_rule(), store.bytes_read(), store.losses(), store.checkpoints()
assert 1 < taken < 1000
assert store.waiting_count == 1 + 100 * (taken - 1)
assert store.bytes_read() == taken == store.checkpoints()[0].offset
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.record([checkpoint(taken + 1)], [event(1)], read=1)
store.acknowledge(store.next_events(50))
count, shares = store.waiting_count, store.waiting_by_rule()
store.close()
again = Store(directory, encode)
assert (again.waiting_count, again.waiting_by_rule()) == (count, shares)
assert again.bytes_read() == taken + 1 and not again.begun_anew
again.close()
print("healed")
"""


def test_a_full_disk_undoes_the_pass_and_the_store_works_on_when_there_is_room(tmp_path: Path) -> None:
    """Files cannot grow any more, then they can: numbers stay right and nothing is torn (hazard 5.4)."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, cwd=Path.cwd(), timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "cannot be used now" in done.stdout
    assert done.stdout.endswith("healed\n")


def test_after_a_power_loss_offsets_and_events_are_of_one_commit_and_no_older_than_the_sync(tmp_path: Path) -> None:
    """The write-ahead log cut anywhere after the last `sync`: whole commits, none synced is gone (1.9, 5.1)."""
    state = tmp_path / "state"
    state.mkdir()
    store = Store(state, encode)
    wal = state / "shipper.db-wal"
    for number in range(1, 6):
        store.record([checkpoint(number)], [event(number)], read=1)
    store.sync()
    synced = wal.stat().st_size
    for number in range(6, 12):
        store.record([checkpoint(number)], [event(number)], read=1)
    database, written = (state / "shipper.db").read_bytes(), wal.read_bytes()
    seen = set()
    cuts = [*range(synced, len(written), 1033), len(written)]
    for cut in cuts:
        after = tmp_path / f"cut{cut}"
        after.mkdir()
        (after / "shipper.db").write_bytes(database)
        (after / "shipper.db-wal").write_bytes(written[:cut])
        again = Store(after, encode)
        (kept,) = again.checkpoints()
        assert not again.begun_anew
        assert kept.offset == again.waiting_count == again.bytes_read() >= 5
        seen.add(kept.offset)
        again.close()
    store.close()

    assert seen == set(range(5, 12))


def test_what_is_acknowledged_is_gone_for_everybody_before_it_is_removed(store: Store, tmp_path: Path) -> None:
    """For the next process, for whoever only reads, for `drop_oldest`, and when it is acknowledged again."""
    store.record([], [event(n, "abc"[n % 3]) for n in range(30)])
    done = store.next_events(7)
    store.acknowledge(done)
    store.acknowledge(done)
    with sqlite3.connect(tmp_path / "shipper.db") as raw:
        assert raw.execute("SELECT count(*) FROM outbox").fetchone() == (30,)
    with closing(StoreReader(tmp_path)) as reader:
        assert {rule: count for rule, (count, _) in reader.waiting().items()} == {"a": 7, "b": 8, "c": 8}
    store.close()
    again = Store(tmp_path, encode)
    gone = {waiting.seq for waiting in done}
    assert {waiting.seq for waiting in again.next_events(99)} == set(range(1, 31)) - gone
    again.acknowledge(again.next_events(2))
    left = again.waiting_bytes - len(b"content 3")
    assert again.drop_oldest(left) == 1
    assert again.waiting_count == 30 - 7 - 2 - 1
    again.close()


def test_noted_acknowledgements_are_swept(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are many, and when nothing waits any more."""
    monkeypatch.setattr(acknowledged, "SWEEP_AT", 20)
    store.record([], [event(n) for n in range(50)])
    kept = []
    for _ in range(5):
        store.acknowledge(store.next_events(10))
        with sqlite3.connect(tmp_path / "shipper.db") as raw:
            kept.append(raw.execute("SELECT count(*) FROM outbox").fetchone()[0])

    assert kept == [50, 30, 30, 10, 0]
