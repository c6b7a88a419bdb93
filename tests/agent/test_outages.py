"""A day without network, and other troubles of many hours, in virtual time: logs go on and are rotated meanwhile.

Real files, a real store, the real loops in one thread; the clock goes on when a loop waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from shipper.agent.intake import Intake
from shipper.agent.uploader import Uploader
from shipper.cloudmonitor import batching
from shipper.cloudmonitor.batching import UPLOAD
from shipper.cloudmonitor.client import Client
from shipper.cloudmonitor.verdict import Answer
from shipper.config.model import CloudMonitorTable, SourceTable, StoreTable
from shipper.errors import TransportError
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from tests.agent.test_intake import RULE
from tests.outbox.test_store import event

HOUR = 3600.0
DAY = 24 * HOUR
LINES_AN_HOUR = 600
QUEUE = 40_000
"""Bytes that may wait: some hundred events, so that reading pauses long before the trouble is over."""
COMMIT = 1000 * 80
"""Bytes of the events of one commit, of which the last may be beyond that."""


class VirtualClock:
    """Time that goes on when somebody waits for it; what happens meanwhile happens then."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.happens: Callable[[float], None] = lambda _: None

    def monotonic(self) -> float:
        return 1000.0 + self.seconds

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        until = self.seconds + seconds
        while not event.is_set() and self.seconds < until:
            self.pass_by(min(5.0, until - self.seconds))
        return event.is_set()

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.happens(self.seconds)


class Service:
    """What the sending loop has in place of a client: an answer for every moment."""

    limits = UPLOAD
    clock_offset = 0.0

    def __init__(self, clock: VirtualClock, answer: Callable[[float], Answer | float]) -> None:
        self.clock = clock
        self.answer = answer
        self.requests: list[float] = []
        self.accepted: list[str] = []

    def deliver(self, payloads: Sequence[bytes]) -> Answer:
        """Give the answer of this moment; a number means that it comes after so many seconds, or too late."""
        self.requests.append(self.clock.seconds)
        answer = self.answer(self.clock.seconds)
        if isinstance(answer, float):
            self.clock.pass_by(min(answer, 10.0))
            if answer >= 10:
                raise TransportError("no answer came within 10 s")
            answer = Answer(200, "200")
        if answer.code == "200":
            self.accepted += [orjson.loads(payload)["content"] for payload in payloads]
        return answer

    def renew_credentials(self) -> bool:
        return False


class World:
    """A log that grows and is rotated each hour, an agent, and a service."""

    def __init__(self, root: Path, answer: Callable[[float], Answer | float], last: float) -> None:
        self.log = root / "logs" / "app.log"
        self.log.parent.mkdir()
        (root / "rules.toml").write_text(RULE)
        self.clock = VirtualClock()
        self.service = Service(self.clock, answer)
        self.store = Store(root, batching.encode)
        self.last = last
        self.written = self.rotated = self.most_waiting = 0
        rules = load_rules([root / "rules.toml"])[0].rules
        source = SourceTable(name="app", paths=(str(self.log),), start_at="beginning", scan_interval=30.0)
        self.intake = Intake(
            Following([source], [], {}),
            Engine(rules, Host("h", "127.0.0.1"), 1.0),
            self.store,
            StoreTable(min_free_disk=0, max_queue_bytes=QUEUE),
            wake=threading.Event(),
            recorded=lambda: self.uploader.wake(),  # noqa: PLW0108  made later
            watcher=None,
            clock=self.clock,
        )
        client: Client = self.service  # type: ignore[assignment]
        settings = CloudMonitorTable(max_requests_per_second=20.0, linger=0.2)
        self.uploader = Uploader(self.store, client, settings, max_dead_letters=100, clock=self.clock)
        self.clock.happens = self.happens

    def happens(self, seconds: float) -> None:
        """Lines are written, logs rotated, and what is there is read."""
        while seconds < self.last and self.written < seconds / HOUR * LINES_AN_HOUR:
            with self.log.open("a") as file:
                file.write(f"ERROR {self.written}\n")
            self.written += 1
        while self.rotated < seconds // HOUR and seconds < self.last:
            for number in range(self.rotated, 0, -1):
                os.rename(f"{self.log}.{number}", f"{self.log}.{number + 1}")
            os.rename(self.log, f"{self.log}.1")
            self.rotated += 1
        more = self.intake.step(self.clock.monotonic())
        while more:
            more = self.intake.step(self.clock.monotonic())
        self.most_waiting = max(self.most_waiting, self.store.waiting_bytes)
        if seconds > self.last + HOUR:
            self.uploader.drain(HOUR)

    def run(self) -> None:
        self.uploader.run()
        self.intake.close()
        self.store.close()


def until(end: float, trouble: Answer | float) -> Callable[[float], Answer | float]:
    """Trouble from an hour on, until then and from its end on all is well."""
    return lambda now: trouble if HOUR <= now < end else Answer(200, "200")


