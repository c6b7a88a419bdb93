"""The last hour, minute by minute: events of each rule, what waited, what was delivered and lost. In memory only."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.agent.status import Status

MINUTES = 60
EVERY = 60.0


@dataclass(frozen=True, slots=True)
class _Totals:
    """What only grows, at one moment."""

    events: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    lost: int = 0


class History:
    """Looks once a minute, from `start` to `stop`, in a thread of its own; any other may ask."""

    def __init__(self, status: Callable[[], Status]) -> None:
        """Begin with what there is now."""
        self._status = status
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._minutes: deque[dict[str, Any]] = deque(maxlen=MINUTES)
        self._before = _Totals()
        self._thread = threading.Thread(target=self._run, name="history")

    def start(self) -> None:
        """Look from now on."""
        # what was lost counts in the life of the store, all else begins with the agent
        self._before = _Totals(lost=_totals(self._status()).lost)
        self._thread.start()

    def stop(self) -> None:
        """End; harmless when it was not started."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def minutes(self, status: Status) -> list[dict[str, Any]]:
        """Give the minutes that are over, and the one that is not, the newest last.

        Args:
            status: as it is now.
        """
        with self._lock:
            return [*self._minutes, _minute(status, self._before)]

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            status = self._status()
            with self._lock:
                self._minutes.append(_minute(status, self._before))
                self._before = _totals(status)


def _totals(status: Status) -> _Totals:
    # of the shadow nothing is sent
    made = {rule.id: rule.matched - rule.below - rule.held for rule in status.rules or () if not rule.shadow}
    lost = sum(loss.amount for loss in status.losses if loss.what == "bytes")
    return _Totals(made, status.delivery.delivered if status.delivery else 0, lost)


def _minute(status: Status, before: _Totals) -> dict[str, Any]:
    now = _totals(status)
    events = {rule: _grown(count, before.events.get(rule, 0)) for rule, count in now.events.items()}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "events": {rule: count for rule, count in events.items() if count},
        "delivered": _grown(now.delivered, before.delivered),
        "lost_bytes": _grown(now.lost, before.lost),
        "queue": status.queue.events,
        "lag": status.files.lag if status.files else None,
    }


def _grown(now: int, before: int) -> int:
    """Tell by how much a counter has grown; one that is smaller began anew with a reload."""
    return now - before if now >= before else now
