"""The page's server half: who may ask, what it tells, what may be changed, and what the workshop makes of lines."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator
from shipper.matching.redaction import CUT
from tests.cloudmonitor.recording import RecordingServer, refusing, reply
from tests.conftest import eventually
from tests.e2e.host import Host
from tests.web.conftest import Visitor, visitor

RULES = r"""
[grok]
CODE = '[A-Z]{3}-\d+'
[[rule]]
id = "shop"
description = "The shop"
match = 'ERROR (?<code>%{CODE}) (?<what>.*)'
ignore = ['harmless']
event = "ShopError"
content = "{code}"
  [[rule.redact]]
  pattern = '(?<=password=)\S+'
  [[rule.test]]
  line = "ERROR ABC-1 full"
  expect = { event = "ShopError" }
[[rule]]
id = "tried"
match = 'WARN'
event = "Warned"
shadow = true
"""
HOSTILE = "ERROR ABC-2 <script>alert(1)</script> password=hunter2 \x1b[31m\u202e\ud83d\ude00".encode(
    "utf-16", "surrogatepass"
).decode("utf-16")


@pytest.fixture
def shop(host: Host, port: int) -> Visitor:
    host.rules.write_text(RULES)
    host.start()
    return visitor(host, port)


def test_the_page_is_for_who_has_the_token(shop: Visitor, port: int) -> None:
    """It loads nothing from anywhere, and only its own script can run; who has no token is asked for it."""
    status, text, told = shop.ask(f"/?token={shop.token}")
    assert status == 200
    assert shop.token not in text
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", text)
    policy = told["content-security-policy"]
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (told["referrer-policy"], told["x-frame-options"]) == ("no-referrer", "DENY")
    stranger = Visitor(port)
    for path in ("/", "/?token=wrong", "/?token="):
        status, door, told = stranger.ask(path)
        assert status == 401
        assert "sessionStorage" in door
        assert "default-src 'none'" in told["content-security-policy"]
        assert 'id="tabs"' not in door
    for path in ("/api/events", "/api/rules", "/api/history", "/api/dead-letters", "/status"):
        assert stranger.ask(path)[0] == 401
        # in the address it counts for the page alone
        assert stranger.ask(f"{path}?token={shop.token}")[0] == 401
        assert shop.ask(path, {"Host": f"evil.example:{port}"})[0] == 403


def test_the_link_holds_any_token(host: Host, port: int) -> None:
    """Also one that `openssl rand -base64` made."""
    token = "a+b/c&d=#%41"
    (host.root / "token").write_text(token)
    (host.root / "token").chmod(0o600)
    host.config.write_text(host.config.read_text().replace("[http]", '[http]\ntoken_file = "token"'))
    host.start()
    command = [sys.executable, "-m", "shipper", "status", "-c", str(host.config)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    link = said.splitlines()[-1].removeprefix("page ").strip()
    assert Visitor(port).ask(link.removeprefix(f"http://127.0.0.1:{port}"))[0] == 200
    assert Visitor(port, token).ask("/status")[0] == 200


def test_a_changed_redaction_covers_what_was_kept_before(host: Host, shop: Visitor) -> None:
    """As soon as it is in force, although nothing new is read."""
    host.write("app.log", "WARN pin=1234")
    eventually(lambda: [event["line"] for event in shop.get("/api/events")["events"]] == ["WARN pin=1234"])
    host.rules.write_text("[[redact]]\npattern = 'pin=\\d+'\n" + RULES)
    eventually(lambda: [event["line"] for event in shop.get("/api/events")["events"]] == [None])


ASKED_FROM = [
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Authorization": "Bearer wrong"}, 401),
    ({"Authorization": ""}, 401),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
]


def test_changes_come_from_this_page_alone(shop: Visitor) -> None:
    """The token alone is not enough: a page from elsewhere is refused, whatever it says."""
    body = json.dumps({"do": "drop", "ids": []}).encode()
    here = {"Origin": f"http://127.0.0.1:{shop.port}"}
    answered = [(headers, shop.ask("/api/dead-letters", here | headers, "POST", body)[0]) for headers, _ in ASKED_FROM]
    assert answered == ASKED_FROM


def test_what_is_sent_along_is_bounded(shop: Visitor) -> None:
    """And what is no question is answered with what a question is."""
    there = {"Origin": f"http://127.0.0.1:{shop.port}"}
    assert shop.ask("/api/workshop", there | {"Content-Length": "999999999"}, "POST")[0] == 400
    status, text, _ = shop.ask("/api/workshop", there, "POST", b"[]")
    assert (status, json.loads(text)) == (400, {"error": "the body must be a JSON object"})
    assert "'rule' and 'grok'" in shop.post("/api/workshop", {"rule": 1}, 400)["error"]
    assert "must be one of" in shop.post("/api/dead-letters", {"do": "burn", "ids": None}, 400)["error"]
    assert "'ids' must say which" in shop.post("/api/dead-letters", {"do": "drop"}, 400)["error"]
    assert shop.ask("/api/events?after=x")[0] == 400
    assert shop.ask("/nothing")[0] == 404


def test_recent_events_and_the_lines_they_came_from(host: Host, shop: Visitor) -> None:
    """Also those of the shadow, and never what is redacted; the last hour counts what is sent."""
    host.write("app.log", "ERROR ABC-1 harmless", HOSTILE, "WARN x")
    eventually(lambda: len(shop.get("/api/events")["events"]) == 2)
    told = shop.get("/api/events")
    first, second = told["events"]
    assert (first["name"], first["content"], first["meta"]["rule"]) == ("ShopError", "ABC-2", "shop")
    assert first["line"] == HOSTILE.replace("hunter2", "***")
    assert (second["line"], second["meta"]["shadow"]) == ("WARN x", True)
    assert shop.get(f"/api/events?after={told['after']}")["events"] == []
    eventually(lambda: shop.get("/api/history")[-1]["delivered"] == 1)
    assert shop.get("/api/history")[-1]["events"] == {"shop": 1}


def test_a_storm_does_not_hide_other_events(host: Host, shop: Visitor) -> None:
    """Hundreds of one rule leave the one of another."""
    host.write("app.log", "WARN once")
    eventually(lambda: len(shop.get("/api/events")["events"]) == 1)
    for n in range(60):
        host.write("app.log", *(f"ERROR ABC-{n} {k}" for k in range(20)))
        eventually(lambda made=1 + 20 * (n + 1): shop.get("/api/events")["after"] == made)  # type: ignore[misc]
    kept = shop.get("/api/events")["events"]
    assert len(kept) == 500
    assert [event["line"] for event in kept if event["meta"]["rule"] == "tried"] == ["WARN once"]
    assert kept[-1]["line"] == "ERROR ABC-59 19"


def test_rules_as_they_are_in_force(host: Host, shop: Visitor) -> None:
    """Each as the workshop takes it: what it gives back is the same rule."""
    known = {rule["id"]: rule for rule in shop.get("/api/rules")}
    assert known["shop"]["tests"] == 1
    assert (Path(known["shop"]["file"]), known["shop"]["line"]) == (host.rules, 4)
    assert known["shop"]["grok"] == {"CODE": r"[A-Z]{3}-\d+"}
    assert known["shop"]["more"].startswith("[[redact]]")
    assert known["tried"]["shadow"]
    asked = {"rule": known["shop"]["form"], "more": known["shop"]["more"], "grok": known["shop"]["grok"], "lines": ""}
    told = shop.post("/api/workshop", asked)
    assert [test["passed"] for test in told["tests"]] == [True]
    host.rules.write_text(told["toml"])
    eventually(lambda: [rule["id"] for rule in shop.get("/api/rules")] == ["shop"])
    assert shop.get("/api/rules")[0]["form"] == known["shop"]["form"]


def test_the_workshop_shows_what_a_rule_makes_of_lines(shop: Visitor) -> None:
    """Match and captures in the line, the event, why not, the tests, and the rule to copy."""
    rule = {
        "id": "mine",
        "match": r"ERROR (?<code>\w+-(\d+))(?<more>x)?",
        "ignore": ["never mind"],
        "event": "Mine",
        "content": "{code}",
        "group_id": 7,
        "test": [{"line": "ERROR A-1", "expect": {"event": "Other"}}, {"line": "x", "expect": "no match"}],
    }
    lines = "2026-01-02T03:04:05Z ERROR A-17 <b>\nERROR A-1 never mind\n\nhello"
    told = shop.post("/api/workshop", {"rule": rule, "lines": lines, "more": '[throttle]\nmax = 1\nper = "1m"'})
    matched, ignored, empty, other = told["lines"]
    assert [line["outcome"] for line in told["lines"]] == ["matched", "ignored", "no match", "no match"]
    assert [(p["text"], p.get("capture"), p.get("match")) for p in matched["segments"]] == [
        ("2026-01-02T03:04:05Z ", None, None),
        ("ERROR ", None, True),
        ("A-", "code", True),
        ("17", "2", True),
        (" <b>", None, None),
    ]
    assert matched["captures"] == {"code": "A-17", "2": "17", "more": None}
    assert matched["event"] == {
        "name": "Mine",
        "content": "A-17",
        "groupId": 7,
        "time": "20260102T030405.000+0000",
    }
    assert "at most 1 events" in matched["reason"]
    assert "never mind" in ignored["reason"]
    assert empty["seconds"] > 0
    assert "ERROR" in other["reason"]
    assert [test["passed"] for test in told["tests"]] == [False, True]
    assert told["tests"][0]["differences"] == [{"key": "event", "expected": "Other", "got": "Mine"}]
    assert "match = 'ERROR (?<code>\\w+-(\\d+))(?<more>x)?'" in told["toml"]
    assert "[rule.throttle]" in told["toml"]
    assert told["seconds"]["most"] >= told["seconds"]["mean"] > 0


WRONG: list[tuple[dict[str, object], str, str, int | None]] = [
    ({"id": "x", "match": "(", "event": "E"}, "", "is not a valid pattern at column", 3),
    ({"id": "x", "match": "a", "event": "E {nothing}"}, "", "{nothing}", 4),
    ({"id": "x", "match": "a"}, "", "the key 'event' is missing", 1),
    ({"id": "x", "match": "a", "event": "E"}, "[throttle", "not valid TOML", None),
    ({"id": "x", "match": "a", "event": "E"}, 'match = "b"', "has a field of its own", None),
    ({"id": "x", "match": "a", "event": "E"}, "throttel = 1", "did you mean 'throttle'", 5),
    ({"id": "x", "match": None, "event": "E"}, "", "cannot be written", None),
]


def test_the_workshop_says_what_is_wrong(shop: Visitor) -> None:
    """With its line in the text that is shown; the lines stay where they are."""
    for rule, more, said, line in WRONG:
        told = shop.post("/api/workshop", {"rule": rule, "more": more, "lines": "a\nb"})
        wrong = [each for each in told["problems"] if not each["warning"]]
        assert said in wrong[0]["message"]
        assert wrong[0]["line"] == line
        assert [each["outcome"] for each in told["lines"]] == ["untried"] * 2


def test_no_pattern_holds_up_the_agent(host: Host, shop: Visitor) -> None:
    """One that backtracks is ended and said; one that takes all memory or time ends its own process alone."""
    slow = {"id": "x", "match": "(a|aa)+$", "event": "E"}
    told = shop.post("/api/workshop", {"rule": slow, "lines": "a" * 100 + "b\na"})
    assert [each["outcome"] for each in told["lines"]] == ["timed out", "matched"]
    many = shop.post("/api/workshop", {"rule": slow, "lines": ("a" * 100 + "b\n") * 200})
    assert 0 < many["untried"] < 200
    huge = {"id": "x", "match": "(?:" * 6 + "a{1000}" + "){1000}" * 6, "event": "E"}
    said = shop.post("/api/workshop", {"rule": huge, "lines": "a"}, 400)
    assert re.search(r"took (more than|longer than)", said["error"])
    assert host.running.poll() is None
    assert shop.ask("/healthz")[0] == 200


def test_the_workshop_reads_files_of_sources_only(host: Host, shop: Visitor) -> None:
    """What other rules redact is redacted there, too; the same lines come again while the file grows."""
    rule = {"id": "mine", "match": "INFO", "event": "Mine"}
    path = host.logs / "app.log"
    host.write("app.log", *(f"INFO {n} password=hunter{n}" for n in range(1000)))
    eventually(lambda: str(path) in {file["path"] for file in shop.get("/status")["files"]["listed"]})
    told = shop.post("/api/workshop", {"rule": rule, "file": str(path)})
    assert len(told["lines"]) == 300
    texts = ["".join(piece["text"] for piece in line["segments"]) for line in told["lines"]]
    assert texts[-1] == "INFO 999 password=***"
    assert not any("hunter" in json.dumps(line) for line in told["lines"])
    host.write("app.log", "INFO later")
    again = shop.post("/api/workshop", {"rule": rule, "file": str(path), "end": told["end"]})
    assert again["lines"][-1]["segments"] == told["lines"][-1]["segments"]
    secret = host.root / "secret.log"
    secret.write_text("INFO no source names this\n")
    for other in (secret, host.config, Path("/etc/passwd"), host.logs / ".." / "secret.log"):
        said = shop.post("/api/workshop", {"rule": rule, "file": str(other)}, 400)
        assert "no source reads" in said["error"]


def test_a_long_tail_is_tried_as_well_as_a_short_one(host: Host, shop: Visitor) -> None:
    """Of a big file, and of as many pasted lines as may be sent."""
    path = host.logs / "app.log"
    line = "INFO " + "x" * 1000
    host.write("app.log", *(f"{line} {n}" for n in range(500)))
    eventually(lambda: str(path) in {file["path"] for file in shop.get("/status")["files"]["listed"]})
    rule = {"id": "mine", "match": "INFO", "event": "Mine"}
    told = shop.post("/api/workshop", {"rule": rule, "file": str(path)})
    assert [each["outcome"] for each in told["lines"]] == ["matched"] * 129
    told = shop.post("/api/workshop", {"rule": rule, "lines": f"{line}\n" * 1000})
    assert [each["outcome"] for each in told["lines"]] == ["matched"] * 300


def test_nothing_of_a_record_that_was_cut_is_shown(tmp_path: Path, port: int, emulator: Emulator) -> None:
    """In the workshop and among the events, where something is redacted: it might need the rest to be covered."""
    extra = f'[http]\nlisten = "127.0.0.1:{port}"'
    host = Host(tmp_path, emulator, rules=RULES, extra=extra, source='max_line_bytes = "1KiB"')
    host.start()
    shop = visitor(host, port)
    host.write("app.log", f"WARN password={'hunter' * 300}", "WARN last")
    eventually(lambda: len(shop.get("/api/events")["events"]) == 2)
    assert [event["line"] for event in shop.get("/api/events")["events"]] == [CUT, "WARN last"]
    rule = {"id": "mine", "match": "(?<all>.*)", "event": "{all}"}
    told = shop.post("/api/workshop", {"rule": rule, "file": str(host.logs / "app.log")})
    assert [(line["outcome"], line["segments"][0]["text"]) for line in told["lines"]] == [
        ("untried", CUT),
        ("matched", "WARN last"),
    ]
    assert "hunter" not in json.dumps(told)


def test_a_file_whose_name_is_no_utf_8_is_told_of(host: Host, port: int) -> None:
    """In the status, among the events, to `tap`, in the log, and to the workshop (hazard 10.3)."""
    host.config.write_text('log_format = "json"\n' + host.config.read_text())
    host.rules.write_text("[[rule]]\nid = 'named'\nmatch = 'ERROR'\nevent = 'E'\ncontent = '{path} {line}'\n")
    host.start()
    shop = visitor(host, port)
    name = os.fsencode(host.logs) + b"/in\xff\xfevalid.log"
    Path(os.fsdecode(name)).write_text("ERROR 1\n")
    shown = name.decode("utf-8", "backslashreplace")
    eventually(lambda: len(shop.get("/api/events")["events"]) == 1)
    told = shop.get("/api/events")["events"][0]
    assert (told["meta"]["path"], told["line"]) == (shown, "ERROR 1")
    assert told["content"].endswith("in\ufffd\ufffdvalid.log ERROR 1")
    assert [file["path"] for file in shop.get("/status")["files"]["listed"]] == [shown]
    assert shop.ask("/metrics")[0] == shop.ask("/readyz")[0] == 200
    tried = shop.post("/api/workshop", {"rule": {"id": "x", "match": "ERROR", "event": "E"}, "file": shown})
    assert [line["outcome"] for line in tried["lines"]] == ["matched"]
    found = [json.loads(line) for line in host.log.read_text().splitlines()]
    assert shown in {line.get("path") for line in found if line["code"] == "file_found"}
    assert host.stop() == 0


@pytest.fixture
def service() -> Iterator[RecordingServer]:
    """It refuses some events for what they are."""
    with refusing(b"poison", b'{"code":"400","msg":"name is wrong","requestId":"r-1"}') as server:
        yield server


def test_dead_letters_are_sent_again(tmp_path: Path, port: int, service: RecordingServer) -> None:
    """With what the service said, and what to do about it; some, or all."""
    host = Host(tmp_path, service, rules=RULES, extra=f'[http]\nlisten = "127.0.0.1:{port}"')
    host.rules.write_text(RULES.replace('"{code}"', '"{what}"'))
    host.start()
    page = visitor(host, port)
    host.write("app.log", "ERROR ABC-1 poison", "ERROR ABC-2 fine")
    eventually(lambda: len(page.get("/api/dead-letters")["letters"]) == 1)
    found = page.get("/api/dead-letters")
    letter = found["letters"][0]
    assert found["counts"] == {"letters": 1, "places": 0}
    assert (letter["code"], letter["message"], letter["event"]["content"]) == ("400", "name is wrong", "poison")
    number = int(letter["id"])
    assert page.post("/api/dead-letters", {"do": "retry", "ids": [number, 99]}) == {"done": [number]}
    eventually(lambda: [each["id"] for each in page.get("/api/dead-letters")["letters"]] == [str(number + 1)])
    service.answer = reply()
    assert page.post("/api/dead-letters", {"do": "retry", "ids": None}) == {"done": [number + 1]}
    eventually(lambda: page.get("/status")["delivery"]["delivered"] == 2)
    assert page.get("/api/dead-letters")["letters"] == []