@pytest.mark.parametrize(
    ("trouble", "hours", "most_requests"),
    [
        # a try takes up to ten seconds, and comes half a minute after the last one on average
        (float("inf"), 24, DAY / 30),
        (9.0, 4, 4 * HOUR / 9 + 1),
        (Answer(200, "500", "internal error"), 3, 3 * HOUR / 20),
        (Answer(403, "403", "cannot upload event, please use ram to auth"), 3, 180),
        (Answer(403, "403", "rate limit"), 3, HOUR),
        (Answer(503, retry_after=300.0), 3, 3 * HOUR / 300 + 1),
    ],
    ids=["a day without answers", "slow", "code 500", "no permission", "rate limit", "retry after"],
)
def test_nothing_is_lost_or_sent_twice(
    tmp_path: Path, trouble: Answer | float, hours: int, most_requests: float
) -> None:
    """However long it lasts: what there is no room for waits in the logs, over all rotations, and tries stay few."""
    end = (1 + hours) * HOUR
    world = World(tmp_path, until(end, trouble), end + HOUR)
    world.run()

    assert (world.rotated, world.written) == (hours + 1, (hours + 2) * LINES_AN_HOUR)
    # in order within each file; a later one may be read while an earlier one waits for room
    assert sorted(map(int, world.service.accepted)) == list(range(world.written))
    assert world.most_waiting <= 2 * QUEUE + COMMIT
    assert len([at for at in world.service.requests if HOUR <= at < end]) <= most_requests
    with closing(Store(tmp_path, batching.encode)) as store:
        assert (store.waiting_count, store.dead_letters.count(), store.losses()) == (0, 0, {})


def test_the_next_try_after_an_account_s_refusal_is_a_minute_later(tmp_path: Path) -> None:
    """Neither sooner, which helps nobody, nor much later, for the operator has mended it."""
    refused = Answer(403, "403", "cannot upload event, please use ram to auth")
    world = World(tmp_path, until(2 * HOUR, refused), 3 * HOUR)
    world.run()
    during = [at for at in world.service.requests if HOUR <= at < 2 * HOUR]

    assert {round(later - at) for at, later in pairwise(during)} == {60}


def test_twenty_refusals_of_two_rules_with_the_same_words_are_the_account_s(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Then nothing is a dead letter, one event a minute is tried, and the first that is accepted ends it."""
    clock, store = VirtualClock(), Store(tmp_path, batching.encode)
    service = Service(clock, lambda now: Answer(200, "200") if now >= HOUR else Answer(400, "400", "name is wrong"))
    client: Client = service  # type: ignore[assignment]
    uploader = Uploader(store, client, CloudMonitorTable(), max_dead_letters=100, clock=clock)
    store.record([], [event(number, "ab"[number % 2]) for number in range(60)])
    kept: list[tuple[int, int]] = []

    def happens(seconds: float) -> None:
        # it waits on purpose, and does not stand still
        assert clock.monotonic() - uploader.looked_at <= 5.0
        if 300 < seconds < HOUR:
            kept.append((store.waiting_count, store.dead_letters.count()))
        if not store.waiting_count:
            uploader.drain(10.0)

    clock.happens = happens
    uploader.run()
    probes = [at for at in service.requests if 300 < at < HOUR]
    store.close()

    assert set(kept) == {(60, 0)}
    assert {round(later - at) for at, later in pairwise(probes)} == {60}
    # the last probe, then all the others at once
    assert len([at for at in service.requests if at >= HOUR]) == 2
    assert sorted(service.accepted) == sorted(f"content {number}" for number in range(60))
    assert caplog.text.count("Events cannot be delivered now") == 1
    assert caplog.text.count("all events are refused with the same words: HTTP 400, code 400: name is wrong") == 1


def test_the_rate_that_was_found_is_gone_on_with_after_a_restart(tmp_path: Path) -> None:
    """It is in the store, so that neither a restart nor a fleet of them begins with a guess."""
    rates: list[float | None] = []
    for part in range(2):
        clock, store = VirtualClock(), Store(tmp_path, batching.encode)
        rates.append(store.send_rate)
        service = Service(clock, lambda _: Answer(200, "200"))
        client: Client = service  # type: ignore[assignment]
        uploader = Uploader(store, client, CloudMonitorTable(), max_dead_letters=1, clock=clock)
        store.record([], [event(number) for number in range(5000)])
        uploader.drain(HOUR)
        uploader.run()
        rates.append(store.send_rate)
        store.close()
        took = service.requests[-1] - service.requests[0]
        # fifty requests: the first part finds its pace from one a second on, the second has it
        assert took < (6.0 if part == 0 else 3.0)

    assert rates[0] is None
    assert rates[1] == rates[2] == rates[3] == pytest.approx(20 / 1.05)


def test_what_comes_while_a_request_waits_for_its_turn_travels_with_it(tmp_path: Path) -> None:
    """An agent of a large fleet has a request a minute: it must not carry what there was a minute ago alone."""
    clock, store = VirtualClock(), Store(tmp_path, batching.encode)
    store.keep_send_rate(1 / 60)
    service = Service(clock, lambda _: Answer(200, "200"))
    client: Client = service  # type: ignore[assignment]
    uploader = Uploader(store, client, CloudMonitorTable(), max_dead_letters=1, clock=clock)
    made = 0

    def happens(seconds: float) -> None:
        nonlocal made
        while made < min(seconds, 1200.0) / 5:
            store.record([], [event(made)])
            made += 1
        if seconds >= 1200:
            uploader.drain(HOUR)

    clock.happens = happens
    uploader.run()
    store.close()

    assert sorted(service.accepted) == sorted(f"content {number}" for number in range(240))
    assert len(service.requests) <= 40
