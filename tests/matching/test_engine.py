"""From blocks of bytes to events: the plain engine, against what the spec says and against a naive second one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.events import Block, Event, Origin, Unjudged
from shipper.matching import judge as judge_module
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.tally import Tally
from tests.matching.writing import load

HOST = Host("web-1", "192.0.2.7")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BOM = b"\xef\xbb\xbf"
PLAIN = Origin("app", "utf-8", UTC)


def block(data: bytes, offset: int = 0, origin: Origin = PLAIN, first_line: int | None = 1) -> Block:
    return Block(origin, "/var/log/app.log", data, offset, b"head", NOW, first_line)


def engine(directory: Path, text: str, *, match_timeout: float = 1.0, for_any_source: bool = False) -> Engine:
    rules = load(directory, text).rules
    return Engine(rules, HOST, match_timeout, group_id=7, for_any_source=for_any_source)


def rule(name: str, match: str, more: str = "") -> str:
    return f"[[rule]]\nid = '{name}'\nmatch = '{match}'\nevent = 'E-{name}'\n{more}\n"


def made(events: Sequence[Event]) -> list[tuple[int, str, str]]:
    return [(event.offset, event.rule, event.content) for event in events]


def test_an_event_is_all_that_the_service_and_the_store_want(tmp_path: Path) -> None:
    """Name, content, group, time, and where it comes from."""
    judged = engine(tmp_path, rule("a", "error", "content = '{hostname} {ip} {path} {file} {source} {rule} {count}'"))
    (event,) = judged.match(block(b"fine\nan error\n", offset=100, first_line=41))

    assert event == Event(
        name="E-a",
        content="web-1 192.0.2.7 /var/log/app.log app.log app a 1",
        group_id=7,
        time=NOW,
        rule="a",
        path="/var/log/app.log",
        offset=105,
        id=event.id,
        line_number=42,
    )
    assert judged.tallies == {"a": Tally(matched=1)}


def test_events_come_by_offset_then_by_rule(tmp_path: Path) -> None:
    """Every rule that matches makes its event, in the order of the rules (spec, section 4 "Order")."""
    judged = engine(tmp_path, rule("late", "b") + rule("early", "a|b") + rule("never", "zzz"))

    assert made(judged.match(block(b"b\na\nb"))) == [
        (0, "late", "b"),
        (0, "early", "b"),
        (2, "early", "a"),
        (4, "late", "b"),
        (4, "early", "b"),
    ]


def test_an_ignored_record_is_no_event_of_this_rule_only(tmp_path: Path) -> None:
    """Later rules still see it, also when the rule is final; it is counted."""
    text = rule("a", "error", "ignore = ['known', 'harmless$']\nfinal = true") + rule("b", "error")
    judged = engine(tmp_path, text)

    assert made(judged.match(block(b"error known\nerror harmless\nerror\n"))) == [
        (0, "b", "error known"),
        (12, "b", "error harmless"),
        (27, "a", "error"),
    ]
    assert judged.tallies == {"a": Tally(matched=1, ignored=2), "b": Tally(matched=2)}


def test_final_ends_the_judging_of_a_record(tmp_path: Path) -> None:
    """Later rules do not see a record that a final rule matched; other records, and earlier rules, are as before."""
    text = rule("first", "x") + rule("last", "x1", "final = true") + rule("after", "x")

    assert [event.rule for event in engine(tmp_path, text).match(block(b"x1\nx2\n"))] == [
        "first",
        "last",
        "first",
        "after",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [("app", "any app glob"), ("app-2", "any glob"), ("web", "any"), (None, "any"), ("", "any")],
)
def test_rules_judge_their_sources(tmp_path: Path, source: str | None, expected: str) -> None:
    """`sources` are globs of names; a file of no source gets only rules without them (spec, section 2)."""
    text = rule("any", "x") + rule("app", "x", "sources = ['app']") + rule("glob", "x", "sources = ['ap*', 'zz']")
    judged = engine(tmp_path, text)
    events = judged.match(block(b"x\n", origin=Origin(source, "utf-8", UTC)))

    assert [event.rule for event in events] == expected.split()


@pytest.mark.parametrize("source", [None, "web"])
def test_sources_can_be_left_out_of_account(tmp_path: Path, source: str | None) -> None:
    """`match` and `explain` with `-r` ask what rules do, not where they apply."""
    judged = engine(tmp_path, rule("app", "x", "sources = ['app']\ncontent = '<{source}>'"), for_any_source=True)

    assert [event.content for event in judged.match(block(b"x\n", origin=Origin(source, "utf-8", UTC)))] == [
        f"<{source or ''}>"
    ]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\n", [(0, "a")]),
        (b"a", [(0, "a")]),
        (b"a\r\nb\r\n", [(0, "a"), (3, "b")]),
        (b"a\r\r\n", [(0, "a\r")]),
        (b"a\rb\n", [(0, "a\rb")]),
        (b"a\r", [(0, "a")]),
        (b"\n\nb", [(0, ""), (1, ""), (2, "b")]),
        (b"\r\n", [(0, "")]),
        (b"a\x00b\n", [(0, "a\x00b")]),
        (b"\x00\n", [(0, "\x00")]),
        (BOM + b"a\n" + BOM + b"b\n", [(0, "a"), (5, "\ufeffb")]),
        (BOM, [(0, "")]),
        (BOM + BOM + b"a", [(0, "\ufeffa")]),
        (b"a\xffb\n", [(0, "a\ufffdb")]),
        (b"a\xe4\xbd", [(0, "a\ufffd")]),
        (b"\xed\xa0\x80", [(0, "\ufffd\ufffd\ufffd")]),
        ("a\u2028b\x0bc\x85d\n".encode(), [(0, "a\u2028b\x0bc\x85d")]),
    ],
)
def test_what_a_record_is(tmp_path: Path, data: bytes, lines: list[tuple[int, str]]) -> None:
    r"""Only \n ends one, one \r before it goes with it; undecodable bytes become U+FFFD (spec 3; hazards 3.3, 3.5)."""
    judged = engine(tmp_path, rule("all", "(?s)^(?<all>.*)$", "content = '{all}'"))

    assert [(event.offset, event.content) for event in judged.match(block(data))] == lines


def test_a_bom_is_only_one_at_the_beginning_of_the_file(tmp_path: Path) -> None:
    """In a later block the same bytes are text, and a pattern with ^ sees the first line behind a BOM."""
    judged = engine(tmp_path, rule("a", "^.?x"))

    assert made(judged.match(block(BOM + b"x\n"))) == [(0, "a", "x")]
    assert made(judged.match(block(BOM + b"x\n", offset=10))) == [(10, "a", "\ufeffx")]


@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        ("gb18030", "内存不足".encode("gb18030"), "内存不足"),
        ("gb18030", "𠀀".encode("gb18030"), "𠀀"),
        ("gb18030", b"\xc4\xda\xff", "内\ufffd"),
        ("latin-1", b"caf\xe9 \xff", "café ÿ"),
        ("utf-8", "内存 🦊".encode(), "内存 🦊"),
    ],
)
def test_records_are_decoded_as_their_source_says(tmp_path: Path, encoding: str, raw: bytes, text: str) -> None:
    """Bytes that the codec does not know never stop a rule (spec, section 3 "encoding")."""
    judged = engine(tmp_path, rule("a", "error (?<what>.*)", "content = '{what}'"))
    (event,) = judged.match(block(b"ok\nerror " + raw + b"\r\n", origin=Origin("app", encoding, UTC)))

    assert event.content == text


@pytest.mark.parametrize(
    ("group", "line", "source_group", "expected", "fallbacks"),
    [
        ("27147", "g=1", None, 27147, 0),
        ("'27147'", "g=1", None, 27147, 0),
        ("0", "g=1", 5, 0, 0),
        (None, "g=1", None, 7, 0),
        (None, "g=1", 5, 5, 0),
        (None, "g=1", 0, 0, 0),
        ("'{g}'", "g=12", 5, 12, 0),
        ("'{g}'", "g= 12 ", 5, 12, 0),
        ("'1{g}'", "g=2", 5, 12, 0),
        ("'{g}'", "g=9223372036854775807", 5, 2**63 - 1, 0),
        ("'{g}'", "g=9223372036854775808", 5, 5, 1),
        ("'{g}'", "g=" + "9" * 5000, 5, 5, 1),
        ("'{g}'", "g=x", 5, 5, 1),
        ("'{g}'", "g=x", None, 7, 1),
        ("'{g}'", "g=", None, 7, 1),
        ("'{g}'", "g=-1", None, 7, 1),
        ("'{g}'", "g=1.0", None, 7, 1),
        ("'{g}'", "g=1_0", None, 7, 1),
        ("'{g}'", "g=١٢", None, 7, 1),
        ("'{g}'", "g=²", None, 7, 1),
    ],
)
def test_where_the_group_comes_from(
    tmp_path: Path, group: str | None, line: str, source_group: int | None, expected: int, fallbacks: int
) -> None:
    """The rule's, else the source's, else the configuration's; a template that gives no integer is counted."""
    judged = engine(tmp_path, rule("a", "g=(?<g>.*)", "" if group is None else f"group_id = {group}"))
    (event,) = judged.match(block(line.encode(), origin=Origin("app", "utf-8", UTC, source_group)))

    assert event.group_id == expected
    assert judged.tallies["a"].group_id_fallbacks == fallbacks


