"""The page at `/`: what it shows, and to whom."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.cloudmonitor.emulator.page import Page
from shipper.cloudmonitor.emulator.service import Service
from tests.cloudmonitor.emulator.upload import events_body, fetch, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cloudmonitor.emulator.upload import Reply


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings(qps=0)) as made:
        yield made


def test_page_runs_only_what_is_its_own(emulator: Emulator) -> None:
    """The policy allows exactly the page's script and style by their hashes; nothing is fetched from elsewhere."""
    reply = fetch(emulator, "/")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    page = reply.body.decode()
    policy = reply.headers["Content-Security-Policy"]
    for tag, directive in [("script", "script-src"), ("style", "style-src")]:
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|\bsrc=|\son\w+=|innerHTML", page)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-store"


def news(emulator: Emulator, after: int) -> Reply:
    return fetch(emulator, f"/events.json?after={after}")


def test_events_arrive_once(emulator: Emulator) -> None:
    """Each question gives what came since the last answer, with the counts."""
    assert news(emulator, 0).body.startswith(b'{"last":0,"events":[],')
    upload(emulator, events_body({"name": "<b>", "content": "x" * 5000}, {"name": "n", "content": "2"}))
    upload(emulator, b"{}")
    first = news(emulator, 0).json
    assert first["last"] == 2
    events: list[dict[str, str]] = first["events"]
    assert [event["name"] for event in events] == ["<b>", "n"]
    assert len(events[0]["content"]) == 2001
    counts: dict[str, int] = first["counts"]
    assert (counts["requests"], counts["accepted"], counts["events"], counts["violations"]) == (2, 1, 2, 1)
    assert [event["content"] for event in news(emulator, 1).json["events"]] == ["2"]
    assert news(emulator, 2).json["events"] == []
    assert news(emulator, 99).json["last"] == 2  # the page was open while the emulator was restarted


@pytest.mark.parametrize("after", ["-1", "x", "1" * 30, "٣"])
def test_wrong_question_is_refused(emulator: Emulator, after: str) -> None:
    """What is no number of an event is answered with 400."""
    assert fetch(emulator, f"/events.json?after={quote(after)}").status == 400


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "10.1.2.3", "[::1", "localhost@evil.example"]
)
@pytest.mark.parametrize("target", ["/", "/events.json"])
def test_other_names_are_turned_away(emulator: Emulator, host: str, target: str) -> None:
    """A page opened under another name (DNS rebinding) sees nothing."""
    assert fetch(emulator, target, {"Host": host}).outcome == (403, "403")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8686"])
def test_names_of_this_host_are_ours(emulator: Emulator, host: str) -> None:
    """localhost and loopback addresses are accepted with any port, for those who forward one."""
    assert fetch(emulator, "/", {"Host": host}).status == 200


def test_listening_everywhere_takes_addresses_but_no_names() -> None:
    """Where the listen address is all addresses, any address may be asked, but no name, which rebinding needs."""
    page = Page(Service(Settings()), "0.0.0.0", None)
    assert page.answer("/", {"host": "10.1.2.3:8686"}).status == 200
    assert page.answer("/", {"host": "evil.example"}).status == 403


def test_token_is_asked_for() -> None:
    """With a token set, page and events are closed without it and open with it, in the link or as a bearer."""
    with Emulator(Settings(page_token="t0ken")) as emulator:
        for target in ("/", "/events.json", "/?token=wrong", "/?token="):
            assert fetch(emulator, target).status == 403
        assert fetch(emulator, "/?token=t0ken").status == 200
        assert fetch(emulator, "/events.json", {"Authorization": "Bearer t0ken"}).status == 200
        assert upload(emulator).outcome == (200, "200")


def test_nothing_else_is_there(emulator: Emulator) -> None:
    """Other paths are 404, and HEAD sends no body."""
    assert fetch(emulator, "/favicon.ico").outcome == (404, "404")
    head = fetch(emulator, "/", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert emulator.violations == ()
