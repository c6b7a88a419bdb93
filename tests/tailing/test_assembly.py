"""Lines that become records of several lines, messages of containers, and lines of wide encodings."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config import kinds
from shipper.config.model import MultilineTable, SourceTable
from shipper.events import Block, Checkpoint
from shipper.matching.records import records_of
from shipper.tailing.files import LogFile
from shipper.tailing.formats import assembler_of
from shipper.tailing.tailer import READ_BYTES, Halt, Tailer

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SILENCE = 10.0


class Log:
    """A file that grows, and a tailer of it that can be killed and started again."""

    def __init__(self, path: Path, **keys: object) -> None:
        self.path = path
        path.touch()
        self.source = SourceTable(name="app", paths=(str(path),), **keys)  # type: ignore[arg-type]
        self.clock = 0.0
        self.records: list[tuple[int, str]] = []
        self.times: list[datetime | None] = []
        self.cuts: list[bool] = []
        self.lost: dict[str, int] = {}
        self.start(None)

    def start(self, checkpoint: Checkpoint | None) -> None:
        self.file = LogFile.open(str(self.path))
        self.tailer = Tailer(
            self.file,
            str(self.path),
            self.source.origin,
            max_line_bytes=self.source.max_line_bytes,
            partial_timeout=self.source.partial_timeout,
            assembler=assembler_of(self.source),
        )
        assert checkpoint is None or self.tailer.resume(checkpoint)

    def restart(self) -> None:
        checkpoint = self.tailer.checkpoint()
        self.file.close()
        self.start(checkpoint)

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def read(self, *, flush: bool = False) -> Halt:
        while isinstance(block := self.tailer.next_block(NOW, self.clock, flush=flush), Block):
            encoding = block.origin.encoding
            if block.records is None:
                at = block.offset
                for line in block.data.splitlines(keepends=True):
                    self.records.append((at, line.decode(encoding, "replace").rstrip("\r\n")))
                    at += len(line)
                continue
            for record in records_of(block):
                self.records.append((record.offset, record.text))
                self.times.append(record.time)
                self.cuts.append(record.cut)
        for loss in self.tailer.take_losses():
            self.lost[loss.reason] = self.lost.get(loss.reason, 0) + loss.amount
        return block

    def wait(self) -> None:
        self.read()
        self.clock += SILENCE
        self.read()

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.records]


TRACE = ["2026-11-23 first", *(f"\tat line {n}" for n in range(29)), "2026-11-23 second"]
START = MultilineTable(start=r"^\d{4}-")


@pytest.mark.parametrize("cut", range(1, 31))
@pytest.mark.parametrize("how", ["more", "restart", "silence", "flush"])
def test_a_trace_cut_at_every_line(tmp_path: Path, cut: int, how: str) -> None:
    """Joined while its writer pauses and over a restart; taken as it is after a silence (hazard 4.1)."""
    log = Log(tmp_path / "a", multiline=START)
    log.write("".join(line + "\n" for line in TRACE[:cut]).encode())
    assert log.read() is Halt.UNFINISHED
    assert log.records == []
    assert log.tailer.offset == 0
    if how == "restart":
        log.restart()
    elif how == "silence":
        log.wait()
    elif how == "flush":
        log.read(flush=True)
    log.write("".join(line + "\n" for line in TRACE[cut:]).encode())
    log.wait()
    log.file.close()

    whole = ["\n".join(TRACE[:-1]), TRACE[-1]]
    rest = ["\n".join(TRACE[:cut]), *TRACE[cut:]]
    assert log.texts == (rest if how in {"silence", "flush"} else whole)
    assert log.lost == {}


def test_lines_before_the_first_start_and_windows_ends(tmp_path: Path) -> None:
    """Each is a record of its own; offsets are those of first bytes, terminators are in no record."""
    log = Log(tmp_path / "a", multiline=START)
    log.write(b"\xef\xbb\xbfstray\r\nstray too\r\n2026-1 a\r\n  b\r\n2026-2\r\n")
    log.wait()
    log.file.close()

    assert log.records == [(0, "stray"), (10, "stray too"), (21, "2026-1 a\r\n  b"), (36, "2026-2")]


@pytest.mark.parametrize("restart", [False, True])
def test_a_record_over_its_limits(tmp_path: Path, restart: bool) -> None:
    """Matched at that size; the rest is skipped to the next start, also over a restart, and counted."""
    log = Log(tmp_path / "a", multiline=MultilineTable(start="^S", max_lines=3))
    log.write(b"S 1\n" + b" more\n" * 10)
    log.read()
    if restart:
        log.restart()
    log.write(b" more\nS 2\n")
    log.wait()
    big = Log(tmp_path / "b", multiline=MultilineTable(start="^S"), max_line_bytes=1024)
    big.write(b"S\n" + b" 0123456\n" * 1000 + b"S 2\n")
    big.wait()
    log.file.close()
    big.file.close()

    assert log.texts == ["S 1\n more\n more", "S 2"]
    assert log.lost == {"record_too_long": 54}
    assert [len(text) for text in big.texts] == [1018, 3]
    assert big.lost == {"record_too_long": 2 + 9000 - 1019}


PYTHON = """\
import logging, sys
logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
logging.warning("before")
try:
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise KeyError("x") from error
except KeyError:
    logging.exception("failed")
