"""What an emulator remembers of what happened: exact counts, the last events, what clients did wrong."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.cloudmonitor.emulator.contract import Refusal
    from shipper.cloudmonitor.emulator.faults import Fault
    from shipper.cloudmonitor.emulator.reported import ReportedEvent

_MAX_NAMES = 1000
_MAX_VIOLATIONS = 1000
_MAX_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Receipt:
    """One accepted request.

    Attributes:
        first: number of its first event, from 1, over the emulator's life.
        received: receive time, ISO 8601 with milliseconds and zone.
        request_id: the id in the answer.
        account: whom it counts for.
        events: what was accepted.
        size: bytes of the body.
    """

    first: int
    received: str
    request_id: str
    account: str
    events: tuple[ReportedEvent, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the emulator was made; all exact.

    Attributes:
        requests: uploads that were answered or cut off by a fault.
        accepted: uploads whose events were accepted, whatever was answered.
        events: accepted events.
        bytes: bytes of accepted bodies.
        throttled: uploads refused for the rate limit, injected ones not included.
        violations: uploads against the contract: what a correct client never sends.
        refused: uploads that were answered and not accepted, by the answer's `code`; injected faults included.
        faults: injected faults by kind.
        names: accepted events by name, for the first 1000 names.
        other_names: accepted events of all further names.
    """

    requests: int
    accepted: int
    events: int
    bytes: int
    throttled: int
    violations: int
    refused: Mapping[int, int]
    faults: Mapping[str, int]
    names: Mapping[str, int]
    other_names: int


class Ledger:
    """Counts and remembers; not for several threads at once.

    Args:
        remember: how many of the last accepted events are kept (and never more than 64 MiB of bodies, so long as
            more than one request is kept).
    """

    def __init__(self, remember: int) -> None:
        self._remember = remember
        self._receipts: deque[Receipt] = deque()
        self._remembered_events = 0
        self._remembered_bytes = 0
        self._violations: deque[Refusal] = deque(maxlen=_MAX_VIOLATIONS)
        self._violation_count = 0
        self._requests = 0
        self._accepted = 0
        self._events = 0
        self._bytes = 0
        self._throttled = 0
        self._refused: Counter[int] = Counter()
        self._faults: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self._other_names = 0

    @property
    def events(self) -> int:
        """How many events were accepted; also the number of the last one."""
        return self._events

    def requested(self) -> None:
        """Count an upload."""
        self._requests += 1

    def violated(self, refusal: Refusal) -> None:
        """Note that a client broke the contract."""
        self._violation_count += 1
        self._violations.append(refusal)

    def throttled(self) -> None:
        """Count an upload over the rate limit."""
        self._throttled += 1

    def refused(self, code: int) -> None:
        """Count an answer that is not a plain success."""
        self._refused[code] += 1

    def injected(self, fault: Fault) -> None:
        """Count a fault."""
        self._faults[fault.value] += 1

    def accepted(self, receipt: Receipt) -> None:
        """Count and remember accepted events."""
        self._accepted += 1
        self._events += len(receipt.events)
        self._bytes += receipt.size
        for event in receipt.events:
            if event.name in self._names or len(self._names) < _MAX_NAMES:
                self._names[event.name] += 1
            else:
                self._other_names += 1
        self._receipts.append(receipt)
        self._remembered_events += len(receipt.events)
        self._remembered_bytes += receipt.size
        while len(self._receipts) > 1 and self._is_over():
            oldest = self._receipts.popleft()
            self._remembered_events -= len(oldest.events)
            self._remembered_bytes -= oldest.size

    def _is_over(self) -> bool:
        beyond = self._remembered_events - self._remember
        return beyond >= len(self._receipts[0].events) or self._remembered_bytes > _MAX_BYTES

    def receipts(self, after: int = 0) -> tuple[Receipt, ...]:
        """Give the remembered requests with events numbered over `after`, oldest first."""
        found = []
        for receipt in reversed(self._receipts):
            if receipt.first + len(receipt.events) - 1 <= after:
                break
            found.append(receipt)
        return tuple(reversed(found))

    def violations(self) -> tuple[Refusal, ...]:
        """Give the last 1000 violations, oldest first."""
        return tuple(self._violations)

    def stats(self) -> Stats:
        """Give a copy of the counts."""
        return Stats(
            requests=self._requests,
            accepted=self._accepted,
            events=self._events,
            bytes=self._bytes,
            throttled=self._throttled,
            violations=self._violation_count,
            refused=dict(self._refused),
            faults=dict(self._faults),
            names=dict(self._names),
            other_names=self._other_names,
        )
