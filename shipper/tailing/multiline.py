"""Records of several lines: a stack trace, a statement (spec, section 3; hazard 4.1). Pure.

A record begins where the pattern `start` is found, or where a preset sees that a line does not continue the one before;
it ends where the next begins, at a silence, or at its limits. Presets follow what the languages print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import regex

from shipper.events import LineState, Record
from shipper.tailing.assembly import Assembled
from shipper.tailing.framing import cut_head, line_is_over, strip_terminator
from shipper.tailing.joined import JoinedLines

if TYPE_CHECKING:
    from collections.abc import Sequence

SEARCH_SECONDS = 0.1


class Continuation(Protocol):
    """Tells which lines continue a record. It is asked for each line in turn, from the beginning of a record on.

    Attributes:
        memory: of the lines so far, to be set again before the lines behind them are asked for a second time.
    """

    memory: tuple[bool, ...]

    def begins(self, line: str, *, is_open: bool) -> bool:
        """Tell whether a line begins a record; `is_open` when there is one that it could continue."""

    def surely_begins(self, line: str, before: str) -> bool:
        """Tell whether a line begins a record behind another line, whatever came before the two.

        Then `begins` says so, and from there on it says the same as if it had seen all lines before.
        """


class StartPattern:
    """A record begins where a pattern is found; a search that takes too long counts as not found."""

    def __init__(self, pattern: str) -> None:
        self.memory: tuple[bool, ...] = ()
        self._pattern: Any = regex.compile(pattern)

    def begins(self, line: str, *, is_open: bool) -> bool:  # noqa: ARG002  the same whatever is open
        """Search the pattern."""
        try:
            return self._pattern.search(line, timeout=SEARCH_SECONDS) is not None
        except TimeoutError:
            return False

    def surely_begins(self, line: str, before: str) -> bool:  # noqa: ARG002  likewise
        """Search the pattern."""
        return self.begins(line, is_open=True)


class Trace:
    """A trace below the line that introduces it: lines that fit a pattern, and one last line after them.

    Args:
        body: lines that continue a record.
        opens: lines that continue it and after which `last` may come.
        last: a line that continues it once, directly after the body; then only `again` does.
        again: lines that continue it after `last`.
    """

    def __init__(self, body: str, opens: str = "", last: str = "", again: str = "") -> None:
        self._body = regex.compile(body)
        self._opens = regex.compile(opens) if opens else None
        self._last = regex.compile(last) if last else None
        self._again = regex.compile(again) if again else None
        self._inside = self._ended = False

    @property
    def memory(self) -> tuple[bool, ...]:
        """Whether a trace goes on, and whether it has ended."""
        return self._inside, self._ended

    @memory.setter
    def memory(self, memory: tuple[bool, ...]) -> None:
        self._inside, self._ended = memory

    def begins(self, line: str, *, is_open: bool) -> bool:
        """Follow the trace."""
        if not is_open:
            self._inside = self._ended = False
        if self._opens is not None and self._opens.match(line):
            self._inside, self._ended = True, False
            # a traceback that nothing introduces is a record of its own
            return not is_open
        if is_open and self._ended and self._again is not None and self._again.match(line):
            return False
        if is_open and not self._ended and self._body.match(line):
            return False
        if is_open and self._inside and self._last is not None and self._last.match(line):
            self._inside, self._ended = False, True
            return False
        self._inside = self._ended = False
        return True

    def surely_begins(self, line: str, before: str) -> bool:
        """See whether it fits no part of a trace.

        A line that fits `last` alone ends one if a trace goes on before it, and behind a line that fits none goes no
        trace on.
        """
        if self._continues(line):
            return False
        return self._last is None or not self._last.match(line) or not self._continues(before)

    def _continues(self, line: str) -> bool:
        return any(part is not None and part.match(line) for part in (self._opens, self._body, self._again))


_JAVA = (
    r"[\t ]+(?:at |\.{3} \d+ |- (?:locked|waiting|parking)|Suppressed: |Caused by: )|Caused by: |Suppressed: "
    r"|(?:Exception in thread |[\w$]+(?:\.[\w$]+)+(?:Exception|Error|Throwable)\b)"
)
_PYTHON_AGAIN = r"\s*$|(?:During handling of the above|The above exception was the direct cause)"
_GO = r"\s|goroutine \d+ \[|created by |\[signal |exit status \d|[\w.*()/\-]+\(.*\)$|\s*$"
_DOTNET = r"\s+(?:at |--->|in )|\s*---> |\s*--- End of |(?:Unhandled exception\. )?[\w`]+(?:\.[\w`]+)+Exception\b"


def preset(name: str) -> Continuation:
    """Give what a language's traces look like: `java python go ruby dotnet`."""
    if name == "python":
        return Trace(
            r"[ \t]", r"Traceback \(most recent call last\):|[ \t]+\+ Exception Group Traceback", r"\S", _PYTHON_AGAIN
        )
    if name == "go":
        return Trace(r"\[signal ", r"(?:panic|fatal error): |goroutine \d+ \[", _GO, _GO)
    if name == "ruby":
        return Trace(r"\s+from |\s+\d+: from |\s+(?:\d+: )?\S+:\d+:in ")
    return Trace(_JAVA if name == "java" else _DOTNET)


