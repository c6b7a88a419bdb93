"""Health from progress: whatever stalls, it shows within its bound, and what is well says nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shipper.agent.health import INTAKE_STALLED, PATIENCE, UPLOADER_STALLED, Vitals, judge
from shipper.agent.status import Health
from shipper.agent.trouble import Trouble
from shipper.tailing.condition import FileCondition, FileState
from shipper.tailing.skipped import Unreadable

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WELL = Vitals(NOW, intake_age=0.1, uploader_age=0.1, unsettled_for=0.1, waiting=5)


def trouble(seconds: float, *, needs_person: bool = False) -> Trouble:
    return Trouble("no space left", NOW - timedelta(seconds=seconds), needs_person)


def said(vitals: Vitals, files: Sequence[FileCondition] | None = ()) -> list[tuple[str, Health]]:
    return [(finding.what, finding.health) for finding in judge(vitals, files)]


@pytest.mark.parametrize(
    ("what", "bound", "age"),
    [
        ("intake", INTAKE_STALLED, "intake_age"),
        ("uploader", UPLOADER_STALLED, "uploader_age"),
        ("delivery", PATIENCE, "unsettled_for"),
    ],
)
def test_each_part_that_makes_no_progress_is_unhealthy_within_its_bound(what: str, bound: float, age: str) -> None:
    """A loop that stands still, or events none of which leaves: the process being alive proves nothing (10.5)."""
    ages: list[dict[str, Any]] = [{age: bound - 1}, {age: bound}]
    assert said(dataclasses.replace(WELL, **ages[0])) == []
    assert said(dataclasses.replace(WELL, **ages[1])) == [(what, Health.UNHEALTHY)]


@pytest.mark.parametrize(("what", "key"), [("delivery", "delivery"), ("reading", "pause")])
def test_trouble_that_lasts_or_needs_a_person_is_unhealthy(what: str, key: str) -> None:
    """What may pass by itself degrades for a minute, with its reason (hazard 10.5)."""
    for seconds, needs_person, health in (
        (1, False, Health.DEGRADED),
        (PATIENCE, False, Health.UNHEALTHY),
        (1, True, Health.UNHEALTHY),
    ):
        lasting: dict[str, Any] = {key: trouble(seconds, needs_person=needs_person)}
        vitals = dataclasses.replace(WELL, **lasting)
        assert said(vitals) == [(what, health)]
        assert "no space left" in judge(vitals, ())[0].reason


def test_a_store_that_fails_is_unhealthy_at_once_and_said_once() -> None:
    """The reading loop that waits for it is not said to be broken, too (hazards 5.4, 10.5)."""
    vitals = dataclasses.replace(WELL, store=trouble(0), intake_age=10 * INTAKE_STALLED)

    assert said(vitals) == [("store", Health.UNHEALTHY)]


def test_files_that_cannot_be_read_degrade_and_name_one() -> None:
    """How many, which, and why (hazards 2.4, 10.5)."""
    failing = [FileCondition(f"/l/{number}.log", ("app",), FileState.FAILING, "Stale file handle") for number in (1, 2)]
    idle = FileCondition("/l/3.log", ("app",), FileState.IDLE, "read to its end")

    assert said(WELL, [idle]) == []
    assert said(WELL, [idle, *failing]) == [("files", Health.DEGRADED)]
    assert judge(WELL, [idle, *failing])[0].reason == "/l/1.log and 1 more cannot be read: Stale file handle"


def test_files_that_may_not_be_read_degrade_and_a_source_without_any_other_is_unhealthy() -> None:
    """Each source says which, how many, since when, and what to do; the list of files is not needed (hazard 10.1)."""
    since = NOW.timestamp() - 60
    some = Unreadable("app", "/l/1.log", 1, "permission denied: allow it", is_all=False, since=since)
    nothing = Unreadable("db", "/d", 0, "permission denied: let it in", is_all=True, since=since)
    vitals = dataclasses.replace(WELL, unreadable=(some, nothing))

    assert said(vitals, None) == [("files", Health.UNHEALTHY), ("files", Health.DEGRADED)]
    worst, other = judge(vitals, None)
    assert worst.reason == "no file of source 'db' can be read: /d: permission denied: let it in"
    assert other.reason == (
        "of source 'app' /l/1.log and 1 more cannot be read: permission denied: allow it; "
        "what need not be read goes into `exclude`"
    )
    assert worst.since == other.since == NOW - timedelta(seconds=60)
    skipped = FileCondition("/l/1.log.gz", ("app",), FileState.SKIPPED, "compressed (gzip)")
    assert said(WELL, [skipped]) == []


def test_nothing_to_send_is_no_stall() -> None:
    """An agent that has been idle for a day is well; the worst is said first (hazard 10.5)."""
    assert said(dataclasses.replace(WELL, unsettled_for=86400.0, waiting=0)) == []
    vitals = dataclasses.replace(WELL, pause=trouble(1), uploader_age=UPLOADER_STALLED)
    assert said(vitals) == [("uploader", Health.UNHEALTHY), ("reading", Health.DEGRADED)]


def test_a_long_way_to_the_next_turn_is_no_trouble() -> None:
    """In a large fleet a batch waits minutes for its turn; longer than that it is trouble."""
    assert judge(Vitals(NOW, 0, 0, 400, 5, longest_wait=400.0), []) == ()
    (finding,) = judge(Vitals(NOW, 0, 0, 461, 5, longest_wait=400.0), [])
    assert (finding.health, finding.what) == (Health.UNHEALTHY, "delivery")


@pytest.mark.parametrize(("offset", "said"), [(120.0, "120 s behind"), (-3600.0, "3600 s ahead of")])
def test_a_wrong_clock_is_said(offset: float, said: str) -> None:
    """It is corrected for signing, so it is only degraded."""
    (finding,) = judge(Vitals(NOW, 0, 0, 0, 0, clock_offset=offset), [])
    assert (finding.health, finding.what) == (Health.DEGRADED, "clock")
    assert said in finding.reason
