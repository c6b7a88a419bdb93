"""Messages of containers: Docker's json-file and the CRI format of containerd and CRI-O (hazards 4.2, 4.3). Pure.

The runtimes cut long messages into several lines, each stream on its own, so that the parts of two streams may lie in
between each other. Messages leave in the order of their first parts, and only up to a place where none is open: so
neither crash nor restart repeats or loses one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
import regex

from shipper.events import LineState, Record
from shipper.tailing.assembly import Assembled
from shipper.tailing.framing import cut_head, strip_terminator, whole_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CRI = regex.compile(rb"(\d{4}-\d\d-\d\dT\S{1,40}) (stdout|stderr) ([PF])(?::\S*)? ?(.*)", regex.DOTALL)
MAX_OPEN_BYTES = 192 * 1024
_MOST_ESCAPED = 6
"""Bytes that JSON takes for one of a message at most."""
_STREAMS = frozenset({"stdout", "stderr"})
_DOUBT_BYTES = 1024 * 1024
"""Behind something that was cut: of each stream the first message in them may be the rest of it."""
_FRAME_BYTES = 4096
"""What else stands in a line: stream, time, attributes."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a runtime: a message, or a part of one.

    Attributes:
        stream: stdout or stderr.
        text: what the container wrote.
        time: when; None when it cannot be read.
        ends: whether the message ends here.
    """

    stream: str
    text: bytes
    time: datetime | None
    ends: bool


def docker_part(line: bytes) -> Part | None:
    """Read a line of Docker's json-file; None when it is none."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not isinstance(text := found.get("log"), str):
        return None
    return Part(
        str(found.get("stream", "")),
        text.removesuffix("\n").removesuffix("\r").encode(),
        _time(found.get("time")),
        text.endswith("\n"),
    )


def cri_part(line: bytes) -> Part | None:
    """Read a line `time stream P|F text`; None when it is none."""
    found = _CRI.fullmatch(line)
    if found is None:
        return None
    moment, stream, tag, text = found.groups()
    return Part(stream.decode(), text, _time(moment.decode("ascii", "replace")), tag == b"F")


def _time(value: object) -> datetime | None:
    """Read an RFC 3339 time; digits beyond microseconds are cut."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


@dataclass(frozen=True, slots=True)
class Form:
    """How a runtime writes its lines.

    Attributes:
        part: reads one line; None when it is none of its own.
        are_whole: tells whether some lines are all its own, and each a whole message.
        escaped: whether a message lies in its line as a JSON string.
    """

    part: Callable[[bytes], Part | None]
    are_whole: Callable[[bytes], bool]
    escaped: bool


def _docker_lines_are_whole(data: bytes) -> bool:
    r"""Count the marks that each line has when Docker wrote it: `{"log":"text\n","stream":"stdout","time":"..."}`.

    What a container says cannot look like one: inside a JSON string no quote is without a backslash. A text that ends
    in a backslash and an n, and is cut behind them, does; then the backslash before it shows. A line with further keys
    that have a text, as with `attrs`, is not taken for one: a second `log` may be what holds, and a newline before
    `stream` may end another text than the message.
    """
    lines = data.count(b"\n")
    return (
        data.startswith(b'{"log":"')
        and data.endswith(b"\n")
        and data.count(b'\n{"log":"') == lines - 1
        and data.count(b'\\n","stream":"') == lines
        and b'\\\\n","stream":"' not in data
        and data.count(b'","time":"') == lines
        and data.count(b'":"') == 3 * lines
    )


def _cri_lines_are_whole(data: bytes) -> bool:
    """Count the marks of lines that are whole messages; one in a message's text is one too many."""
    return (
        data.endswith(b"\n")
        and data.count(b" stdout F") + data.count(b" stderr F") == data.count(b"\n")
        and b" stdout P" not in data
        and b" stderr P" not in data
    )


DOCKER = Form(docker_part, _docker_lines_are_whole, escaped=True)
CRI = Form(cri_part, _cri_lines_are_whole, escaped=False)


@dataclass(slots=True)
class _Message:
    offset: int
    line: int
    time: datetime | None
    parts: list[bytes]
    size: int = 0
    cut: int = 0
    ends: bool = False


