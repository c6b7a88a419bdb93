"""Records of several lines and of containers are the same, made one by one or only where somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from shipper.events import Block, LineState, Origin, Record
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rule import Rule
from shipper.matching.templates import parse_template
from shipper.tailing.assembly import Assembled, Assembler, split_lines
from shipper.tailing.containers import CRI, DOCKER, Containers, Form
from shipper.tailing.multiline import PRESETS, Multiline, StartPattern, preset
from tests.matching.oracle import plain_loop

HOST = Host("host", "192.0.2.1")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
OFFSET = 1000
MAX_LINES, MAX_BYTES = 6, 120

TEXTS = st.sampled_from(
    [
        b"2026-11-23 10:00:00 fine", b"2026-11-23 10:00:01 ERROR disk full", b"plain", b"", b" ",
        b"\tat a.B.c(B.java:1)",
        b"Traceback (most recent call last):", b'  File "x.py", line 1', b"ValueError: disk full", b"    raise it",
        b"During handling of the above exception, another exception occurred:", b"Caused by: java.io.IOException: full",
        b"Exception in thread main", b"java.lang.OutOfMemoryError: heap", b"\t... 3 more", b"panic: ERROR",
        b"goroutine 1 [running]:", b"main.main()", b"\t/x/main.go:1 +0x1d", b"created by y", b"[signal 1]",
        b"\tfrom a.rb:1:in `b'", b"a.rb:3:in `c': full (E)", b"   at A.B() in c.cs:line 1", b" ---> System.IO.Error: x",
        b"  + Exception Group Traceback (most recent call last):", b"\xff\xfe",
        "错误 磁盘".encode(), b"x" * 70, b"\r", b"\0",
    ]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])
LINES = st.lists(st.tuples(TEXTS, ENDS).map(b"".join), min_size=1, max_size=40)


def multiline(name: str) -> Multiline:
    """Give an assembler of its own: presets remember what they saw."""
    continuation = preset(name) if name in PRESETS else StartPattern(name)
    return Multiline(continuation, "utf-8", MAX_LINES, MAX_BYTES, 1.0)


KINDS = [*PRESETS, r"^\d{4}-", "^[^ \t]", "ERROR|full"]


def eager(assembler: Assembler, data: bytes, *, closed: bool) -> Assembled:
    return assembler.assemble(split_lines(data, b"\n"), OFFSET, LineState.START, own=len(data), closed=closed)


def told(records: Sequence[Record], data: bytes) -> list[tuple[int, bytes, datetime | None]]:
    """Give what records are, wherever their bytes lie."""
    return [
        (record.offset, data[record.start : record.end] if record.text is None else record.text, record.time)
        for record in records
    ]


def same(made: Assembled, expected: Assembled) -> None:
    assert (made.taken, made.state, made.skipped) == (expected.taken, LineState.START, 0)
    assert (expected.state, expected.skipped) == (LineState.START, 0)
    assert told(list(made.records), made.data) == told(list(expected.records), expected.data)


def every_place(made: Assembled) -> None:
    """Ask for the record at each place, from each floor that there may be."""
    assert not isinstance(made.records, tuple)
    records = list(made.records)
    starts = [record.start for record in records]
    for number, record in enumerate(records):
        behind = starts[number + 1] if number + 1 < len(starts) else made.taken
        for place in range(record.start + 1, behind + 1):
            for floor in starts[: number + 1]:
                assert made.records.at(place, floor) == (record, behind)


@pytest.mark.parametrize("kind", KINDS)
@given(lines=LINES, closed=st.booleans())
def test_joined_lines(kind: str, lines: list[bytes], closed: bool) -> None:
    """The same records from the same bytes, at every place; what is over a limit is never taken on demand (4.1)."""
    data = b"".join(lines)
    made = multiline(kind).survey(data, OFFSET, closed=closed)
    expected = eager(multiline(kind), data, closed=closed)
    if made is None:
        return
    same(made, expected)
    every_place(made)


@pytest.mark.parametrize("kind", KINDS)
def test_ordinary_lines_are_taken_on_demand(kind: str) -> None:
    """The way without a look at each line is not only there, it is taken."""
    data = b"2026-11-23 10:00:00 ERROR full\n" * 200

    assert multiline(kind).survey(data, OFFSET, closed=False) is not None


DOCKER_TEXTS = st.one_of(
    TEXTS.map(lambda text: text.decode("utf-8", "replace")),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            "a/b",
            'say "disk full"',
            "C:\\dir\\n",
            "<b>&</b>",
            "ERROR\u2028full",
            "\x1b[31mERROR\x1b[0m",
            "\\n",
            "x" * 150,
        ]
    ),
)


def docker_line(text: str, stream: str, how: str) -> bytes:
    """Write a line as Docker does, or almost."""
    message = {"log": text + ("" if how == "partial" else "\n"), "stream": stream, "time": "2026-11-23T10:00:00.5Z"}
    line = orjson.dumps(message)
    if how == "escaped":
        # as an encoder may that trusts no character
        line = b'{"log":"%s\\n","stream":"%s","time":"2026-11-23T10:00:00.5Z"}' % (
            b"".join(map(escaped, text)),
            stream.encode(),
        )
    elif how == "html":
        line = line.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    elif how == "slash":
        line = line.replace(b"/", b"\\/")
    elif how == "odd":
        line = line[1:]
    elif how == "attributes":
        line = line.replace(b',"time"', b',"attrs":{"a":"b\\n"},"time"')
    return line + b"\n"


def escaped(character: str) -> bytes:
    return b"".join(b"\\u%02x%02x" % (high, low) for high, low in pairs(character.encode("utf-16-be")))


def pairs(data: bytes) -> list[tuple[int, int]]:
    return list(zip(data[::2], data[1::2], strict=True))


HOWS = st.sampled_from(["whole", "escaped", "html", "slash"] * 4 + ["attributes", "partial", "odd"])
DOCKER_LINES = st.lists(
    st.builds(docker_line, DOCKER_TEXTS, st.sampled_from(["stdout", "stderr"]), HOWS), min_size=1, max_size=20
)


def cri_line(text: bytes, stream: bytes, tag: bytes) -> bytes:
    return b"2026-11-23T10:00:00.5Z " + stream + b" " + tag + b" " + text.replace(b"\n", b"") + b"\n"


CRI_TEXTS = st.one_of(TEXTS, st.sampled_from([b"x stdout F y", b"a stderr P b", b" stdout F"]))
CRI_LINES = st.lists(
    st.one_of(
        st.builds(
            cri_line, CRI_TEXTS, st.sampled_from([b"stdout", b"stderr"]), st.sampled_from([b"F"] * 15 + [b"P", b"F:x"])
        ),
        TEXTS.map(lambda text: text + b"\n"),
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize(("form", "some"), [(DOCKER, DOCKER_LINES), (CRI, CRI_LINES)], ids=["docker", "cri"])
@given(data=st.data())
def test_messages(form: Form, some: st.SearchStrategy[list[bytes]], data: st.DataObject) -> None:
    """Lines of a runtime are whole messages when they look like that, and the same ones (hazards 4.2, 4.3)."""
    raw = b"".join(data.draw(some))
    made = Containers(form, MAX_BYTES).survey(raw, OFFSET, closed=False)
    if made is None:
        return
    same(made, eager(Containers(form, MAX_BYTES), raw, closed=False))
    every_place(made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [0, 1, 17, 39, 40])
@pytest.mark.parametrize(
    "long", [b" ERROR full\n" * MAX_LINES, b" full".ljust(MAX_BYTES) + b"\n"], ids=["lines", "bytes"]
)
def test_a_record_over_a_limit_is_not_taken_on_demand(kind: str, place: int, long: bytes) -> None:
    """Wherever it lies among the others, also open at the end: what is skipped of it is counted exactly (3.2, I1)."""
    lines = [b"2026-11-23 10:00:00 ERROR\n"] * 41
    lines[place] += long.replace(b" ", b"\tat ") if kind in {*PRESETS} - {"go", "python", "ruby"} else long
    data = b"".join(lines)
    expected = eager(multiline(kind), data, closed=False)

    made = multiline(kind).survey(data, OFFSET, closed=False)

    # to some kinds it is no part of a record that is too long
    assert made is None or not (expected.skipped or expected.state is not LineState.START)
    assert made is None or told(list(made.records), made.data) == told(list(expected.records), expected.data)


DOCKER_WHOLE = b'{"log":"a\\n","stream":"stdout","time":"2026-11-23T10:00:00.5Z"}\n'
CRI_WHOLE = b"2026-11-23T10:00:00.5Z stdout F a\n"


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (DOCKER, b'{"log":"a","stream":"stdout","time":"2026-11-23T10:00:00.5Z"}\n'),
        (DOCKER, b'{"log":"cut behind \\\\n","stream":"stdout","time":"2026-11-23T10:00:00.5Z"}\n'),
        (DOCKER, b'{"stream":"stdout","log":"a\\n"}\n'),
        (DOCKER, b"not of docker\n"),
        (DOCKER, b'{"log":"a\\n","stream":"stdout","log":"a part","time":"2026-11-23T10:00:00.5Z"}\n'),
        (DOCKER, b'{"log":"a part","of":"b\\n","stream":"stdout","time":"2026-11-23T10:00:00.5Z"}\n'),
        (DOCKER, DOCKER_WHOLE.replace(b"a", b"a" * MAX_BYTES)),
        (DOCKER, DOCKER_WHOLE[:-1]),
        (CRI, b"2026-11-23T10:00:00.5Z stdout P a\n"),
        (CRI, b"2026-11-23T10:00:00.5Z stdout P said stdout F\n"),
        (CRI, b"2026-11-23T10:00:00.5Z stderr P said stderr F\n"),
        (CRI, b"not of a runtime\n"),
        (CRI, CRI_WHOLE.replace(b"a", b"a" * MAX_BYTES)),
        (CRI, CRI_WHOLE[:-1]),
    ],
)
def test_a_line_out_of_the_ordinary_is_not_taken_on_demand(form: Form, line: bytes) -> None:
    """A part of a message, a line of somebody else, one over the limit: among many that are whole, wherever it lies."""
    whole = DOCKER_WHOLE if form is DOCKER else CRI_WHOLE
    assembler = Containers(form, MAX_BYTES)
    last = not line.endswith(b"\n")

    assert assembler.survey(whole * 9, OFFSET, closed=False) is not None
    assert last or assembler.survey(line + whole * 8, OFFSET, closed=False) is None
    assert last or assembler.survey(whole * 4 + line + whole * 4, OFFSET, closed=False) is None
    assert assembler.survey(whole * 8 + line, OFFSET, closed=False) is None


def rule(name: str, pattern: str) -> Rule:
    return Rule(name, regex.compile(pattern), (), parse_template("E"), parse_template("{line}"), None)


PATTERNS = [
    "ERROR", "(?i)error", "disk full", "full$", "^Traceback", "(?s)Traceback.*full", r"at .*\n.*more", "错误", "a/b",
    r"say \"disk", r"C:\\dir", "<b>", r"\d{4}-\d\d", ".", "heap|panic", "ss", r"\x1b\[31m", "é",
]  # fmt: skip


@given(
    data=st.data(),
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=6, unique=True),
    form=st.sampled_from(["docker", "cri", *KINDS]),
)
def test_the_events_are_those_of_the_plain_loop(data: st.DataObject, patterns: list[str], form: str) -> None:
    """Whatever a scan of the file's own bytes finds, escaped or not: each record is judged as if each rule saw it."""
    lines = data.draw({"docker": DOCKER_LINES, "cri": CRI_LINES}.get(form, LINES))
    raw = b"".join(lines)
    assembler: Assembler
    if form in {"docker", "cri"}:
        assembler = Containers(DOCKER if form == "docker" else CRI, 10_000)
    else:
        assembler = Multiline(preset(form) if form in PRESETS else StartPattern(form), "utf-8", 100, 10_000, 1.0)
    made = assembler.survey(raw, OFFSET, closed=True)
    assume(made is not None)
    assert made is not None
    expected = eager(assembler, raw, closed=True)
    rules = [rule(str(number), pattern) for number, pattern in enumerate(patterns)]
    origin = Origin("s")
    on_demand = Block(origin, "/x.log", made.data, OFFSET, b"head", NOW, 1, made.records)
    at_once = Block(origin, "/x.log", expected.data, OFFSET, b"head", NOW, None, expected.records)
    engine = Engine(rules, HOST, 1.0)

    events = engine.match(on_demand)

    assert engine.take_missed() == []
    assert [event._replace(line_number=None) for event in events] == plain_loop(rules, at_once, HOST, 1.0)
    numbers = {event.offset: event.line_number for event in events}
    assert all(number == 1 + raw.count(b"\n", 0, offset - OFFSET) for offset, number in numbers.items())


@pytest.mark.parametrize("how", ["whole", "escaped", "html", "slash"])
@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("path a/b here", "path a/b"),
        ('they say "disk full"', 'say "disk'),
        ("in C:\\dir now", r"in C:\\dir"),
        ("an <b>&amp;</b>", "an <b>&"),
        ("tab\there", r"tab\there"),
        ("磁盘 full", "磁盘 full"),
        ("\x1b[31mred", r"\x1b\[31mred"),
    ],
)
def test_a_literal_is_found_however_it_is_escaped(text: str, pattern: str, how: str) -> None:
    """Docker, or who writes its format, may write a character in several ways (RFC 8259, section 7)."""
    data = docker_line("nothing", "stdout", "whole") * 50 + docker_line(text, "stdout", how)
    made = Containers(DOCKER, 10_000).survey(data, OFFSET, closed=False)
    assert made is not None
    engine = Engine([rule("a", pattern), rule("b", "no such text")], HOST, 1.0)

    events = engine.match(Block(Origin("s"), "/x.log", made.data, OFFSET, b"", NOW, None, made.records))

    assert [event.content for event in events] == [text]
    assert engine.tallies["a"].judged < 50
    assert engine.tallies["b"].judged == 0
