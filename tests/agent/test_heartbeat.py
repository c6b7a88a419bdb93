"""`heartbeat`: an event every so often, through the store like any other."""

from __future__ import annotations

from pathlib import Path

import orjson

from shipper.agent.heartbeat import Heartbeat
from shipper.cloudmonitor import batching
from shipper.config.model import StoreTable
from shipper.matching.composer import Host
from shipper.outbox.store import Store
from tests.agent.test_intake import Reading
from tests.agent.test_outages import VirtualClock
from tests.conftest import eventually


def heartbeat(store: Store, clock: VirtualClock, interval: float = 300.0) -> Heartbeat:
    return Heartbeat(interval, Host("web-1", "192.0.2.7"), 42, "1.2.3", store, clock)


def test_one_at_once_and_one_each_interval_unless_the_last_one_waits(tmp_path: Path) -> None:
    """After an outage one arrives, not hundreds; and each has an id of its own."""
    clock, store = VirtualClock(), Store(tmp_path, batching.encode)
    beating = heartbeat(store, clock)
    made = []
    for _ in range(60):
        events = beating.look()
        store.record([], events)
        made += events
        if clock.seconds >= 1800:
            store.acknowledge(store.next_events(10))
        clock.pass_by(60.0)

    # the first, then none while it waits for half an hour, then six in the other half
    assert len(made) == 1 + 5
    assert len({event.id for event in made}) == len(made)
    assert (made[0].name, made[0].group_id, made[0].rule) == ("ShipperHeartbeat", 42, "shipper-heartbeat")
    assert made[0].content == "web-1 (192.0.2.7): shipper 1.2.3, 0 events wait"
    assert beating.due_at > clock.monotonic() - 300
    store.close()


def test_none_unless_it_is_asked_for(tmp_path: Path) -> None:
    """The default is no heartbeat."""
    clock, store = VirtualClock(), Store(tmp_path, batching.encode)
    assert heartbeat(store, clock, 0.0).look() == []
    assert heartbeat(store, clock, 0.0).due_at == float("inf")
    store.close()


def test_the_reading_loop_sends_it(tmp_path: Path) -> None:
    """Also while there is nothing to read."""
    reading = Reading(tmp_path, StoreTable(min_free_disk=0), watched=False)
    reading.intake._heartbeat = Heartbeat(0.2, Host("h", "::1"), 0, "1", reading.store, reading.intake._clock)
    reading.thread.start()

    def beats() -> int:
        waiting = reading.store.next_events(10)
        reading.store.acknowledge(waiting)
        reading.found += [orjson.loads(each.payload)["name"] for each in waiting]
        return len(reading.found)

    eventually(lambda: beats() >= 3)
    reading.end()
    assert set(reading.found) == {"ShipperHeartbeat"}
