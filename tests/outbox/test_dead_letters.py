"""Refused events, and places that were not judged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from shipper.events import Unjudged
from shipper.outbox import dead_letters
from shipper.outbox.dead_letters import Refusal
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store
from tests.outbox.test_store import encode, event

NO = Refusal("400", "no", "r")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path, encode)
    opened.record([], [event(n, "ab"[n % 2]) for n in range(6)])
    for waiting in sorted(opened.next_events(4), key=lambda each: each.seq):
        opened.bury(waiting, NO, limit=9)
    return opened


def waiting(store: Store) -> list[bytes]:
    return [each.payload for each in sorted(store.next_events(99), key=lambda each: each.seq)]


def test_what_is_sent_again_waits_behind_all_others(store: Store, tmp_path: Path) -> None:
    """In the order in which it was refused, with its own id, counted as waiting; and the next process sees the same."""
    assert store.dead_letters.retry([4, 2, 77]) == [2, 4]
    assert waiting(store) == [b"content 4", b"content 5", b"content 1", b"content 3"]
    assert (store.waiting_count, store.waiting_bytes, store.dead_letters.count()) == (4, 36, 2)
    assert store.dead_letters.retry(None) == [1, 3]
    assert store.dead_letters.retry(None) == []
    store.acknowledge(store.next_events(1))
    numbers = store.waiting_count, store.waiting_bytes, dict(store.waiting_by_rule())
    before = waiting(store)
    store.close()

    with closing(Store(tmp_path, encode)) as again:
        assert (again.waiting_count, again.waiting_bytes, dict(again.waiting_by_rule())) == numbers
        assert waiting(again) == before
        assert all(each.event_id == f"{int(each.payload[-1:]):032x}" for each in again.next_events(99))


def test_what_is_dropped_is_counted(store: Store) -> None:
    """As lost, once, and only what was there."""
    assert store.dead_letters.drop([3, 99]) == [3]
    assert store.dead_letters.drop([3]) == []
    assert store.dead_letters.drop(None) == [1, 2, 4]
    assert store.losses() == {("events", "dead_letters_dropped"): 4}
    assert store.waiting_count == 2


def test_a_place_grows_and_is_kept_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read again after a crash is the same place; the oldest over the limit go, counted."""
    monkeypatch.setattr(dead_letters, "MOST_UNJUDGED", 3)
    places = [Unjudged("r", f"/l/\udcff{n}", n, 10, "timeout") for n in range(3)]
    store.record([], unjudged=places)
    grown = Unjudged("r", "/l/\udcff2", 2, 25, "timeout")
    store.record([], unjudged=[grown])
    aside = Unjudged("r", "/l/\udcff2", 2, 40, "set_aside")
    store.record([], unjudged=[aside])
    with closing(StoreReader(tmp_path)) as reader:
        found = reader.unjudged()
        assert [noted.place for noted in found] == [places[1], grown, aside]
        assert (reader.unjudged_count(), reader.unjudged_forgotten()) == (3, 1)

    assert store.dead_letters.drop_places([found[0].id, 99]) == [found[0].id]
    assert store.dead_letters.drop_places(None) == [noted.id for noted in found[1:]]
    store.close()