@pytest.mark.parametrize(
    ("line", "name", "fallbacks"),
    [("k=Disk", "Disk", 0), ("k=", "a", 1), ("k=  \t", "a", 1), ("k", "a", 1), ("k={line}", "{line}", 0)],
)
def test_an_event_always_has_a_name(tmp_path: Path, line: str, name: str, fallbacks: int) -> None:
    """An empty or blank name falls back to the rule's id, and is counted (spec, section 4 "Templates")."""
    text = "[[rule]]\nid = 'a'\nmatch = 'k(?:=(?<n>.*))?'\nevent = '{n|}'\n"
    judged = engine(tmp_path, text)
    (event,) = judged.match(block(line.encode()))

    assert event.name == name
    assert judged.tallies["a"].name_fallbacks == fallbacks


def test_precedence_of_values(tmp_path: Path) -> None:
    """Built-ins over captures over the source's fields: log content never replaces a built-in (spec, section 4)."""
    fields = {"service": "field", "line": "field", "id": "field", "hostname": "field", "zone": "field", "1": "field"}
    judged = engine(
        tmp_path,
        rule("a", "s=(?<service>\\w+)", "content = '{service} {line} {hostname} {zone|} {1} {source}'")
        + "[[rule.test]]\nline = ''\nexpect = 'no match'\nfields = { zone = '' }\n",
    )
    (event,) = judged.match(block(b"s=capture", origin=Origin("app", "utf-8", UTC, None, fields)))

    assert event.content == "capture s=capture web-1 field capture app"


