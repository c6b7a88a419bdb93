"""The rule packs that come with the product."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from shipper.cli.replay import LINES, _stamp
from shipper.config.load import read_document
from shipper.events import Block, Origin
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.proving import prove
from shipper.matching.rulebook import Rulebook, load_rules
from shipper.matching.shipped import shipped_rule_files

if TYPE_CHECKING:
    from pathlib import Path

FILES = shipped_rule_files()
ORDINARY = ("Accepted publickey", "started in 4.2 s", "CRON[")

# a server that goes down because its disk is full: two things to be called for, in one line
TWO_INCIDENTS = {"postgresql-panic": {"postgresql-panic", "postgresql-disk-full"}}

SSHD = "Nov 23 10:00:00 web1 sshd[901]: "
ACCESS = "192.0.2.9 - - [23/Nov/2026:10:00:00 +0800] "
NGINX = "2026/11/23 10:00:00 [error] 31#31: *7 "
SYSLOG = "Nov 26 13:21:21 mx "
APACHE = "[Thu Nov 26 13:20:47.695453 2026] "
MARIADB = "2026-11-26 13:20:37 3 "
POSTGRESQL = "2026-11-23 10:00:00.123 UTC [815] "
# what a client of a server chose stands in each of these; beside it the rules that may speak up
FORGED = [
    (SSHD + "Invalid user {} from 198.51.100.23 port 40022", {"sshd-invalid-user"}),
    (SSHD + "Failed password for invalid user {} from 198.51.100.23 port 40022 ssh2", {"sshd-failed-password"}),
    (SSHD + "Connection closed by invalid user {} 198.51.100.23 port 40022 [preauth]", set()),
    (ACCESS + '"GET /?q={} HTTP/1.1" 404 157 "-" "curl/8.5.0"', set()),
    (ACCESS + '"GET / HTTP/1.1" 200 157 "-" "{}"', set()),
    (ACCESS.replace("- -", "- {}") + '"GET / HTTP/1.1" 401 157 "-" "curl/8.5.0"', set()),
    (NGINX + 'open() "/srv/{}" failed (2: No such file or directory), client: 192.0.2.9, server: shop', set()),
    (NGINX + 'directory index of "/srv/" is forbidden, client: 192.0.2.9, request: "GET /?{} HTTP/1.1"', set()),
    (POSTGRESQL + "app@shop LOG:  statement: SELECT '{}'", set()),
    (POSTGRESQL + 'app@shop ERROR:  column "{}" does not exist at character 8', set()),
    (
        APACHE + "[auth_basic:error] [pid 7:tid 7] [client 192.0.2.9:4] AH01618: user {} not found: /a",
        {"apache-login-failed"},
    ),
    (APACHE + "[core:error] [pid 7:tid 7] [client 192.0.2.9:4] AH00126: Invalid URI in request GET {} HTTP/1.1", set()),
    (MARIADB + "[Warning] Access denied for user '{}'@'a' (using password: YES)", {"mariadb-access-denied"}),
    (
        SYSLOG + "postfix/smtpd[9]: warning: a[192.0.2.9]: SASL LOGIN authentication failed: no, sasl_username={}",
        {"postfix-login-failed"},
    ),
    (POSTGRESQL + 'x {}@shop FATAL:  role "x {}" does not exist', set()),
]


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    loaded, problems = load_rules(FILES)
    assert problems == ()
    return loaded


def matching(rulebook: Rulebook, line: str) -> set[str]:
    """Give the ids of the rules that make an event of a line when all packs are in force."""
    now = datetime.now(UTC)
    block = Block(Origin(), "/x.log", f"{line}\n".encode(), 0, b"", now)
    return {event.rule for event in Engine(rulebook.rules, Host("h", "127.0.0.1"), 1.0).match(block)}


def test_there_are_packs() -> None:
    """Found in a checkout; the wheel carries the same files."""
    assert len(FILES) >= 8


def test_every_test_of_every_pack_passes(rulebook: Rulebook) -> None:
    """The packs are proven by the tests they carry."""
    assert [outcome for outcome in prove(rulebook.cases) if not outcome.passed] == []


def test_every_rule_is_tested_both_ways_and_named_for_alarms(rulebook: Rulebook) -> None:
    """A match and a near miss each; event names are literal, unique and CamelCase: alarm rules match them exactly."""
    for rule in rulebook.rules:
        kinds = {bool(case.expected) for case in rulebook.cases if case.rule.id == rule.id}
        assert kinds == {True, False}, rule.id
        assert len(rule.event.parts) == 1, rule.id
        assert re.fullmatch(r"(?:[A-Z][a-z0-9]+)+", str(rule.event.parts[0])), rule.id
    names = Counter(rule.event.parts for rule in rulebook.rules)
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_rule_says_what_it_is_and_where_its_message_comes_from(file: Path) -> None:
    """An id with the pack's name, a description, a comment above that names the message's origin; any source."""
    for rule in read_document(file).values["rule"]:
        assert rule["id"].startswith(f"{file.stem}-")
        assert rule["description"]
        assert "sources" not in rule
    text = file.read_text()
    assert len(re.findall(r"^# .+\n\[\[rule\]\]$", text, re.MULTILINE)) == text.count("[[rule]]")


def test_one_condition_makes_one_event(rulebook: Rulebook) -> None:
    """No two packs tell the same thing: what a rule is tested to match is matched by it alone."""
    for case in rulebook.cases:
        if case.expected:
            rules = matching(rulebook, case.lines[0])
            assert rules in ({case.rule.id}, TWO_INCIDENTS.get(case.rule.id)), case.lines[0]


@pytest.mark.parametrize(("carrier", "allowed"), FORGED)
def test_text_that_a_client_chose_forges_no_event(rulebook: Rulebook, carrier: str, allowed: set[str]) -> None:
    """User names, URLs and statements that look like another program's message, with or without its head, are none."""
    for case in rulebook.cases:
        if not case.expected:
            continue
        # a server writes one line, and escapes quotes where it delimits by them
        text = case.lines[0].replace('"', r"\x22")
        for chosen in (text, text.split("web1 ", 1)[-1], text.split("UTC ", 1)[-1]):
            line = carrier.replace("{}", chosen)
            assert matching(rulebook, line) <= allowed, line


@pytest.mark.parametrize(("kind", "text"), LINES)
def test_the_demos_sample_shows_one_event_for_each_incident(rulebook: Rulebook, kind: str, text: str) -> None:
    """Exactly one rule for an incident, none for an ordinary line."""
    rules = matching(rulebook, f"{_stamp(kind, datetime.now(UTC))} {text}")

    assert len(rules) == (0 if any(word in text for word in ORDINARY) else 1)
