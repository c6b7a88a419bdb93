"""Reads files once, to their end or their fault, and judges what they hold; in this process or in one of its own.

Nothing is kept here: what comes of it is given away part by part, each with how far the reading had come then.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from shipper.backfill.following import Following
from shipper.backfill.judging import Judging
from shipper.backfill.opening import OpenFile, tail_of, tailer_of
from shipper.backfill.preceding import REACH_BYTES
from shipper.backfill.quick_start import wanted_part
from shipper.backfill.resuming import Stretch, stretches
from shipper.backfill.selection import NO_SOURCE
from shipper.backfill.tasks import Outcome, Part
from shipper.events import Block, LineState
from shipper.tailing.decoding import MARK_BYTES, newline_of, resolve
from shipper.tailing.files import LogFile, UnreadableError
from shipper.tailing.streams import StreamedLog
from shipper.tailing.tailer import Halt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from shipper.backfill.selection import Selected
    from shipper.backfill.tasks import Orders, Task
    from shipper.outbox.passes import Pass

PART_EVENTS = 500
PART_SECONDS = 0.5
_WAIT = 0.2
_FAULT = "damaged after {} bytes of content: {}"


class Reader:
    """Reads one task after the other."""

    def __init__(self, orders: Orders) -> None:
        """Prepare to judge as ordered."""
        self._orders = orders
        self._judging = Judging(orders)
        self._ahead: dict[str, OpenFile] = {}
        self._made: list[Pass] = []

    def read(self, task: Task) -> Iterator[Part]:
        """Read the files of a task; a part without anything says that time has passed."""
        try:
            for chain in task.chains:
                line = LineState.START
                for number, selected in enumerate(chain.files):
                    before = (*chain.before, *chain.files[:number])
                    line = yield from self._read(selected, before, line, chain.files[number + 1 :])
        finally:
            self._made.clear()
            while self._ahead:
                self._ahead.popitem()[1].close()

    def read_stream(self, selected: Selected) -> Iterator[Part]:
        """Read stdin, and give what comes of it as it comes."""
        try:
            stream = StreamedLog(sys.stdin.buffer)
        except (OSError, UnreadableError) as error:
            yield Part(selected.path, outcome=Outcome.READ, fault=str(error), is_stream=True)
            return
        tailer = tailer_of(selected, stream)
        self._judging.begin(selected, self._judging.rules_of(selected), b"")
        part, until = Part(selected.path, is_stream=True), 0.0
        over = False
        while not over:
            found = tailer.next_block(datetime.now(UTC), 0.0, flush=stream.ended)
            if isinstance(found, Block):
                part.found += self._judging.judge(found)
            elif stream.ended:
                over = True
                part.outcome = Outcome.READ
                part.fault = None if stream.fault is None else _FAULT.format(tailer.offset, stream.fault)
            elif stream.is_ready(_WAIT):
                stream.read_more()
            if over or len(part.found) >= PART_EVENTS or time.monotonic() >= until:
                part.position, part.losses = stream.position, tailer.take_losses()
                yield self._noted(part)
                part, until = Part(selected.path, is_stream=True), time.monotonic() + PART_SECONDS

    def _read(
        self, selected: Selected, before: Sequence[Selected], line: LineState, later: Sequence[Selected]
    ) -> Generator[Part, None, LineState]:
        """Read one file by all rules that have not judged it yet; gives where in a record it ends."""
        file: OpenFile | None = None
        outcome, ends = Outcome.READ, LineState.START
        try:
            file = self._ahead.pop(selected.path, None) or OpenFile(selected)
            if not selected.is_named and file.is_binary:
                outcome = Outcome.BINARY
            else:
                todo = yield from self._todo(file)
                is_done = True
                is_one = len(todo) == 1
                if is_one and todo[0].start is None and not file.tailer.offset and line is LineState.SKIPPING_RECORD:
                    file.tailer.line = line
                for stretch in todo:
                    further = yield from self._read_stretch(file, stretch, before, later if is_one else ())
                    is_done = is_done and not further
                    ends = file.tailer.line if is_one else LineState.START
                    file.rewind()
                if is_done:
                    outcome = Outcome.DONE_BEFORE
            yield Part(selected.path, selected.size, outcome=outcome)
        except UnreadableError as error:
            yield Part(selected.path, outcome=Outcome.READ, fault=str(error))
        except OSError as error:
            yield Part(selected.path, outcome=Outcome.READ, fault=error.strerror or str(error))
        finally:
            if file is not None:
                file.close()
        return ends

    def _todo(self, file: OpenFile) -> Generator[Part, None, list[Stretch]]:
        """Find out what is left to do; gives signs of life meanwhile."""
        rules = self._judging.rules_of(file.selected)
        if file.tailer.offset:
            # a record of the file before it ended in this one, so no earlier run had to do with it
            return [Stretch(rules)]
        # another file may hold the same: a copy, or what was compressed and not removed yet
        finding = stretches(file.content, rules, (*self._orders.passes, *self._made))
        while True:
            try:
                next(finding)
            except StopIteration as found:
                made: list[Stretch] = found.value
                return made
            yield Part(file.selected.path)

    def _read_stretch(
        self, file: OpenFile, stretch: Stretch, before: Sequence[Selected], later: Sequence[Selected]
    ) -> Generator[Part, None, bool]:
        """Judge a file, from where earlier runs came with these rules; tells whether there was more, or a fault."""
        selected, tailer = file.selected, file.tailer
        begin, end = self._wanted(file, stretch)
        if stretch.start is not None:
            for _ in file.go_to(stretch.start):
                yield Part(selected.path)
        elif begin and not tailer.offset:
            file.begin_at(begin)
        self._judging.begin(selected, stretch.rules, partial(_tail_of, before, file.tail()))
        # the file's own time stands for lines that carry none: they were written before it
        modified = datetime.fromtimestamp(selected.modified, UTC)
        replaces, fault = stretch.replaces, None
        part, until = Part(selected.path), time.monotonic() + PART_SECONDS
        open_ahead = partial(self._open_ahead, rules=stretch.rules)
        while end is None or tailer.offset < end:
            following = Following(file, later, open_ahead)
            found = _next_block(file, modified, following)
            if not isinstance(found, Block):
                fault = found
                break
            for block in (found, *following.blocks):
                part.found += self._judging.judge(block)
            if following.touched or len(part.found) >= PART_EVENTS or time.monotonic() >= until:
                part.passes = [file.as_pass(stretch.rules, replaces)]
                part.passes += [each.as_pass(stretch.rules) for each in following.touched]
                yield self._closed(part, file)
                replaces = ()
                part, until = Part(selected.path), time.monotonic() + PART_SECONDS
        if tailer.offset:
            # of what is damaged this is told again next time
            part.passes = [file.as_pass(stretch.rules, replaces, is_over=fault is None)]
            self._made += part.passes
        part.fault = None if fault is None else _FAULT.format(tailer.offset, fault)
        yield self._closed(part, file)
        return stretch.start is None or fault is not None or tailer.offset > stretch.start.checkpoint.offset

    def _wanted(self, file: OpenFile, stretch: Stretch) -> tuple[int, int | None]:
        """Tell which part of a file the time asked for lies in; see `wanted_part`."""
        content, source = file.content, file.selected.source or NO_SOURCE
        encoding = resolve(source.encoding, content.read_at(0, MARK_BYTES))
        is_sorted_text = source.format in {"plain", "json"} and len(newline_of(encoding)) == 1
        if not self._orders.span or not isinstance(content, LogFile) or not is_sorted_text:
            return 0, None
        modified = datetime.fromtimestamp(file.selected.modified, UTC)
        clocks = self._judging.clocks(file.selected, stretch.rules, modified)
        return wanted_part(content, content.status().st_size, self._orders.span, clocks or (), encoding)

    def _closed(self, part: Part, file: OpenFile) -> Part:
        part.position, part.losses = file.position, file.tailer.take_losses()
        return self._noted(part)

    def _noted(self, part: Part) -> Part:
        part.unjudged, part.missed = self._judging.take_unjudged(), self._judging.take_missed()
        return part

    def _open_ahead(self, selected: Selected, rules: frozenset[bytes]) -> OpenFile | None:
        """Open a file in which a record of the file before it may end; None where it is to be read by itself."""
        if selected.path not in self._ahead:
            with suppress(UnreadableError, OSError):
                # what is wrong with it, its own turn tells
                file = OpenFile(selected)
                if (selected.is_named or not file.is_binary) and _is_new(file, rules, self._orders):
                    self._ahead[selected.path] = file
                else:
                    file.close()
        return self._ahead.get(selected.path)


def _is_new(file: OpenFile, rules: frozenset[bytes], orders: Orders) -> bool:
    """Tell whether no earlier run had to do with a file, as far as that can be told without reading it."""
    try:
        next(stretches(file.content, rules, orders.passes))
    except StopIteration as found:
        return bool(found.value == [Stretch(rules)])
    return False


def _tail_of(before: Sequence[Selected], tail: bytes) -> bytes:
    """Give the last bytes of a log: those of the present file, and of its generations before it as far as needed."""
    for selected in reversed(before):
        if len(tail) >= REACH_BYTES:
            break
        with suppress(UnreadableError, OSError):
            # what is wrong with it, its own turn told
            tail = tail_of(selected) + tail
    return tail[-REACH_BYTES:]


def _next_block(file: OpenFile, modified: datetime, following: Following) -> Block | str | None:
    """Take the next records; None at the end of the file, a sentence for people where it cannot be read further."""
    try:
        found: Block | Halt = Halt.UNFINISHED
        if following.exists:
            found = file.tailer.next_block(modified, 0.0, sequel=following)
        if not isinstance(found, Block) and found is not Halt.REWRITTEN:
            # nothing more comes
            found = file.tailer.next_block(modified, 0.0, flush=True, sequel=following if following.exists else None)
    except OSError as error:
        return error.strerror or str(error)
    if isinstance(found, Block):
        return found
    return "its content was replaced meanwhile" if found is Halt.REWRITTEN else file.fault