def test_a_capture_that_took_no_part_hides_the_field_of_its_name(tmp_path: Path) -> None:
    """It is absent, not the source's constant: its default stands there."""
    judged = engine(tmp_path, rule("a", "s(?:=(?<service>\\w+))?", "content = '{service|none}'"))
    (event,) = judged.match(block(b"s", origin=Origin("app", "utf-8", UTC, None, {"service": "field"})))

    assert event.content == "none"


def test_what_a_line_holds_is_never_interpreted(tmp_path: Path) -> None:
    """Braces, format directives and names of built-ins in a line are just text (hazard 8.5)."""
    line = "{0.__class__} {hostname} %s {{ }} \\1 ${HOME}"
    judged = engine(tmp_path, rule("a", "(?<all>.+)", "content = '{all}|{line}'"))
    (event,) = judged.match(block(line.encode()))

    assert event.content == f"{line}|{line}"


@pytest.mark.parametrize(
    ("time", "line", "expected", "fallbacks"),
    [
        ("", "at 2026-11-22T09:08:07.654+08:00 x", "20261122T090807.654+0800", 0),
        ("", "at 2026-11-22 09:08:07 x", "20261122T090807.000+0900", 0),
        ("", "no time x", "20261123T190000.000+0900", 0),
        ("[rule.time]", "at 2026-11-22 09:08:07 x", "20261122T090807.000+0900", 0),
        ("[rule.time]", "no time x", "20261123T190000.000+0900", 1),
        ("[rule.time]\nzone = 'Asia/Shanghai'", "at 2026-11-22 09:08:07 x", "20261122T090807.000+0800", 0),
        ("[rule.time]\nzone = 'Asia/Shanghai'", "no time x", "20261123T180000.000+0800", 1),
        ("[rule.time]\nformat = 'epoch'\nfield = 'f'", "2026-11-22 09:08:07 x f=1795424887", None, 0),
        ("[rule.time]\nformat = 'epoch'\nfield = 'f'", "2026-11-22 09:08:07 x", "20261123T190000.000+0900", 1),
        ("[rule.time]\nfield = 'f'", "2026-11-22 09:08:07 x f=2026-11-21 01:02:03", "20261121T010203.000+0900", 0),
        ("[rule.time]\nfield = 'f'", "2026-11-22 09:08:07 x f=soon", "20261123T190000.000+0900", 1),
        ("[rule.time]\nformat = '%d.%m.%Y %H:%M'", "on 22.11.2026 09:08 x", "20261122T090800.000+0900", 0),
        (
            "[rule.time]\nformat = '%d.%m.%Y %H:%M'\nzone = 'UTC'",
            "2026-11-22 09:08:07 x",
            "20261123T100000.000+0000",
            1,
        ),
    ],
)
def test_when_an_event_happened(tmp_path: Path, time: str, line: str, expected: str | None, fallbacks: int) -> None:
    """The record's time, in the rule's zone or else the source's; else the time of reading, counted where asked for."""
    judged = engine(tmp_path, rule("a", "x(?: f=(?<f>.*))?", f"content = '{{time}}'\n{time}"))
    origin = Origin("app", "utf-8", ZoneInfo("Asia/Tokyo"))
    (event,) = judged.match(block(line.encode(), origin=origin))

    if expected is None:
        assert event.time == datetime.fromtimestamp(1795424887, UTC)
    else:
        assert event.content == expected
        offset = timezone(timedelta(hours=int(expected[-5:-2])))
        assert event.time == datetime.strptime(expected[:-5], "%Y%m%dT%H%M%S.%f").replace(tzinfo=offset)
    assert judged.tallies["a"].time_fallbacks == fallbacks


