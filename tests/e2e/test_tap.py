"""`shipper tap` beside a real agent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.agent.tap import KEPT, Tap
from shipper.events import Event
from tests.agent.test_health import NOW
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal

SHADOW = RULES.replace('id = "numbered"', 'id = "tried"\nshadow = true')


def tap(host: Host, out: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "shipper", "tap", "-c", str(host.config), *arguments], stdout=stdout, stderr=stderr
        )


def test_events_are_shown_as_they_are_made_also_those_in_the_shadow(host: Host) -> None:
    """Each tap has its own place; both end with the agent."""
    host.rules.write_text(RULES + SHADOW)
    host.start()
    host.write("a.log", "ERROR 1")
    all_of_them, tried = host.root / "all", host.root / "tried"
    eventually(lambda: journal(host.root / "accepted.jsonl"))
    taps = [tap(host, all_of_them), tap(host, tried, "--rule", "tried")]
    for out in (all_of_them, tried):
        eventually(lambda out=out: "from now on" in out.with_suffix(".err").read_text())  # type: ignore[misc]
    host.write("a.log", "ERROR 2", "ERROR 3")
    eventually(lambda: len(all_of_them.read_text().splitlines()) == 4)
    eventually(lambda: len(tried.read_text().splitlines()) == 2)
    assert host.stop() == 0

    assert [process.wait(30) for process in taps] == [0, 0]
    events = [json.loads(line) for line in all_of_them.read_text().splitlines()]
    assert [(event["meta"]["rule"], event["meta"].get("shadow")) for event in events] == [
        ("numbered", None),
        ("tried", True),
    ] * 2
    assert "the agent has ended" in tried.with_suffix(".err").read_text()


def test_without_an_agent_it_says_so(host: Host) -> None:
    """And is no silent wait."""
    process = tap(host, host.root / "out")

    assert process.wait(30) == 1
    assert "no agent runs with state_dir" in (host.root / "out.err").read_text()


def test_what_comes_too_fast_is_counted() -> None:
    """The newest are shown; nothing is kept while nobody asks."""
    opened = Tap()
    events = [Event(str(n), "", 0, NOW, "r", "/p", 0, "0" * 32) for n in range(KEPT + 5)]
    opened.take(events)
    first = json.loads(opened.answer({"after": None}))
    opened.take(events)
    second = json.loads(opened.answer({"after": first["after"]}))

    assert (first["missed"], first["events"]) == (0, [])
    assert second["missed"] == 5
    assert [event["name"] for event in second["events"]] == [str(n) for n in range(5, KEPT + 5)]
    assert json.loads(opened.answer({"after": second["after"]}))["events"] == []


def test_who_comes_back_after_the_tap_was_closed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the reader of a pipe slept; it goes on from then."""
    opened = Tap()
    opened.answer({"after": None})
    opened.take([Event("a", "", 0, NOW, "r", "/p", 0, "0" * 32)])
    monkeypatch.setattr("shipper.agent.tap.OPEN_FOR", -1.0)
    opened.answer({"after": 0})
    monkeypatch.undo()
    back = json.loads(opened.answer({"after": 1}))
    opened.take([Event("b", "", 0, NOW, "r", "/p", 0, "0" * 32)])

    assert (back["missed"], back["events"]) == (None, [])
    assert [event["name"] for event in json.loads(opened.answer({"after": back["after"]}))["events"]] == ["b"]


def test_a_storm_hides_no_event_of_the_rule_that_is_asked_for() -> None:
    """Each rule that is tapped has its own room."""
    opened = Tap()
    after = json.loads(opened.answer({"after": None, "rule": "quiet"}))["after"]
    opened.take([Event("q", "", 0, NOW, "quiet", "/p", 0, "0" * 32)])
    opened.take([Event("s", "", 0, NOW, "storm", "/p", 0, "0" * 32)] * (2 * KEPT))

    answer = json.loads(opened.answer({"after": after, "rule": "quiet"}))
    assert (answer["missed"], [event["name"] for event in answer["events"]]) == (0, ["q"])
