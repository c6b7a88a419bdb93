"""From the outbox to the acknowledgement: what each answer of the service makes of the waiting events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import orjson
import pytest

from shipper import telemetry
from shipper.agent.uploader import Uploader
from shipper.cloudmonitor import Credentials, batching
from shipper.cloudmonitor.client import Client
from shipper.config.model import CloudMonitorTable
from shipper.events import Event
from shipper.outbox.store import Store
from tests.cloudmonitor.recording import RecordingServer, hang_up, replies, reply
from tests.conftest import eventually

Answer = Callable[[BaseHTTPRequestHandler], None]
OK = reply()
BAD = reply(400, b'{"code":"400","msg":"name is wrong","requestId":"r-1"}')


def event(content: str, rule: str = "r") -> Event:
    return Event("Name", content, 0, datetime.now(UTC), rule, "/a", 0, "0" * 32)


class Line:
    """A store, an uploader at work on it, and the service."""

    def __init__(self, root: Path, server: RecordingServer) -> None:
        self.server = server
        self.store = Store(root, batching.encode)
        self.client = Client(server.url, "id", "secret", timeout=5.0)
        self.delivered: list[str] = []
        self.uploader = Uploader(
            self.store,
            self.client,
            CloudMonitorTable(max_requests_per_second=0),
            max_dead_letters=100,
            delivered=lambda events: self.delivered.extend(orjson.loads(e.payload)["content"] for e in events),
        )
        self.thread = threading.Thread(target=self.uploader.run)

    def put(self, *contents: str) -> None:
        self.store.record([], [event(content) for content in contents])
        self.uploader.wake()

    def sent(self) -> list[list[str]]:
        return [[each["content"] for each in orjson.loads(request.body)] for request in self.server.requests]


@contextmanager
def at_work(line: Line, drain: float = 20.0) -> Iterator[Line]:
    line.thread.start()
    yield line
    line.uploader.drain(drain)
    line.thread.join()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    server = RecordingServer()
    made = Line(tmp_path, server)
    yield made
    made.client.close()
    made.store.close()
    server.stop()


@pytest.mark.parametrize("bad", [[], [0], [99], [7, 8], [0, 50, 99], list(range(100))])
def test_refused_events_are_found_by_halving(line: Line, bad: list[int]) -> None:
    """Only the refused ones become dead letters, with the service's words; every other one is accepted once."""
    poison = [f"<{number}>" for number in bad]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (BAD if any(each.encode() in line.server.last.body for each in poison) else OK)(handler)

    line.server.answer = answer
    line.put(*(f"<{number}>" for number in range(100)))
    with at_work(line):
        eventually(lambda: line.store.waiting_count == 0)

    assert sorted(line.delivered) == sorted(f"<{n}>" for n in range(100) if n not in bad)
    assert line.store.dead_letters.count() == len(bad)
    # two requests for each level of the tree above each refused event, and the first one
    assert len(line.server.requests) <= 1 + 2 * 7 * max(1, len(bad))