PRESETS = ("java", "python", "go", "ruby", "dotnet")


class Multiline:
    """Joins lines into records."""

    def __init__(
        self, continuation: Continuation, encoding: str, max_lines: int, max_bytes: int, timeout: float
    ) -> None:
        """Prepare; `timeout` in seconds."""
        self.timeout: float | None = timeout
        self.longest_line = max_bytes
        self._continuation = continuation
        # behind the lines of a record that is skipped: those that come next are looked at until they can be taken
        self._memory = continuation.memory
        self._encoding = encoding
        self._max_lines = max_lines
        self._max_bytes = max_bytes

    def head(self, head: bytes, state: LineState) -> tuple[bool, LineState]:
        """Leave out one that goes on with a record over its limits; skip what goes on with it; see `Assembler`."""
        is_open = state is LineState.SKIPPING_RECORD
        if is_open:
            self._continuation.memory = self._memory
        begins = self._continuation.begins(self._text(head), is_open=is_open)
        self._memory = self._continuation.memory
        return begins or not is_open, LineState.SKIPPING_RECORD if begins or is_open else LineState.START

    def assemble(self, lines: Sequence[bytes], offset: int, state: LineState, *, own: int, closed: bool) -> Assembled:
        """Join lines; see `Assembler`."""
        records: list[Record] = []
        at, number, skipped = 0, 0, 0
        start: tuple[int, int] | None = None
        kept = 0
        skipping = state is LineState.SKIPPING_RECORD
        if skipping:
            self._continuation.memory = self._memory
        for number, line in enumerate(lines):
            is_over = line_is_over(line, self._max_bytes)
            seen = line[: cut_head(line, self._max_bytes)] if is_over else strip_terminator(line)
            is_open = start is not None or skipping
            begins = self._continuation.begins(self._text(seen, at=offset + at), is_open=is_open)
            if begins or not is_open:
                if start is not None:
                    records.append(self._record(lines, start, kept, offset))
                    start = None
                skipping = False
                if at >= own or (is_over and at):
                    # the next file's; or the next block begins with its head
                    break
            if begins:
                start, kept = (at, number), at + len(line)
            elif skipping:
                skipped += len(line)
            elif start is None:
                # before the first start: a record of its own
                records.append(self._record(lines, (at, number), at + len(line), offset))
            elif number - start[1] >= self._max_lines or at + len(line) - start[0] > self._max_bytes:
                records.append(self._record(lines, start, kept, offset, cut=True))
                start, skipping = None, True
                skipped += len(line)
            else:
                kept = at + len(line)
            at += len(line)
        if start is not None and closed:
            records.append(self._record(lines, start, kept, offset))
            start = None
        taken = at if start is None else start[0]
        data = b"".join(lines)[:taken]
        state = LineState.SKIPPING_RECORD if skipping and not closed else LineState.START
        if skipping:
            self._memory = self._continuation.memory
        return Assembled(taken, data, tuple(records), state, skipped)

    def survey(self, data: bytes, offset: int, *, closed: bool) -> Assembled | None:
        """Find the last record's beginning, and see that none is over its limits; see `Assembler`."""
        joined = JoinedLines(data, offset, self._continuation, self._encoding)
        if not joined.begins_with_one():
            return None
        last, _ = joined.at(len(data), 0)
        taken = len(data) if closed else last.start
        # one that is open may be over its limits already
        if not taken or not joined.fit(0, len(data), self._max_lines, self._max_bytes):
            return None
        whole = data[:taken]
        return Assembled(taken, whole, JoinedLines(whole, offset, self._continuation, self._encoding))

    def _text(self, line: bytes, at: int = 0) -> str:
        """Decode a line at an offset, without the mark that a file may begin with."""
        text = line.decode(self._encoding, "replace")
        return text if at else text.removeprefix("\ufeff")

    def _record(
        self, lines: Sequence[bytes], start: tuple[int, int], end: int, offset: int, *, cut: bool = False
    ) -> Record:
        size = number = 0
        last = b""
        for number in range(start[1], len(lines)):
            last = lines[number]
            size += len(last)
            if start[0] + size >= end:
                break
        behind = end - len(last) + len(strip_terminator(last))
        return Record(start[0], behind, offset + start[0], start[1], cut=cut)
