"""The engine gives the events of the plain loop: for any patterns, bytes, encodings and cuts, with either scanner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
import regex
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from shipper.events import Block, Event, Origin, Record
from shipper.matching import plan
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rule import Rule
from shipper.matching.scanner import FindScanner, VectorScanner
from shipper.matching.templates import parse_template
from tests.matching.oracle import plain_loop
from tests.matching.patterns import patterns, raw_lines, texts

HOST = Host("web-1", "192.0.2.7")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PATIENCE = 0.2
SCANNERS = [VectorScanner, FindScanner]
ENCODINGS = ["utf-8", "gb18030", "gbk", "big5", "shift_jis", "euc_jp", "latin-1", "cp1252", "utf-7", "shift_jisx0213"]


def rule(number: int, pattern: str, *, ignore: Sequence[str] = (), final: bool = False) -> Rule:
    """Give a rule whose event tells all that `regex` found."""
    return Rule(
        id=f"rule-{number}",
        match=regex.compile(pattern, cache_pattern=False),
        ignore=tuple(regex.compile(each, cache_pattern=False) for each in ignore),
        event=parse_template("E"),
        content=parse_template("{line}|{1}|{id}"),
        group_id=None,
        final=final,
    )


rules = st.lists(st.tuples(patterns, st.booleans(), st.lists(patterns, max_size=1)), min_size=1, max_size=6).map(
    lambda all_of: [rule(n, match, ignore=ignore, final=final) for n, (match, final, ignore) in enumerate(all_of)]
)


@pytest.fixture(params=SCANNERS, ids=["vectorscan", "find"])
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use one of the scanners, and none that was made before."""
    monkeypatch.setattr(plan, "SCANNER", request.param)
    plan._scanner.cache_clear()
    yield
    plan._scanner.cache_clear()


def blocks(data: bytes, cuts: Sequence[int], origin: Origin) -> list[Block]:
    """Cut at the ends of lines that come after some places, as a tailer does."""
    found, start = [], 0
    for cut in sorted({*cuts, len(data)}):
        end = len(data) if cut >= len(data) else data.find(b"\n", cut) + 1 or len(data)
        if end > start:
            found.append(Block(origin, "/l/app.log", data[start:end], start, b"head", NOW, 1))
            start = end
    return found


def both(all_rules: Sequence[Rule], parts: Sequence[Block]) -> tuple[list[Event], list[Event]]:
    """Give what the engine and the plain loop make of some blocks."""
    engine = Engine(all_rules, HOST, PATIENCE)
    fast = [event for part in parts for event in engine.match(part)]
    assert engine.take_missed() == []
    plain = [event for part in parts for event in plain_loop(all_rules, part, HOST, PATIENCE)]
    # what is ended by the clock is the same twice only by chance
    assume(not engine.take_unjudged())
    return fast, plain


@pytest.mark.usefixtures("scanner")
@settings(max_examples=1000, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    rules,
    st.lists(raw_lines, max_size=8),
    st.lists(st.integers(0, 200), max_size=3),
    st.booleans(),
)
@example([rule(0, "(?i)kelvin")], ["\u212aelvin".encode()], [], False)
@example([rule(0, "(?V1i)ss")], ["ß".encode(), b"x"], [1], False)
@example([rule(0, "(?i)is")], ["İſ".encode()], [], True)
@example([rule(0, "a.b")], ["a中b".encode(), b"a\xffb"], [], False)
def test_any_rules_any_bytes_any_cuts(
    all_rules: list[Rule], lines: list[bytes], cuts: list[int], trailing: bool
) -> None:
    """In the order offset, then rule, with final rules, ignored records, invalid UTF-8, \\r, NULs and BOMs."""
    data = b"\n".join(lines) + b"\n" * trailing
    fast, plain = both(all_rules, blocks(data, cuts, Origin("app")))

    assert fast == plain


@pytest.mark.usefixtures("scanner")
@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(rules, st.lists(texts, max_size=8), st.sampled_from(ENCODINGS), st.binary(max_size=6))
def test_any_encoding(all_rules: list[Rule], lines: list[str], encoding: str, junk: bytes) -> None:
    """Also those in which bytes below 128 are halves of characters, and what no encoder would write."""
    data = b"\n".join([*(line.encode(encoding, "ignore") for line in lines), junk])
    fast, plain = both(all_rules, blocks(data, [], Origin("app", encoding)))

    assert fast == plain


@pytest.mark.usefixtures("scanner")
@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(rules, st.lists(texts, max_size=6), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"]))
def test_records_of_several_lines(all_rules: list[Rule], records: list[str], encoding: str) -> None:
    """Which lie anywhere in the block, with something between them, in encodings of any width."""
    data, places = b"", []
    for number, text in enumerate(records):
        raw = text.encode(encoding, "replace")
        data += b"error between\n"
        places.append(Record(len(data), len(data) + len(raw), 1000 + 7 * number, number))
        data += raw + b"\n"
    block = Block(Origin("app", encoding), "/l/app.log", data, 1000, b"head", NOW, 1, records=tuple(places))
    fast, plain = both(all_rules, [block] if data else [])

    assert fast == plain


@pytest.mark.usefixtures("scanner")
@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(rules, st.lists(raw_lines, min_size=1, max_size=8), st.lists(raw_lines, min_size=1, max_size=8))
def test_whatever_the_plan_was_made_from(all_rules: list[Rule], sampled: list[bytes], lines: list[bytes]) -> None:
    """A sample decides how fast it goes, never what comes out."""
    engine = Engine(all_rules, HOST, PATIENCE)
    origin = Origin("app")
    sample = b"\n".join(sampled) + b"\n"
    for part in blocks(sample * (70_000 // len(sample) + 1), [], origin):
        lane = engine._lane_of((origin,), escaped=False)
        lane.see(part.data)
    data = b"\n".join(lines)

    assert [e for part in blocks(data, [], origin) for e in engine.match(part)] == [
        e for part in blocks(data, [], origin) for e in plain_loop(all_rules, part, HOST, PATIENCE)
    ]