class Containers:
    """Joins the parts of messages."""

    timeout: float | None = None

    def __init__(self, form: Form, max_bytes: int) -> None:
        """Prepare.

        Args:
            form: of the lines.
            max_bytes: the limit of a message.
        """
        self.longest_line = _MOST_ESCAPED * max_bytes + _FRAME_BYTES
        self._form = form
        self._max_bytes = max_bytes
        # behind something that was cut: the streams of which a message has ended since; None where nothing is in doubt
        self._known: frozenset[str] | None = None
        self._doubt_ends = 0

    def head(self, head: bytes, state: LineState) -> tuple[bool, LineState]:  # noqa: ARG002
        """Take it as it is: whose message it is, and whether that goes on behind it, is not known; see `Assembler`."""
        return True, LineState.SKIPPING_RECORD

    def assemble(self, lines: Sequence[bytes], offset: int, state: LineState, *, own: int, closed: bool) -> Assembled:  # noqa: ARG002
        """Join parts; see `Assembler`. Messages that begin in the next file are taken along.

        Behind something that was cut the first message of each stream may be the rest of it: it is taken, as cut.
        """
        self._doubt(offset, state)
        known = self._known
        open_messages: dict[str, _Message] = {}
        messages: list[_Message] = []
        at = odd = 0
        safe = (0, 0, 0, 0)
        after = LineState.START
        for number, line in enumerate(lines):
            raw = strip_terminator(line)
            if len(raw) > self.longest_line and at:
                # the next block begins with it, and then it is a line over the limit like any other; which of the open
                # messages it goes on with nobody knows
                safe = (at, len(messages), odd, number)
                after, self._known = (LineState.SKIPPING_RECORD if open_messages else LineState.START), known
                break
            part = self._form.part(raw)
            if part is None:
                odd += bool(raw)
                text = raw if len(raw) <= self._max_bytes else raw[: cut_head(raw, self._max_bytes)]
                messages.append(_Message(offset + at, number, None, [text], cut=len(raw) - len(text), ends=True))
            else:
                message = open_messages.get(part.stream)
                if message is None:
                    message = open_messages[part.stream] = _Message(offset + at, number, part.time, [])
                    messages.append(message)
                text = part.text[: self._max_bytes - message.size]
                message.parts.append(text)
                message.size += len(text)
                message.cut += len(part.text) - len(text)
                message.ends = part.ends and (known is None or part.stream in known)
                if part.ends:
                    known = None if known is None else known | {part.stream}
                    del open_messages[part.stream]
            at += len(line)
            if not open_messages:
                safe, self._known = (at, len(messages), odd, number + 1), known
            elif at >= MAX_OPEN_BYTES and not safe[0]:
                # line by line, so that it does not matter how much is there
                break
        if at > safe[0] and (closed or (at >= MAX_OPEN_BYTES and not safe[0])):
            # what comes of them later stands alone
            safe, after = (at, len(messages), odd, number + 1), LineState.SKIPPING_RECORD
        taken, count, odd, taken_lines = safe
        return _join(messages[:count], taken, odd, taken_lines, after)

    def _doubt(self, offset: int, state: LineState) -> None:
        if state is LineState.SKIPPING_RECORD:
            self._known, self._doubt_ends = frozenset(), offset + _DOUBT_BYTES
        elif offset >= self._doubt_ends or (self._known is not None and self._known >= _STREAMS):
            # a container may have one stream only
            self._known = None

    def survey(self, data: bytes, offset: int, *, closed: bool) -> Assembled | None:  # noqa: ARG002
        """Take all lines, if each is a whole message; see `Assembler`."""
        if self._known is not None and offset < self._doubt_ends:
            return None
        if not self._form.are_whole(data) or whole_records(data, self._max_bytes) < len(data):
            return None
        return Assembled(len(data), data, WholeMessages(data, offset, self._form))


class WholeMessages:
    """The messages of some lines, each of which is one; see `RecordsOnDemand`."""

    def __init__(self, data: bytes, offset: int, form: Form) -> None:
        """Read none yet."""
        self.escaped = form.escaped
        self._data = data
        self._offset = offset
        self._part = form.part

    def __iter__(self) -> Iterator[Record]:
        """Give all of them."""
        start = 0
        while start < len(self._data):
            record, start = self.at(start + 1, start)
            yield record

    def at(self, place: int, floor: int) -> tuple[Record, int]:  # noqa: ARG002  a line is found from either end
        """Give the message at a place, and where the next one begins; see `RecordsOnDemand`."""
        start = self._data.rfind(b"\n", 0, place - 1) + 1
        end = self._data.find(b"\n", place - 1) + 1
        raw = strip_terminator(self._data[start:end])
        part = self._part(raw)
        text, time = (raw, None) if part is None else (part.text, part.time)
        return Record(start, start + len(raw), self._offset + start, time=time, text=text), end


def _join(messages: Sequence[_Message], taken: int, odd: int, lines: int, state: LineState) -> Assembled:
    data = bytearray()
    records = []
    for message in messages:
        start = len(data)
        data += b"".join(message.parts)
        cut = message.cut > 0 or not message.ends
        records.append(Record(start, len(data), message.offset, message.line, message.time, cut=cut))
        data += b"\n"
    skipped = sum(message.cut for message in messages)
    return Assembled(taken, bytes(data), tuple(records), state, skipped, odd, lines)