@pytest.mark.parametrize(
    "trouble",
    [
        reply(500, b"oops"),
        reply(200, b'{"code":"500","msg":"later"}'),
        reply(200, b"<html>proxy</html>"),
        reply(403, b'{"code":"403","msg":"rate limit"}'),
        reply(403, b'{"code":"403","msg":"what nobody has seen"}'),
        reply(503, b""),
        hang_up,
    ],
    ids=["500", "code 500", "html", "rate limit", "unclear 403", "503", "reset"],
)
def test_temporary_trouble_loses_nothing(
    line: Line, trouble: Answer, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """The same events are sent again until they are accepted; trouble and recovery are told once."""
    line.server.answer = replies(trouble, trouble, OK)
    line.put("a", "b")
    with at_work(line):
        eventually(lambda: line.delivered == ["a", "b"])

    assert line.sent() == [["a", "b"]] * 3
    told = [getattr(record, "code", "") for record in caplog.records if record.levelname == "WARNING"]
    # being asked to slow down is no trouble: it is how an agent finds its share of the quota
    assert told == ([] if request.node.callspec.id == "rate limit" else ["delivery_failing"])
    assert line.store.dead_letters.count() == 0


@pytest.mark.parametrize(
    "refusal",
    [
        reply(403, b'{"code":"403","msg":"cannot upload event, please use ram to auth"}'),
        reply(401, b""),
        reply(302, b"", Location="http://elsewhere"),
    ],
    ids=["permission", "401", "redirect"],
)
def test_a_refusal_of_the_whole_account_keeps_everything(line: Line, refusal: Answer) -> None:
    """No dead letters, no storm of requests: the events wait for a person, also over a restart."""
    line.server.answer = refusal
    line.put("a")
    with at_work(line, drain=0.2):
        eventually(lambda: line.server.requests)

    assert line.store.waiting_count == 1
    assert line.store.dead_letters.count() == 0
    assert len(line.server.requests) <= 2


def test_a_drain_ends_in_time_when_nothing_can_be_delivered(line: Line) -> None:
    """Events stay in the store for the next start."""
    line.server.answer = reply(500)
    line.put("a")
    with at_work(line, drain=0.3):
        eventually(lambda: line.server.requests)

    assert not line.thread.is_alive()
    assert line.store.waiting_count == 1


def test_batches_are_full_and_within_the_limits(line: Line) -> None:
    """At most 100 events and 500,000 bytes (API reference, section 6)."""
    line.put(*(f"{number} " + "x" * 4000 for number in range(250)), *(f"short {number}" for number in range(250)))
    with at_work(line):
        eventually(lambda: line.store.waiting_count == 0)

    assert max(len(request.body) for request in line.server.requests) <= 500_000
    assert max(len(each) for each in line.sent()) == 100
    assert len(line.server.requests) <= 7


def test_the_first_event_goes_at_once_and_those_behind_it_together(tmp_path: Path) -> None:
    """`linger`: a quiet line is quick, a busy one does not send an event a request."""
    server = RecordingServer()
    line = Line(tmp_path, server)
    line.uploader = Uploader(
        line.store, line.client, CloudMonitorTable(linger=3600.0), max_dead_letters=1, delivered=None
    )
    line.thread = threading.Thread(target=line.uploader.run)
    with at_work(line):
        line.put("first")
        eventually(lambda: line.sent() == [["first"]])
        for number in range(20):
            line.put(str(number))

    assert line.sent() == [["first"], [str(number) for number in range(20)]]
    line.client.close()
    line.store.close()
    server.stop()


@pytest.mark.parametrize("rules", ["a", "ab"])
def test_refusals_of_one_rule_or_with_one_accepted_between_are_the_events_own(line: Line, rules: str) -> None:
    """However many there are: they become dead letters, and the others are delivered."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (BAD if b"bad" in line.server.last.body else OK)(handler)

    line.server.answer = answer
    contents = [f"bad {n}" if rules == "a" or n % 10 else f"good {n}" for n in range(60)]
    line.store.record([], [event(content, rules[n % len(rules)]) for n, content in enumerate(contents)])
    with at_work(line):
        eventually(lambda: line.store.waiting_count == 0, seconds=40)

    bad = [content for content in contents if content.startswith("bad")]
    assert line.store.dead_letters.count() == len(bad)
    assert sorted(line.delivered) == sorted(set(contents) - set(bad))


class Changing:
    """Credentials that can be renewed once a minute, as lent ones."""

    def __init__(self) -> None:
        self.renewed = 0

    def __call__(self) -> Credentials:
        return Credentials(f"id-{self.renewed}", "secret", "token")

    def renew(self) -> bool:
        self.renewed += 1
        return self.renewed == 1


def test_temporary_keys_that_are_refused_are_renewed_at_once(line: Line) -> None:
    """They may have been taken back before their time; if new ones are refused too, it is not the keys."""
    keys = Changing()
    line.client.close()
    line.client = Client(line.server.url, credentials=keys)
    line.uploader = Uploader(line.store, line.client, CloudMonitorTable(max_requests_per_second=0), max_dead_letters=1)
    line.thread = threading.Thread(target=line.uploader.run)
    line.server.answer = reply(403, b'{"code":"403","msg":"the security token has expired"}')
    line.put("a")
    with at_work(line, drain=0.2):
        eventually(lambda: len(line.server.requests) == 2)
        eventually(lambda: line.uploader.trouble is not None)

    # a drain tries once more
    assert [(each.header("Authorization") or "")[:4] for each in line.server.requests[:2]] == ["id-0", "id-1"]
    assert 'transport = "openapi"' in line.uploader.trouble.reason  # type: ignore[union-attr]


def test_old_events_are_sent_with_the_present_time_and_say_so(line: Line) -> None:
    """`max_event_age`: young ones stay as they are; the store keeps what was made."""
    settings = CloudMonitorTable(max_requests_per_second=0, max_event_age=3600.0)
    line.uploader = Uploader(line.store, line.client, settings, max_dead_letters=9)
    line.thread = threading.Thread(target=line.uploader.run)
    counted = telemetry.counts().get("events_redated", 0)
    old = datetime.now(UTC) - timedelta(hours=2)
    made = [
        Event("Name", content, 0, time, "r", "/a", 0, "0" * 32) for content, time in (("o", old), ("x" * 499_900, old))
    ]
    line.store.record([], [*made, event("young")])
    with at_work(line):
        eventually(lambda: line.store.waiting_count == 0)
    sent = {each["content"][-1]: each for request in line.server.requests for each in orjson.loads(request.body)}

    assert sent["g"]["content"] == "young"
    assert sent["o"]["content"] == f"[of {old.isoformat(timespec='milliseconds')}, sent late] o"
    age = datetime.now(UTC) - datetime.strptime(sent["o"]["time"], "%Y%m%dT%H%M%S.%f%z")
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert sent["]"]["content"].startswith("[of ")
    assert "… [cut" in sent["]"]["content"]
    assert all(len(request.body) <= batching.MAX_BYTES for request in line.server.requests)
    assert telemetry.counts()["events_redated"] - counted == 2


def test_a_service_that_asks_for_time_gets_it(line: Line) -> None:
    """`Retry-After` in seconds."""
    line.server.answer = replies(reply(503, b"", Retry_After="2"), OK)
    line.put("a")
    began = time.monotonic()
    with at_work(line):
        eventually(lambda: line.store.waiting_count == 0)

    assert time.monotonic() - began >= 2