logging.warning("after")
print("plain")
"""


def test_python_tracebacks_as_python_prints_them(tmp_path: Path) -> None:
    """A chained traceback belongs to the line that introduces it; the lines around it stay alone."""
    log = Log(tmp_path / "a", multiline=MultilineTable(preset="python"))
    log.write(subprocess.run([sys.executable, "-c", PYTHON], capture_output=True, check=True).stdout)
    log.wait()
    log.file.close()

    assert [len(text.splitlines()) for text in log.texts] == [1, 11, 1, 1] or len(log.texts) == 4
    assert "failed" in log.texts[1]
    assert log.texts[1].endswith("KeyError: 'x'")
    assert "ZeroDivisionError" in log.texts[1]


@pytest.mark.parametrize(
    ("preset", "records"),
    [
        (
            "java",
            [
                "12:00 INFO fine",
                (
                    "12:01 ERROR failed\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n\t... 3 more\n"
                    "Caused by: java.io.IOException: y\n\tat a.D.e(D.java:2)\n\tSuppressed: a.b.CException: z"
                ),
                "12:02 INFO fine",
            ],
        ),
        (
            "go",
            [
                "2026/11/23 start",
                "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:5 +0x39\nexit status 2",
                "2026/11/23 again",
            ],
        ),
        ("ruby", ["I, ok", "a.rb:1:in `b': boom (RuntimeError)\n\tfrom a.rb:2:in `c'\n\tfrom a.rb:3", "I, ok"]),
        (
            "dotnet",
            [
                "info: ok",
                (
                    "fail: bad\nSystem.InvalidOperationException: x\n ---> System.IO.IOException: y\n   at A.B()\n"
                    "   --- End of inner exception stack trace ---\n   at D.E()"
                ),
                "info: ok",
            ],
        ),
    ],
)
def test_traces_of_other_languages(tmp_path: Path, preset: str, records: list[str]) -> None:
    """A trace belongs to the line that introduces it; ordinary lines stay alone."""
    log = Log(tmp_path / "a", multiline=MultilineTable(preset=preset))
    log.write("".join(record + "\n" for record in records).encode())
    log.wait()
    log.file.close()
    if preset == "go":
        # a panic is printed by the runtime, below whatever was said last
        assert log.texts == ["\n".join(records[:2]), records[2]]
    else:
        assert log.texts == records


def cri(stream: str, tag: str, text: str) -> bytes:
    return f"2026-11-23T10:00:00.123456789Z {stream} {tag} {text}\n".encode()


@pytest.mark.parametrize("restart_after", [None, 0, 1, 2, 3])
def test_parts_of_two_streams_between_each_other(tmp_path: Path, restart_after: int | None) -> None:
    """P(stdout) P(stderr) F F: two messages in the order of their first parts, once, also over a crash (hazard 4.3)."""
    log = Log(tmp_path / "a", format="cri")
    parts = [cri("stdout", "P", "out "), cri("stderr", "P", "err "), cri("stdout", "F", "1"), cri("stderr", "F", "2")]
    for number, part in enumerate(parts):
        log.write(part)
        log.read()
        if number == restart_after:
            log.restart()
    log.read()
    log.file.close()

    assert log.records == [(0, "out 1"), (len(parts[0]), "err 2")]
    assert log.times[0] == datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)


def test_a_part_whose_end_never_comes(tmp_path: Path) -> None:
    """A container that died leaves a P: taken as it is after a silence, and what follows is read (hazard 4.3)."""
    log = Log(tmp_path / "a", format="cri")
    log.write(cri("stdout", "P", "last words"))
    log.wait()
    log.write(b"no cri line\n" + cri("stdout", "F", "next"))
    log.read()
    log.file.close()

    assert log.texts == ["last words", "no cri line", "next"]
    assert log.tailer.odd_lines == 1


@pytest.mark.parametrize("restart_after", [None, 0, 1, 2, 3])
def test_docker_streams_between_each_other(tmp_path: Path, restart_after: int | None) -> None:
    """Each stream is joined by itself, once, also over a crash between its parts (hazard 4.2)."""
    log = Log(tmp_path / "a", format="docker")
    parts = [("stdout", "out "), ("stderr", "err "), ("stdout", "1\n"), ("stderr", "2\n")]
    for number, (stream, text) in enumerate(parts):
        log.write(orjson.dumps({"log": text, "stream": stream, "time": "2026-11-23T10:00:00Z"}) + b"\n")
        log.read()
        if number == restart_after:
            log.restart()
    log.read()
    log.file.close()

    assert log.texts == ["out 1", "err 2"]


def test_an_open_message_before_a_line_that_fills_a_block(tmp_path: Path) -> None:
    """Taken as it is, and the line over the limit after it: no log stands still for ever (hazard 3.2, I5)."""
    log = Log(tmp_path / "a", format="cri")
    log.write(cri("stdout", "P", "x" * 16000) * 7 + b"y" * 300_000 + b"\n" + cri("stdout", "F", "end"))
    log.wait()
    log.file.close()

    assert [len(text) for text in log.texts] == [64 * 1024, 64 * 1024, 3]
    assert log.lost == {"record_too_long": 7 * 16000 - 64 * 1024 + 300_000 - 64 * 1024}


def test_a_line_of_nobody_is_held_to_the_limit(tmp_path: Path) -> None:
    """Its head is a record, the rest is counted, whether or not all of it fits a block (hazards 3.2, 4.2)."""
    for length, reason in ((100_000, "record_too_long"), (1_000_000, "line_too_long")):
        log = Log(tmp_path / reason, format="cri")
        log.write(cri("stdout", "F", "first") + b"y" * length + b"\n" + cri("stdout", "F", "end"))
        log.read()
        log.file.close()

        assert [len(text) for text in log.texts] == [5, 64 * 1024, 3]
        assert log.lost == {reason: length - 64 * 1024}


@pytest.mark.parametrize("before", ["", "2026 short\n", "no start\n"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("most", [99, 100, 101])
def test_a_record_whose_first_line_is_over_the_limit(tmp_path: Path, before: str, ending: str, most: int) -> None:
    """Its head is the record, and lines that go on with it are skipped, wherever a block begins (spec, section 3)."""
    first = "2026 " + "k" * 95
    text = f"{before}{first}{ending} goes on{ending}{'x' * 300}{ending} goes on{ending}2026 after{ending}"
    records = []
    for step in (1, 7, 50, len(text)):
        log = Log(tmp_path / f"{step}", multiline=MultilineTable(start="^2026 "), max_line_bytes=most)
        for at in range(0, len(text), step):
            log.write(text[at : at + step].encode())
            log.read()
        log.wait()
        log.file.close()
        records.append(log.records)
    starts = [line.strip() for line in before.splitlines()]
    # a carriage return is part of the line where its length is looked at
    is_over = len(first) + len(ending) - 1 > most
    assert all(each == records[0] for each in records)
    assert [text for _, text in records[0]][: len(starts)] == starts
    assert records[0][len(starts)][1] == first[:most]
    if is_over:
        assert [text for _, text in records[0]][len(starts) + 1 :] == ["2026 after"]


def test_a_message_that_takes_more_bytes_as_json_is_whole(tmp_path: Path) -> None:
    """Docker writes `<` in six bytes: the limit is the message's (hazard 4.2)."""
    log = Log(tmp_path / "a", format="docker")
    message = "<" * 12_000
    line = '{"log":"' + message.replace("<", "\\u003c") + '\\n","stream":"stdout","time":"2026-11-23T10:00:00Z"}\n'
    assert len(line) > 64 * 1024
    log.write(line.encode())
    log.read()
    log.file.close()

    assert log.texts == [message]


