"""`shipper dead-letters` beside a real agent and without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shipper.outbox.reader import StoreReader
from tests.cloudmonitor.recording import RecordingServer, refusing, reply
from tests.conftest import eventually
from tests.e2e.host import RULES, Host

BAD = b'{"code":"400","msg":"name is \\u001b[31mwrong","requestId":"r-1"}'
OK = reply()
SLOW = "\n[[rule]]\nid = 'slow'\nmatch = '(a|aa)+$'\nevent = 'Slow'\nmatch_timeout = '20ms'\n"
CATASTROPHE = "a" * 60 + "!"


@pytest.fixture
def service() -> Iterator[RecordingServer]:
    with refusing(b"app.log 13", BAD) as server:
        yield server


def letters(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", "shipper", "dead-letters", command, "-c", str(host.config), *rest],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def listed(host: Host, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in letters(host, "list", "--json", *arguments).stdout.splitlines()]


@pytest.mark.parametrize("running", [True, False], ids=["beside the agent", "without it"])
def test_a_refused_event_is_shown_and_sent_again(tmp_path: Path, service: RecordingServer, *, running: bool) -> None:
    """With the service's words, harmless to a terminal; a second refusal brings it back under another number."""
    host = Host(tmp_path, service)
    host.start()
    host.write("app.log", *(f"ERROR {n}" for n in range(20)))
    eventually(lambda: len(listed(host)) == 1)
    if not running:
        assert host.stop() == 0
    (letter,) = listed(host, "--kind", "refused")
    shown = letters(host, "list")
    again = letters(host, "retry", "--all")
    if not running:
        host.start()
    eventually(lambda: [each["id"] for each in listed(host)] == ["2"])
    service.answer = OK
    assert letters(host, "retry", "2").returncode == 0
    if running:
        eventually(lambda: b"app.log 13" in service.last.body and not listed(host))
    assert host.stop() == 0

    assert (letter["rule"], letter["code"], letter["message"]) == ("numbered", "400", "name is \x1b[31mwrong")
    assert letter["request_id"] == "r-1"
    assert letter["event"]["content"] == "app.log 13"  # type: ignore[index]
    assert "\x1b" not in shown.stdout
    assert "NumberedError  400 name is \\x1b[31mwrong" in shown.stdout
    assert "1 dead letters are sent again" in again.stderr
    assert b"app.log 13" in service.last.body
    assert listed(host) == []


def test_what_is_dropped_is_counted_and_what_is_not_there_is_said(tmp_path: Path, service: RecordingServer) -> None:
    """Exit 1 for a number that is not there; 2 for what is no number, and for a place that is to be sent."""
    host = Host(tmp_path, service)
    host.start()
    host.write("app.log", "ERROR 13", "ERROR 130")
    eventually(lambda: len(listed(host)) == 2)
    assert "app.log 130" in letters(host, "show", "2").stdout
    done = letters(host, "drop", "1", "7")

    assert (done.returncode, "1 dead letters are dropped" in done.stderr) == (1, True)
    assert "there is no dead letter 7" in done.stderr
    assert [letter["id"] for letter in listed(host)] == ["2"]
    for arguments in (["retry", "m1"], ["retry"], ["retry", "2", "--all"], ["drop", "x"], ["show", "²"]):
        assert letters(host, *arguments).returncode == 2, arguments
    assert letters(host, "show", "1").returncode == 1
    assert host.stop() == 0
    with closing(StoreReader(tmp_path / "state")) as reader:
        assert reader.losses() == {("events", "dead_letters_dropped"): 1}


def test_places_that_were_not_judged_are_kept_with_the_offsets(tmp_path: Path, service: RecordingServer) -> None:
    """Each with rule, file, offset and length, never its text; also what passed while the rule was set aside."""
    host = Host(tmp_path, service, rules=RULES + SLOW)
    host.start()
    host.write("a.log", "fine", *[CATASTROPHE] * 5)
    eventually(lambda: len(listed(host, "--kind", "match")) >= 5)
    # from now on the rule is set aside, and one stretch of each file grows
    host.write("b.log", "one")
    eventually(lambda: any(each["cause"] == "set_aside" for each in listed(host)))
    host.write("b.log", "two", "ERROR 1")
    eventually(lambda: any(each["length"] == 16 for each in listed(host)))
    host.kill()
    found = listed(host, "--kind", "match")
    in_a = [each for each in found if each["cause"] == "timeout"]
    in_b = [each for each in found if str(each["path"]).endswith("b.log")]

    assert [(each["rule"], each["offset"], each["length"]) for each in in_a] == [
        ("slow", 5 + 62 * number, 61) for number in range(5)
    ]
    assert [(each["offset"], each["length"], each["cause"]) for each in in_b] == [(0, 16, "set_aside")]
    assert "aaaa" not in letters(host, "list").stdout
    assert f"shipper backfill {host.logs}/b.log" in letters(host, "show", str(in_b[0]["id"])).stdout
    assert letters(host, "drop", *[str(each["id"]) for each in in_a]).returncode == 0
    assert {each["cause"] for each in listed(host)} == {"set_aside"}


def test_what_was_refused_of_a_backfill_is_sent_by_the_next_one(tmp_path: Path, service: RecordingServer) -> None:
    """Its dead letters lie in a store of their own, which the agent has nothing to do with."""
    host = Host(tmp_path, service)
    host.write("app.log", *(f"ERROR {n}" for n in range(20)))
    assert letters(host, "list", "--backfill").returncode == 2
    command = [sys.executable, "-m", "shipper", "backfill", "-c", str(host.config), str(host.logs)]
    first = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert first.returncode == 1
    assert "1 events were refused by the service and are kept" in first.stderr
    (letter,) = listed(host, "--backfill")
    assert letter["event"]["content"] == "app.log 13"  # type: ignore[index]
    service.answer = OK
    assert letters(host, "retry", "--backfill", "--all").returncode == 0
    again = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert (again.returncode, listed(host, "--backfill")) == (0, [])
    assert "1 events acknowledged" in again.stderr
