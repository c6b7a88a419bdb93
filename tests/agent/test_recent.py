"""The newest events, each with the text of the record that it came from."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
import regex

from shipper.agent.recent import KEPT, OF_A_BLOCK, Recent
from shipper.config.model import MultilineTable, SourceTable
from shipper.events import Block
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.redaction import CUT, FAILED, Redaction
from shipper.matching.rule import Rule, Throttle
from shipper.matching.templates import parse_template
from shipper.tailing.files import LogFile
from shipper.tailing.formats import assembler_of
from shipper.tailing.tailer import Halt, Tailer

HOST = Host("host", "192.0.2.1")


def rule(name: str, match: str, **further: object) -> Rule:
    made: dict[str, object] = {
        "id": name,
        "match": regex.compile(match),
        "ignore": (),
        "group_id": None,
        "event": parse_template("E"),
        "content": parse_template("{line}"),
        "redact": (Redaction(regex.compile(r"(?<=key=)\w+"), "***"),),
    }
    return Rule(**{**made, **further})  # type: ignore[arg-type]


def blocks(path: Path, source: SourceTable, limit: int = 65536) -> list[Block]:
    """Read a file as the agent does."""
    tailer = Tailer(
        LogFile.open(str(path)),
        str(path),
        source.origin,
        max_line_bytes=limit,
        partial_timeout=math.inf,
        assembler=assembler_of(source),
    )
    found = []
    while not isinstance(block := tailer.next_block(datetime.now(UTC), 0.0, flush=True), Halt):
        found.append(block)
    return found


PLAIN = "first\nERROR key=secret\n\nERROR last"
TRACE = "2026-01-01 start\nnext\n2026-01-01 ERROR key=secret\n  at x\n  at y\n2026-01-01 ERROR last"
CRI = (
    "2026-01-01T00:00:00Z stdout F first\n2026-01-01T00:00:00Z stdout P ERROR key=\n"
    "2026-01-01T00:00:00Z stdout F secret\n2026-01-01T00:00:00Z stdout F ERROR last\n"
)
DOCKER = (
    '{"log":"first\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n'
    '{"log":"ERROR key=secret\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n'
    '{"log":"ERROR last\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n'
)
SOURCES = {
    "plain": (PLAIN.encode(), {}, "ERROR key=***"),
    "carriage returns": (PLAIN.replace("\n", "\r\n").encode(), {}, "ERROR key=***"),
    "utf-16": (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}, "ERROR key=***"),
    "several lines": (
        TRACE.encode(),
        {"multiline": MultilineTable(start=r"^\d{4}")},
        "2026-01-01 ERROR key=***\n  at x\n  at y",
    ),
    "cri": (CRI.encode(), {"format": "cri"}, "ERROR key=***"),
    "docker": (DOCKER.encode(), {"format": "docker"}, "ERROR key=***"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_the_record_as_it_may_be_shown(tmp_path: Path, kind: str) -> None:
    """Whatever its file is like; without what is redacted."""
    data, settings, expected = SOURCES[kind]
    path = tmp_path / "a.log"
    path.write_bytes(data)
    engine, recent = Engine([rule("r", "ERROR")], HOST, 1.0), Recent()
    recent.use(engine.rules[0].redact)
    for block in blocks(path, SourceTable(name="s", paths=("x",), **settings)):  # type: ignore[arg-type]
        recent.take(engine.match(block), block)
    made, events = recent.after(0)
    assert made == 2
    assert events[0]["line"] == expected
    assert events[1]["line"].endswith("ERROR last")


def test_a_line_is_shown_without_what_any_rule_redacts(tmp_path: Path) -> None:
    """Whichever made the event; and nothing of one that its limit cut, as a pattern might need the rest to match."""
    covers = Redaction(regex.compile(r"(?s)<key>.*</key>"), "***")
    engine = Engine([rule("other", "nothing", redact=(covers,)), rule("r", "ERROR", redact=())], HOST, 1.0)
    recent, path = Recent(), tmp_path / "a.log"
    recent.use((covers,))
    path.write_text(f"ERROR <key>secret</key> 1\nERROR <key>{'secret' * 500}</key>\nERROR <key> 2\n")
    for block in blocks(path, SourceTable(name="s", paths=("x",)), limit=1024):
        recent.take(engine.match(block), block)
    assert [event["line"] for event in recent.after(0)[1]] == ["ERROR *** 1", CUT, "ERROR <key> 2"]
    # other redactions are in force now, and nobody asked them about these
    recent.use((covers,))
    assert None not in [event["line"] for event in recent.after(0)[1]]
    recent.use((covers, Redaction(regex.compile("ERROR"), "***")))
    assert [event["line"] for event in recent.after(0)[1]] == [None] * 3


def test_reading_does_not_wait_for_lines(tmp_path: Path) -> None:
    """A redaction that takes too long on each of them is given up for the block."""
    slow = Redaction(regex.compile(r"(a|aa)+$"), "***")
    engine = Engine([rule("other", "nothing", redact=(slow,)), rule("r", "ERROR", redact=())], HOST, 1.0)
    recent, path = Recent(), tmp_path / "a.log"
    recent.use((slow,))
    path.write_text(f"ERROR {'a' * 100}b\n" * OF_A_BLOCK)
    (block,) = blocks(path, SourceTable(name="s", paths=("x",)))
    recent.take(engine.match(block), block)
    lines = [event["line"] for event in recent.after(0)[1]]
    assert lines[0] == FAILED
    assert lines[-1] is None


def test_what_tells_of_records_before_has_no_line(tmp_path: Path) -> None:
    """The closing event of a throttle comes with a later block."""
    engine = Engine(
        [rule("r", "ERROR", throttle=Throttle(1, 60.0, (), 10, parse_template("more: {count}")))], HOST, 1.0
    )
    recent, path = Recent(), tmp_path / "a.log"
    for hour in (1, 2):
        path.write_text("\n" * 500 * hour + "".join(f"2026-01-01T0{hour}:00:0{n}Z ERROR {n}\n" for n in range(3)))
        (block,) = blocks(path, SourceTable(name="s", paths=("x",)))
        block = Block(block.origin, "a", block.data, 1000 * hour, block.head, block.read_at)
        recent.take(engine.match(block), block)
    told = [(event["content"], event["line"]) for event in recent.after(0)[1]]
    assert [(content[:6], line is None) for content, line in told] == [
        ("2026-0", False),
        ("more: ", True),
        ("2026-0", False),
    ]


def test_a_storm_gives_way(tmp_path: Path) -> None:
    """Of each block only some are kept, and the rule that holds the most lets go of its oldest first."""
    engine, recent = Engine([rule("storm", "ERROR"), rule("rare", "rare")], HOST, 1.0), Recent()
    path = tmp_path / "a.log"
    path.write_text("rare ERROR\n" + "ERROR\n" * 99)
    for _ in range(KEPT // OF_A_BLOCK + 5):
        for block in blocks(path, SourceTable(name="s", paths=("x",))):
            recent.take(engine.match(block), block)
    path.write_text("rare\n")
    (block,) = blocks(path, SourceTable(name="s", paths=("x",)))
    recent.take(engine.match(block), block)
    for _ in range(30):
        path.write_text("ERROR\n" * OF_A_BLOCK)
        (block,) = blocks(path, SourceTable(name="s", paths=("x",)))
        recent.take(engine.match(block), block)
    made, events = recent.after(0)
    assert len(events) == KEPT
    assert [event["meta"]["rule"] for event in events].count("rare") == 1
    assert made == (KEPT // OF_A_BLOCK + 5) * 101 + 1 + 30 * OF_A_BLOCK
    assert [event["number"] for event in events] == sorted(event["number"] for event in events)
