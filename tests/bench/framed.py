"""Rows of matching alone where a record is not simply a line: containers, and records of several lines."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson

from shipper.config.model import MultilineTable, SourceTable
from shipper.events import Block
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.tailing.files import LogFile
from shipper.tailing.formats import assembler_of
from shipper.tailing.tailer import Tailer
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.processes import pinned
from tests.bench.scanning import FEW, HOST, MATCH_TIMEOUT, MAX_LINE_BYTES, require

_STAMP = b"2026-11-23T10:00:00.123456789Z"
_TRACE = b"".join(b"\tat com.example.shop.Orders.place(Orders.java:%d)\n" % line for line in range(10))
_TRACE_EVERY = 50

SOURCES = {
    "docker": SourceTable(name="bench", paths=("/",), format="docker"),
    "cri": SourceTable(name="bench", paths=("/",), format="cri"),
    "start": SourceTable(name="bench", paths=("/",), multiline=MultilineTable(start=r"^\d{4}-\d\d-\d\dT")),
    "java": SourceTable(name="bench", paths=("/",), multiline=MultilineTable(preset="java")),
}


def framed(bench: Bench, kind: str) -> Measured:
    """Read a log whose lines lie in another form, and match; events go nowhere."""
    log = bench.log(FEW)
    path = bench.place(kind).with_suffix(".log")
    size = _write(path, log.path, kind)
    rulebook, _ = load_rules([bench.rule_file(FEW)])
    engine = Engine(rulebook.rules, HOST, MATCH_TIMEOUT, clock=time.perf_counter)
    source = SOURCES[kind]
    file = LogFile.open(str(path))
    tailer = Tailer(
        file,
        str(path),
        source.origin,
        max_line_bytes=MAX_LINE_BYTES,
        partial_timeout=5.0,
        assembler=assembler_of(source),
    )
    events = 0
    with pinned(bench.cores.measured):
        began = time.perf_counter()
        while isinstance(block := tailer.next_block(datetime.now(UTC), 0.0, flush=True), Block):
            events += len(engine.match(block))
        seconds = time.perf_counter() - began
    file.close()
    path.unlink()
    require(events, log.matching)
    return Measured(size / 1e6 / seconds, {"of the log, MB": size / 1e6, "events/s": events / seconds})


def _write(path: Path, plain: Path, kind: str) -> int:
    """Write the lines of a log in another form; gives the bytes."""
    with plain.open("rb") as lines, path.open("wb") as file:
        return sum(file.write(_form(line, number, kind)) for number, line in enumerate(lines))


def _form(line: bytes, number: int, kind: str) -> bytes:
    if kind == "docker":
        message = {"log": line.decode(), "stream": "stdout", "time": _STAMP.decode()}
        return orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
    if kind == "cri":
        return _STAMP + b" stdout F " + line
    return _STAMP + b" " + line + (b"" if number % _TRACE_EVERY else _TRACE)


ROWS = tuple(
    Row(f"match-{kind}", f"matching alone, {what}, 10 rules, 0.1 %", "MB/s", partial(framed, kind=kind))
    for kind, what in (
        ("docker", "Docker's json-file"),
        ("cri", "CRI"),
        ("start", "records of several lines by `start`"),
        ("java", "records of several lines by the preset `java`"),
    )
)
