"""The rule packs that come with the product."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from shipper.cli.replay import LINES, _stamp
from shipper.events import Block, Origin
from shipper.matching.engine import Engine, Host
from shipper.matching.proving import prove
from shipper.matching.rulebook import Rulebook, load_rules
from shipper.matching.shipped import shipped_rule_files

FILES = shipped_rule_files()
ORDINARY = ("Accepted publickey", "started in 4.2 s", "CRON[")


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    loaded, problems = load_rules(FILES)
    assert problems == ()
    return loaded


def test_there_are_packs() -> None:
    """Found in a checkout; the wheel carries the same files."""
    assert len(FILES) >= 8


def test_every_test_of_every_pack_passes(rulebook: Rulebook) -> None:
    """The packs are proven by the tests they carry."""
    assert [outcome for outcome in prove(rulebook.cases) if not outcome.passed] == []


def test_every_rule_is_tested_both_ways_and_named_for_alarms(rulebook: Rulebook) -> None:
    """A match and a near miss each; event names are literal, unique and CamelCase: alarm rules match them exactly."""
    for rule in rulebook.rules:
        kinds = {case.expectation.matches for case in rulebook.cases if case.rule.id == rule.id}
        assert kinds == {True, False}, rule.id
        assert len(rule.event.parts) == 1, rule.id
        assert re.fullmatch(r"(?:[A-Z][a-z0-9]+)+", str(rule.event.parts[0])), rule.id
    names = Counter(rule.event.parts for rule in rulebook.rules)
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize(("kind", "text"), LINES)
def test_the_demos_sample_shows_one_event_for_each_incident(rulebook: Rulebook, kind: str, text: str) -> None:
    """Exactly one rule for an incident, none for an ordinary line."""
    now = datetime.now(UTC)
    data = f"{_stamp(kind, now)} {text}\n".encode()
    events = Engine(rulebook.rules, Host("h", "127.0.0.1"), 1.0).match(Block(Origin(), "/x.log", data, 0, b"", now))

    assert len(events) == (0 if any(word in text for word in ORDINARY) else 1), [event.rule for event in events]