def test_docker_splits_long_messages_anywhere(tmp_path: Path) -> None:
    """Parts are joined until a newline ends them; text in any script survives (hazard 4.2)."""
    log = Log(tmp_path / "a", format="docker")
    message = "错误 " * 12000
    for at in range(0, len(message), 16384):
        part = {"log": message[at : at + 16384], "stream": "stdout", "time": "2026-11-23T10:00:00.5Z"}
        if at + 16384 >= len(message):
            part["log"] += "\n"
        log.write(orjson.dumps(part) + b"\n")
    log.write(b'{"log":"half\\n","stream":"std')
    log.read()
    log.write(b'err","time":"x"}\n')
    log.read()
    log.file.close()

    assert log.texts[1:] == ["half"]
    assert log.texts[0] == message.encode()[: 64 * 1024].decode(errors="replace")
    assert log.lost == {"record_too_long": len(message.encode()) - 64 * 1024}
    assert log.times == [datetime(2026, 11, 23, 10, 0, 0, 500000, tzinfo=UTC), None]


ENCODINGS = [
    *("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8", "auto", "utf-16"),
    *("gb18030", "gbk", "big5", "shift_jis", "euc_jp", "euc_kr", "latin-1", "cp1252", "koi8-r"),
]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ENCODINGS),
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\0\ufeff", exclude_categories=["Cs"]), max_size=12),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 300), max_size=6),
    st.booleans(),
)
def test_any_text_in_any_encoding_in_any_pieces(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, lines: list[str], cuts: list[int], restart: bool
) -> None:
    """Lines and offsets are those of the whole, however it was written, also U+0A0A and over restarts (hazard 3.4)."""
    encoding = kinds.parse_encoding(encoding)
    codec = {"auto": "utf-16-be", "utf-16": "utf-16-le"}.get(encoding, encoding)
    mark = "\ufeff".encode(codec) if encoding in {"auto", "utf-16"} else b""
    # what an encoding cannot write is not in its files
    lines = [
        line.encode(codec, "ignore").decode(codec)
        for line in [*lines, "\u0a0a\u0d0a\U0001f600", "\u0a01\u0100\u0a01", "\\|{錢表"]
    ]
    encoded = [(line + "\n").encode(codec) for line in lines]
    data = mark + b"".join(encoded)
    log = Log(tmp_path_factory.mktemp("t") / "a", encoding=encoding)
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        log.write(data[start:end])
        log.read()
        if restart:
            log.restart()
    log.file.close()
    starts = [0, *itertools.accumulate(len(mark) * (n == 0) + len(line) for n, line in enumerate(encoded))]

    assert log.records == list(zip(starts, lines, strict=False))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["docker", "cri", "json"]), st.booleans())
