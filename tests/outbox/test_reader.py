"""A store read beside its agent, or without one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shipper.errors import StateError
from shipper.events import Loss
from shipper.outbox.dead_letters import Refusal
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store
from tests.outbox.test_store import checkpoint, encode, event


def filled(directory: Path) -> Store:
    store = Store(directory, encode)
    store.record(
        [checkpoint(7)],
        [event(n, "ab"[n % 2]) for n in range(5)],
        losses=[Loss("bytes", "nul", 3)],
        scanned={"app": ["/l/*"]},
        read=7,
    )
    store.bury(store.next_events(1)[0], Refusal("400", "no", "r"), limit=9)
    return store


def look(directory: Path) -> tuple[object, ...]:
    with closing(StoreReader(directory)) as reader:
        return (
            reader.checkpoints(),
            reader.scanned_sources(),
            reader.losses(),
            reader.bytes_read(),
            reader.waiting(),
            reader.dead_letter_count(),
        )


EXPECTED = ([checkpoint(7)], {"app": ("/l/*",)}, {("bytes", "nul"): 3}, 7, {"a": (2, 18), "b": (2, 18)}, 1)


def test_everything_is_read_beside_the_agent_and_after_it(tmp_path: Path) -> None:
    """Without the lock, and what a running agent committed last is there (hazard 5.7)."""
    store = filled(tmp_path)
    assert look(tmp_path) == EXPECTED
    store.close()

    assert look(tmp_path) == EXPECTED


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file of another user comes into the agent's directory, and no byte changes (hazard 5.7)."""
    filled(tmp_path).close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    look(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_reader_sees_what_is_committed_while_it_is_open(tmp_path: Path) -> None:
    """A look at a running agent is a look at now."""
    store = filled(tmp_path)
    with closing(StoreReader(tmp_path)) as reader:
        store.record([], [event(9, "c")])
        assert reader.waiting()["c"] == (1, 9)
    store.close()


def test_no_store_is_one_clear_message_and_none_is_made(tmp_path: Path) -> None:
    """A mistyped directory must not become a state directory."""
    with pytest.raises(StateError, match="there is no store"):
        StoreReader(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("version", "words"), [(99, "newer version"), (1, "start the agent once")])
def test_another_version_is_refused_and_not_migrated(tmp_path: Path, version: int, words: str) -> None:
    """Only the agent migrates, and nobody guesses (hazard 10.4)."""
    file = tmp_path / "shipper.db"
    shutil.copy(Path(__file__).parent / "golden" / "v1.db", file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    content = file.read_bytes()

    with pytest.raises(StateError, match=words):
        StoreReader(tmp_path)
    assert file.read_bytes() == content


def test_a_file_that_is_no_store_is_one_clear_message(tmp_path: Path) -> None:
    """A damaged store is said, and left for the agent to set aside (hazard 5.3)."""
    (tmp_path / "shipper.db").write_bytes(b"not a database at all" * 100)

    with pytest.raises(StateError, match="cannot be read"):
        StoreReader(tmp_path)