CATASTROPHE = b"a" * 60 + b"!"


def test_a_pattern_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """Counted and noted by place; other rules still judge the line, and the rule the next (spec, 4 "Time limits")."""
    text = rule("slow", "(a|aa)+$") + rule("other", "a!")
    judged = engine(tmp_path, text, match_timeout=0.02)
    events = judged.match(block(b"x\n" + CATASTROPHE + b"\r\naaa\n", offset=10))

    assert [(event.rule, event.offset) for event in events] == [("other", 12), ("slow", 75)]
    assert judged.tallies == {"slow": Tally(matched=1, timed_out=1), "other": Tally(matched=1)}
    assert judged.take_unjudged() == [Unjudged("slow", "/var/log/app.log", 12, 61, "timeout")]
    assert judged.take_unjudged() == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*)*x$", "(a*)*b"])
def test_known_catastrophes_end(tmp_path: Path, pattern: str) -> None:
    """Whether the engine outwits a pattern or its time is up: the line is done, and it is no match."""
    judged = engine(tmp_path, rule("slow", pattern), match_timeout=0.02)
    events = judged.match(block(CATASTROPHE + b"\n"))

    assert events == []
    assert len(judged.take_unjudged()) == judged.tallies["slow"].timed_out <= 1


def test_an_ignore_pattern_that_takes_too_long_ignores_nothing(tmp_path: Path) -> None:
    """Rather an event too many than one too few."""
    judged = engine(tmp_path, rule("a", "!", "ignore = ['(a|aa)+$']"), match_timeout=0.02)

    assert len(judged.match(block(CATASTROPHE))) == 1
    assert judged.tallies["a"] == Tally(matched=1, timed_out=1)


def test_a_rule_s_own_limit_comes_first(tmp_path: Path) -> None:
    """`match_timeout` of the rule, where it has one, is the limit of its searches."""
    judged = engine(tmp_path, rule("slow", "(a|aa)+$", "match_timeout = '20ms'"), match_timeout=3600)

    assert judged.match(block(CATASTROPHE)) == []
    assert judged.tallies["slow"].timed_out == 1