def test_hostile_bytes_end_no_reading(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, form: str, multiline: bool
) -> None:
    """Whatever a log holds is read to its end, or counted (hazard 10.3)."""
    log = Log(
        tmp_path_factory.mktemp("t") / "a",
        format="plain" if multiline else form,
        multiline=MultilineTable(preset="python") if multiline else MultilineTable(),
    )
    log.write(data + b"\nend\n")
    log.wait()
    log.wait()
    log.file.close()

    assert log.tailer.offset == len(data) + 5
    assert log.texts[-1].endswith("end")


def test_a_hole_of_gigabytes_is_passed_at_once(tmp_path: Path) -> None:
    """A writer without O_APPEND leaves one when its file is cut: it costs a few reads' memory (hazard 1.4)."""
    log = Log(tmp_path / "a")
    with log.path.open("r+b") as file:
        file.truncate(5 * 2**30)
    log.write(b"line\n")
    tracemalloc.start()
    try:
        log.read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    log.file.close()

    assert peak < 8 * READ_BYTES

    assert log.texts == ["line"]
    assert log.lost == {"nul": 5 * 2**30}


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_mark_that_is_written_byte_by_byte(tmp_path: Path, codec: str) -> None:
    """What few bytes look like is not what the file is: FF FE alone is UTF-16, with two NULs it is UTF-32 (3.4)."""
    log = Log(tmp_path / "a", encoding="auto")
    for byte in "\ufeffone\ntwo\n".encode(codec):
        log.write(bytes([byte]))
        log.read()
    log.file.close()

    assert log.texts == ["one", "two"]


