"""How an agent is: the answer to `shipper status`, as values."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.tailing.condition import FileCondition, FileState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shipper.events import Loss

MOST_LISTED = 20_000
_FIRST = (FileState.FAILING, FileState.PAUSED)
_NEXT = (FileState.FINISHING, FileState.SKIPPED)


class Health(enum.Enum):
    """How an agent is, from well to worst.

    Attributes:
        HEALTHY: it does what it is there for.
        DEGRADED: something is wrong and may pass by itself; nothing is lost.
        UNHEALTHY: it does not do its work, and somebody should look.
        STOPPED: it does not run.
    """

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        health: how bad it is.
        what: a short stable word: what it is about.
        reason: for people; a sentence without its full stop.
        since: when it began, aware; None when that is not known.
    """

    health: Health
    what: str
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """The running agent.

    Attributes:
        version: of the product.
        pid: process id.
        started_at: aware.
        intake_age: seconds since the reading loop last began something.
        uploader_age: seconds since the sending loop last began something.
        scanner: what finds the literals of rules, `vectorscan` or the slower `find`.
    """

    version: str
    pid: int
    started_at: datetime
    intake_age: float
    uploader_age: float
    scanner: str


@dataclass(frozen=True, slots=True)
class RuleHits:
    """What became of a rule's records since the agent started or reloaded; see `matching.tally.Tally`.

    `every_line`: of some source every line is searched, because no text is certain, and rare, in what the rule finds.
    `shadow`: it sends nothing. `below` and `held`: what its threshold and its throttle kept back.
    `last`: the time of the record that matched last.
    """

    id: str
    matched: int
    ignored: int
    timed_out: int
    judged: int
    seconds: float
    every_line: bool
    shadow: bool = False
    below: int = 0
    held: int = 0
    redaction_failed: int = 0
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleQueue:
    """The events of one rule that wait: their number and encoded bytes; and how many were folded and are told later."""

    rule: str
    events: int
    bytes: int
    folded: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """The events that wait: their number, encoded bytes, how many bytes may wait, and the same by rule."""

    events: int
    bytes: int
    limit: int
    rules: tuple[RuleQueue, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the service answered since the agent started.

    Attributes:
        delivered: events accepted.
        refused: events refused for good.
        failed: requests that were not accepted and are sent again.
        throttled: requests that the service took for too fast.
        accepted_at: when events were last accepted, aware; None before the first time.
        rate: requests a second that are this host's share as far as is known; None without pacing.
        last_error: why events could not be delivered the last time, with what to do; None when they always could.
        failed_at: when that began, aware.
        clock_offset: seconds that the service's clock is ahead of this host's; 0 while both agree within a minute.
    """

    delivered: int
    refused: int
    failed: int
    throttled: int
    accepted_at: datetime | None
    rate: float | None = None
    last_error: str | None = None
    failed_at: datetime | None = None
    clock_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Reload:
    """Which rules are in force, and whether the configuration is.

    Attributes:
        rules: how many.
        at: since when, aware.
        refused: why what the files say now is not in force; None when it is.
        configuration: why not all is in force that `shipper.toml` said at the last reload; None when it is.
    """

    rules: int
    at: datetime
    refused: str | None = None
    configuration: str | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """All files, and the list of them.

    Attributes:
        states: how many files there are in each state that occurs.
        lag: bytes that are there and not read yet, of all of them.
        lag_seconds: how long ago the longest waiting of the files that have such bytes was written to.
        held_deleted_bytes: bytes of deleted files that are free on the disk only when the agent closes them (1.9).
        listed: those in trouble first, then those that have more to read; at most `MOST_LISTED`.
    """

    states: dict[FileState, int]
    lag: int
    lag_seconds: float
    held_deleted_bytes: int
    listed: tuple[FileCondition, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Status:
    """How an agent is.

    Attributes:
        findings: all that is wrong, the worst first; none for a healthy agent.
        process: None when it does not run or does not answer.
        reload: what is in force; None when that is not known.
        rules: None when they are not known.
        files: None when the reading loop did not answer in time.
        queue: what waits.
        delivery: None when it is not known.
        losses: what was lost in the life of this store, by reason.
        bytes_read: bytes that were matched in the life of this store; with those lost they are what was written.
        dead_letters: how many events that the service refused are kept.
        unjudged: how many places are noted that rules did not judge in time.
        told_at: when the agent told `reload`, `rules` and `delivery`, aware.
    """

    findings: tuple[Finding, ...]
    process: Process | None
    reload: Reload | None
    rules: tuple[RuleHits, ...] | None
    files: Files | None
    queue: Queue
    delivery: Delivery | None
    losses: tuple[Loss, ...]
    bytes_read: int
    dead_letters: int
    unjudged: int
    told_at: datetime | None = None

    @property
    def health(self) -> Health:
        """The worst that was found."""
        return worst(self.findings)


def worst(findings: Iterable[Finding]) -> Health:
    """Give the worst health of some findings."""
    order = list(Health)
    return max((finding.health for finding in findings), key=order.index, default=Health.HEALTHY)


def summarise(conditions: Iterable[FileCondition], now: datetime, most: int = MOST_LISTED) -> Files:
    """Count files and put them in the order in which people want to see them."""
    ordered = sorted(conditions, key=lambda found: (_rank(found), -found.lag, found.path))
    return Files(
        states=dict(Counter(found.state for found in ordered)),
        lag=sum(found.lag for found in ordered),
        lag_seconds=max((waits_for(found, now) for found in ordered), default=0.0),
        held_deleted_bytes=sum(found.size or 0 for found in ordered if found.is_deleted),
        listed=tuple(ordered[:most]),
    )


def waits_for(found: FileCondition, now: datetime) -> float:
    """Tell how many seconds ago a file was written to that has unread bytes; 0 for one that has none."""
    if not found.lag or found.changed_at is None:
        return 0.0
    return max(0.0, now.timestamp() - found.changed_at)


def _rank(found: FileCondition) -> int:
    """Give the place of a file in a list: in trouble, more to read, its name gone, not read, all others."""
    if found.state in _FIRST:
        return _FIRST.index(found.state)
    if found.lag:
        return len(_FIRST)
    return len(_FIRST) + 1 + (_NEXT.index(found.state) if found.state in _NEXT else len(_NEXT))
