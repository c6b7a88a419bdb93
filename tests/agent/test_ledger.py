"""The ledger: what was read and what is said to be lost are together what was written, to the byte."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.model import MultilineTable, StoreTable
from tests.kernel.agent import LONG_AFTER, Agent

LINE_LIMIT = 1024
SINGLE_LINES = MultilineTable()
MULTILINE = MultilineTable(start="^S", max_lines=3)
QUEUE_LIMIT = 1_000
HOLD = 30.0
EVENTS = b"".join(b"ERROR %d\n" % number for number in range(50))
PIECES = st.one_of(
    st.integers(1, 40).map(lambda count: b"a quiet line\n" * count),
    st.integers(1, 5).map(lambda count: b"ERROR %d\r\n" % count),
    st.integers(1, 5000).map(lambda length: b"x" * length + b"\n"),
    st.integers(1, 5000).map(lambda length: "长".encode() * length + b"\n"),
    st.integers(1, 5000).map(lambda length: bytes(length) + b"behind NULs\n"),
    st.binary(min_size=1, max_size=60),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "look", "block", "truncate", "delete", "unlink", "rename", "restart"]),
        PIECES,
    ),
    max_size=12,
)


class Writer:
    """Writes a log, counts what it wrote, and does to it what people and programs do."""

    def __init__(self, root: Path, multiline: MultilineTable = SINGLE_LINES) -> None:
        self.logs = root / "logs"
        self.logs.mkdir()
        self.log = self.logs / "app.log"
        self.written = 0
        self.agent = Agent(
            root,
            f"{self.logs}/*.log",
            limits=StoreTable(min_free_disk=0, max_queue_bytes=QUEUE_LIMIT),
            max_line_bytes=LINE_LIMIT,
            deleted_hold=HOLD,
            multiline=multiline,
        )
        self.agent.start()
        self.begin()

    def write(self, data: bytes, name: str = "app.log") -> None:
        with (self.logs / name).open("ab") as file:
            self.written += file.write(data)

    def begin(self) -> None:
        """Begin new content, and let something of it be read: then the reader knows it again."""
        self.write(b"generation of %d\n" % self.written)
        self.drain()

    def glance(self) -> None:
        """Look without taking anything out of the queue."""
        self.agent.clock.seconds += 1.0
        while self.agent.intake.step(self.agent.clock.monotonic()):
            pass

    def drain(self) -> None:
        """Look and empty the queue until nothing comes any more."""
        before = -1
        while len(self.agent.delivered) > before:
            before = len(self.agent.delivered)
            self.agent.look()

    def block(self) -> None:
        """Fill the queue, so that nothing is read until `drain`."""
        self.write(EVENTS, "filler.log")
        self.glance()

    def do(self, what: str, data: bytes) -> None:
        if what == "write":
            self.write(data)
        elif what == "look":
            self.drain()
        elif what == "block":
            self.block()
        elif what == "restart":
            self.agent.stop()
            self.agent.start()
        else:
            # somebody has to have seen how much there is
            self.glance()
            if what == "truncate":
                os.truncate(self.log, 0)
            elif what == "delete":
                self.log.unlink()
                self.glance()
                self.agent.clock.seconds += HOLD
            elif what == "unlink":
                self.log.unlink()
            else:
                self.log.rename(self.logs / f"app.log.{self.written}")
            self.glance()
            self.begin()

    def end(self) -> tuple[int, dict[str, int]]:
        """Let everything be read or given up; gives the bytes read, and those lost by reason."""
        self.write(b"\n")
        for _ in range(int(LONG_AFTER)):
            self.drain()
        read = self.agent.store.bytes_read()
        losses = {reason: amount for (what, reason), amount in self.agent.store.losses().items() if what == "bytes"}
        self.agent.stop()
        return read, losses


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_read_and_lost_are_together_what_was_written(steps: list[tuple[str, bytes]]) -> None:
    """Long lines, NULs, truncations, deletions, renames, pauses, restarts in any order: no byte is missing (I1)."""
    with tempfile.TemporaryDirectory() as root:
        writer = Writer(Path(root))
        for what, data in steps:
            writer.do(what, data)
        read, lost = writer.end()

    assert read + sum(lost.values()) == writer.written


def passes_over(writer: Writer, reason: str) -> int:
    """Do what loses bytes for one reason; gives how many."""
    if reason == "nul":
        writer.write(bytes(700) + b"line\n")
        return 700
    if reason == "line_too_long":
        writer.write(b"y" * 5000 + b"\n")
        return 5000 - LINE_LIMIT
    if reason == "record_too_long":
        writer.write(b"S\n" + b" more\n" * 5 + b"S\n")
        return 3 * len(b" more\n")
    writer.block()
    writer.write(b"nobody reads this\n")
    writer.do("delete" if reason == "deleted" else "truncate", b"")
    return len(b"nobody reads this\n")


@pytest.mark.parametrize("reason", ["nul", "line_too_long", "record_too_long", "deleted", "truncated"])
def test_every_reason_is_counted_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """Exactly, in the store and with a line in the log that names file and reason; none of it counts as read (I1)."""
    caplog.set_level("INFO", logger="shipper")
    writer = Writer(tmp_path, MULTILINE if reason == "record_too_long" else SINGLE_LINES)
    amount = passes_over(writer, reason)
    read, lost = writer.end()

    assert lost == {reason: amount}
    assert read == writer.written - amount
    told = [record.getMessage() for record in caplog.records if f"are lost: {reason}" in record.getMessage()]
    assert told == [f"{amount} bytes of {writer.log} are lost: {reason}."]