def test_unjudged_places_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log made of crafted lines fills no memory: what is not kept is counted."""
    monkeypatch.setattr(judge_module, "MAX_UNJUDGED", 2)
    judged = engine(tmp_path, rule("slow", "(a|aa)+$"), match_timeout=0.002)
    judged.match(block(b"\n".join([CATASTROPHE] * 5)))

    assert [place.offset for place in judged.take_unjudged()] == [0, 62]
    assert judged.unjudged_forgotten == 3
    assert judged.tallies["slow"].timed_out == 5


# -- any bytes, against a naive engine written a second time ------------------------------------------------------

MANY = (
    rule(
        "upper",
        "(?i)error(?: (?<what>\\w+))?",
        "content = '{what|none}: {line}'\ngroup_id = '{what}'\nignore = ['(?i)fine']",
    )
    + rule("anchored", "^x|x$", "final = true")
    + rule("any", "(?s)^(?<all>.*)$", "content = '{all}#{id}'")
    + rule("other-source", ".", "sources = ['web']")
)
WORDS = ("error", "ERROR", "error disk", "error 1", "fine", "x", "a", "{line}", "2026-11-22 09:08:07", "ſ İ K é 🦊 内")
ENDS = (b"\n", b"\n", b"\r\n", b"\r", b" ", b"1", b"\x00", b"\xff", b"\xe4\xbd", b"\x85", "\u2028".encode(), BOM)
PIECES = st.sampled_from([*ENDS, *(word.encode() for word in WORDS)])
CONTENT = st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=25).map(b"".join)


def number_in(text: str | None) -> int:
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else 7


def naive_id(offset: int, raw: bytes, name: str) -> str:
    fields = (b"web-1", b"head", str(offset).encode(), raw, name.encode())
    framed = b"".join(len(field).to_bytes(8, "big") + field for field in fields)
    return hashlib.blake2b(framed, digest_size=16).hexdigest()


def naive(content: bytes, encoding: str) -> list[tuple[str, str, int, str, int, str, int]]:
    """Do what the four rules of MANY mean, line by line, with nothing of the product."""
    events: list[tuple[str, str, int, str, int, str, int]] = []
    offset = 0
    for number, with_end in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", content), start=1):
        raw = re.sub(rb"\r?\n\Z|\r\Z", b"", with_end)
        if offset == 0 and raw.startswith(BOM):
            raw = raw[3:]
        line = raw.decode(encoding, errors="replace")
        made: list[tuple[str, str, int]] = []
        found = regex.search(r"(?i)error(?: (\w+))?", line)
        if found and not regex.search("(?i)fine", line):
            made.append(("upper", f"{found[1] or 'none'}: {line}", number_in(found[1])))
        if line.startswith("x") or line.endswith("x"):
            made.append(("anchored", line, 7))
        else:
            made.append(("any", f"{line}#{naive_id(offset, raw, 'any')}", 7))
        events += [
            (f"E-{name}", text, group, name, offset, naive_id(offset, raw, name), number) for name, text, group in made
        ]
        offset += len(with_end)
    return events


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine(tmp_path_factory.mktemp("many"), MANY)


def seen(events: Sequence[Event]) -> list[tuple[str, str, int, str, int, str, int | None]]:
    return [(e.name, e.content, e.group_id, e.rule, e.offset, e.id, e.line_number) for e in events]


@given(CONTENT, st.sampled_from(["utf-8", "gb18030", "latin-1"]))
@example(b"error\xff\nfine error\nx\n", "utf-8")
@example(BOM + b"x\r\n" + BOM + b"x", "utf-8")
def test_the_engine_gives_what_the_naive_one_gives(many: Engine, content: bytes, encoding: str) -> None:
    """Names, contents, groups, offsets, ids and line numbers, over any bytes."""
    origin = Origin("app", encoding, UTC)
    found = many.match(block(content, origin=origin)) if content else []

    assert seen(found) == naive(content, encoding)


@given(CONTENT, st.data())
def test_where_blocks_are_cut_changes_nothing(many: Engine, content: bytes, data: st.DataObject) -> None:
    """Any cut into whole lines gives the same events, offsets, times and ids as one block."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", content)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(lines) - 1)), max_size=5)))
    events: list[Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        if part := b"".join(lines[start:end]):
            events += many.match(block(part, offset=len(b"".join(lines[:start])), first_line=start + 1))

    assert events == (many.match(block(content)) if content else [])


@given(CONTENT, st.integers(0, 2**40))
def test_offsets_point_at_the_record(many: Engine, content: bytes, offset: int) -> None:
    """The bytes at an event's offset, to the next newline, are the line that it was made of."""
    for event in many.match(block(content, offset=offset)) if content else []:
        at = event.offset - offset
        assert at == 0 or content[at - 1 : at] == b"\n"
        line = content[at:].split(b"\n")[0].removesuffix(b"\r")
        if event.offset == 0:
            line = line.removeprefix(BOM)
        assert line.decode("utf-8", "replace") in event.content


@given(st.dictionaries(st.sampled_from(["service", "line", "what", "1"]), st.text(max_size=5)), CONTENT)
def test_fields_of_the_source_never_hide_the_record(many: Engine, fields: Mapping[str, str], content: bytes) -> None:
    """Whatever a source's fields are called, the events of these rules are the same."""
    origin = Origin("app", "utf-8", UTC, None, fields)

    assert content == b"" or many.match(block(content, origin=origin)) == many.match(block(content))
