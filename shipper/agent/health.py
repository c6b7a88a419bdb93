"""Judges how an agent is from the progress it makes, not from being alive (hazard 10.5). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shipper.agent.status import Finding, Health
from shipper.printable import printable_path
from shipper.tailing.condition import FileState
from shipper.telemetry import off_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.agent.status import RuleQueue
    from shipper.agent.trouble import Trouble
    from shipper.tailing.condition import FileCondition
    from shipper.tailing.skipped import Unreadable

PATIENCE = 60.0
"""Seconds for which trouble that may pass by itself is only `degraded`."""
INTAKE_STALLED = 60.0
UPLOADER_STALLED = 180.0
"""Longer than the longest wait between two tries, a minute, and the time-out of a request."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the health of a running agent is judged from. Ages in seconds.

    Attributes:
        now: the wall clock, aware.
        intake_age: since the reading loop last began something.
        uploader_age: since the sending loop last began something.
        unsettled_for: since events were last settled, or there were none to send.
        waiting: how many events wait.
        pause: why nothing is read.
        store: why the store cannot be read or written.
        delivery: why events cannot be delivered.
        rules: why the rules are not what their files say.
        configuration: why not all that the configuration says is in force.
        aside: ids of rules that are set aside, for they take too long.
        clock_offset: seconds that the service's clock is ahead; 0 while both agree.
        longest_wait: seconds that a batch waits for its turn at most, for the account has many hosts.
        storms: rules of which more events wait than `storm_backlog`, or were folded.
        unreadable: what of the sources may not be read.
        stopping: it was told to stop.
    """

    now: datetime
    intake_age: float
    uploader_age: float
    unsettled_for: float
    waiting: int
    pause: Trouble | None = None
    store: Trouble | None = None
    delivery: Trouble | None = None
    rules: Trouble | None = None
    configuration: tuple[Trouble, ...] = ()
    aside: frozenset[str] = frozenset()
    clock_offset: float = 0.0
    longest_wait: float = 0.0
    storms: tuple[RuleQueue, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    stopping: bool = False


def judge(vitals: Vitals, files: Sequence[FileCondition] | None) -> tuple[Finding, ...]:
    """Say all that is wrong with a running agent, the worst first.

    Args:
        vitals: how its loops are.
        files: how its files are; None when the reading loop did not say so in time.
    """
    found = [*_loops(vitals), *_delivery(vitals), *_unreadable(vitals.unreadable), *_files(files or ())]
    if vitals.store is not None:
        found.append(Finding(Health.UNHEALTHY, "store", vitals.store.reason, vitals.store.since))
    if vitals.pause is not None:
        found.append(_lasting("reading", f"reading pauses: {vitals.pause.reason}", vitals.pause, vitals.now))
    if vitals.rules is not None:
        found.append(Finding(Health.DEGRADED, "rules", vitals.rules.reason, vitals.rules.since))
    found += [Finding(Health.DEGRADED, "configuration", each.reason, each.since) for each in vitals.configuration]
    if vitals.aside:
        said = f"set aside, for they take too long again and again: {', '.join(sorted(vitals.aside))}"
        found.append(Finding(Health.DEGRADED, "rules", said))
    if vitals.clock_offset:
        off = off_by(vitals.clock_offset)
        said = f"this host's clock is {off} the service's; requests are signed with the service's time"
        found.append(Finding(Health.DEGRADED, "clock", said))
    for storm in vitals.storms:
        told = f"; {storm.folded} more were folded and are told when half of them are sent" if storm.folded else ""
        said = f"of rule '{storm.rule}' {storm.events} events wait; they are sent in turn with those of others{told}"
        found.append(Finding(Health.DEGRADED, "storm", said))
    order = list(Health)
    return tuple(sorted(found, key=lambda finding: -order.index(finding.health)))


def _loops(vitals: Vitals) -> Iterator[Finding]:
    if vitals.stopping:
        said = f"the agent is stopping; {vitals.waiting} events wait to be sent"
        yield Finding(Health.DEGRADED, "stopping", said)
        return
    # a store that fails holds the reading loop up, and is said for itself
    if vitals.intake_age >= INTAKE_STALLED and vitals.store is None:
        since = vitals.now - timedelta(seconds=vitals.intake_age)
        yield Finding(Health.UNHEALTHY, "intake", "the reading loop makes no progress; restart the agent", since)
    if vitals.uploader_age >= UPLOADER_STALLED:
        since = vitals.now - timedelta(seconds=vitals.uploader_age)
        yield Finding(Health.UNHEALTHY, "uploader", "the sending loop makes no progress; restart the agent", since)


def _delivery(vitals: Vitals) -> Iterator[Finding]:
    if vitals.delivery is not None:
        said = f"events cannot be delivered and are kept: {vitals.delivery.reason}"
        yield _lasting("delivery", said, vitals.delivery, vitals.now)
    elif vitals.waiting and vitals.unsettled_for >= PATIENCE + vitals.longest_wait:
        since = vitals.now - timedelta(seconds=vitals.unsettled_for)
        yield Finding(
            Health.UNHEALTHY, "delivery", f"{vitals.waiting} events wait and none of them was delivered", since
        )


def unread(each: Unreadable) -> str:
    """Say what of a source may not be read, why, and what to do."""
    paths = printable_path(each.path) + (f" and {each.more} more" if each.more else "")
    if each.is_all:
        return f"no file of source '{each.source}' can be read: {paths}: {each.reason}"
    left_out = "what need not be read goes into `exclude`"
    return f"of source '{each.source}' {paths} cannot be read: {each.reason}; {left_out}"


def _unreadable(unreadable: Sequence[Unreadable]) -> Iterator[Finding]:
    for each in unreadable:
        health = Health.UNHEALTHY if each.is_all else Health.DEGRADED
        yield Finding(health, "files", unread(each), datetime.fromtimestamp(each.since, UTC))


def _files(files: Sequence[FileCondition]) -> Iterator[Finding]:
    failing = [file for file in files if file.state is FileState.FAILING]
    if failing:
        first = failing[0]
        more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
        said = f"{printable_path(first.path)}{more} cannot be read: {first.reason}"
        yield Finding(Health.DEGRADED, "files", said)


def _lasting(what: str, reason: str, trouble: Trouble, now: datetime) -> Finding:
    """Give trouble that becomes serious when it needs a person, or lasts."""
    lasts = (now - trouble.since).total_seconds() >= PATIENCE
    health = Health.UNHEALTHY if trouble.needs_person or lasts else Health.DEGRADED
    return Finding(health, what, reason, trouble.since)
