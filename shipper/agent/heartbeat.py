"""An event every so often, so that an agent that is dead, or cannot deliver, can be alarmed on (spec, `heartbeat`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shipper.events import Event

if TYPE_CHECKING:
    from shipper.agent.clock import Clock
    from shipper.matching.composer import Host
    from shipper.outbox.store import Store

NAME = "ShipperHeartbeat"
RULE = "shipper-heartbeat"


class Heartbeat:
    """Belongs to the reading loop: one that stands still sends none."""

    def __init__(self, interval: float, host: Host, group_id: int, version: str, store: Store, clock: Clock) -> None:
        """Prepare.

        Args:
            interval: seconds; 0 for none at all.
            host: what it tells of.
            group_id: the event's group.
            version: of the product.
            store: whose waiting events it tells of.
            clock: tells the time.
        """
        self._interval = interval
        self._host = host
        self._group_id = group_id
        self._version = version
        self._store = store
        self._clock = clock
        self._due_at = clock.monotonic()

    @property
    def due_at(self) -> float:
        """When the next is due, monotonic."""
        return self._due_at if self._interval else float("inf")

    def look(self) -> list[Event]:
        """Give the event if it is time; none while the last one waits, for what counts is that one arrives."""
        now = self._clock.monotonic()
        if not self._interval or now < self._due_at:
            return []
        self._due_at = now + self._interval
        if self._store.waiting_of(RULE):
            return []
        moment = self._clock.now().astimezone()
        name, waiting = self._host.hostname, self._store.waiting_count
        content = f"{name} ({self._host.ip}): shipper {self._version}, {waiting} events wait"
        identity = hashlib.blake2b(f"{name} {moment.isoformat()}".encode(), digest_size=16).hexdigest()
        return [Event(NAME, content, self._group_id, moment, RULE, "", 0, identity)]