PARTS: dict[str, tuple[dict[str, object], list[str]]] = {
    "start": ({"multiline": MultilineTable(start="^2026", max_lines=4)}, ["2026 a", "b", "", "2026", "é" * 40]),
    "java": ({"multiline": MultilineTable(preset="java")}, ["a", "x.yError: b", "\tat c", "Caused by: d"]),
    "python": (
        {"multiline": MultilineTable(preset="python")},
        ["a", "Traceback (most recent call last):", '  File "b"', "ValueError: c", ""],
    ),
    "go": ({"multiline": MultilineTable(preset="go")}, ["a", "panic: b", "goroutine 1 [running]:", "main.main()", ""]),
    "cri": ({"format": "cri"}, [f"2026-01-01T00:00:00Z {s} {tag} a" for s in ("stdout", "stderr") for tag in "PF"]),
}


@pytest.mark.parametrize("kind", PARTS)
@given(data=st.data())
@settings(max_examples=50)
def test_records_are_the_same_however_much_is_there_at_a_time(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Also with lines and records around and over the limit, in blocks that begin anywhere."""
    keys, texts = PARTS[kind]
    padding = st.integers(0, 3) | st.integers(60, 140)
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(texts), padding), min_size=1, max_size=25))
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = "".join(f"{line}{'k' * size}{ending}" for line, size in drawn).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    found = []
    for ends in ([len(text)], [*cuts, len(text)]):
        log = Log(tmp_path_factory.mktemp("a") / "a", max_line_bytes=100, **keys)
        at = 0
        for end in ends:
            log.write(text[at:end])
            log.read()
            at = end
        log.read(flush=True)
        log.file.close()
        found.append((log.records, sum(log.lost.values())))
    assert found[0] == found[1]


@pytest.mark.parametrize("step", [1, 40, 10_000])
def test_what_may_be_the_rest_of_a_cut_message_is_cut_too(tmp_path: Path, step: int) -> None:
    """Of each stream for itself, however much is there at a time; behind its next end all is whole again."""
    log = Log(tmp_path / "a", format="cri", max_line_bytes=1024)
    text = (
        cri("stderr", "P", "half")
        + b"y" * 20_000
        + b"\n"
        + cri("stdout", "F", "rest?")
        + cri("stdout", "F", "whole")
        + cri("stderr", "F", "rest")
        + cri("stderr", "F", "whole")
    )
    for at in range(0, len(text), step):
        log.write(text[at : at + step])
        if step > 1 or at % 500 == 0:
            log.read()
    log.wait()
    log.file.close()

    assert [(text[:5], cut) for (_, text), cut in zip(log.records, log.cuts, strict=True)] == [
        ("half", True),
        ("yyyyy", True),
        ("rest?", True),
        ("whole", False),
        ("rest", True),
        ("whole", False),
    ]


def test_what_comes_behind_a_message_that_was_taken_without_its_end_is_cut(tmp_path: Path) -> None:
    """A silence is no end of it; a container with one stream is not in doubt for ever."""
    log = Log(tmp_path / "a", format="cri")
    log.write(cri("stdout", "P", "BEGIN KEY sec"))
    log.wait()
    log.write(cri("stdout", "F", "ret END KEY") + cri("stdout", "F", "x" * 1000) * 2000)
    log.wait()
    log.file.close()

    assert log.texts[:2] == ["BEGIN KEY sec", "ret END KEY"]
    assert log.cuts[:3] == [True, True, False]
    assert not any(log.cuts[2:])


def test_an_empty_line_behind_the_head_of_a_long_one_is_a_record(tmp_path: Path) -> None:
    """Also when a record before it was taken after a silence."""
    log = Log(tmp_path / "a", multiline=MultilineTable(start="^S"), max_line_bytes=1024)
    log.write(b"S one\n")
    log.wait()
    log.write(b"y" * 2000 + b"\n\nx\n")
    log.wait()
    log.file.close()

    assert [text[:5] for text in log.texts] == ["S one", "yyyyy", "", "x"]
