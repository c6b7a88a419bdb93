"""Rows of what was chosen and what it was chosen from: how files are read, and how far commits are apart."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Final
from unittest.mock import patch

from shipper.agent import commits, intake
from shipper.tailing import tailer
from tests.bench.durable import durable
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.processes import pinned
from tests.bench.scanning import FEW, MANY, OFTEN, matching, require

KIB: Final = 1024


def reading(bench: Bench, read: Callable[[int, int], Iterator[bytes]], block: int) -> Measured:
    """Read a log by blocks that somebody may keep, and do nothing with them."""
    log = bench.log(FEW)
    size = 0
    with pinned(bench.cores.measured), log.path.open("rb") as file:
        began = time.perf_counter()
        for data in read(file.fileno(), block):
            size += len(data)
        seconds = time.perf_counter() - began
    require(size, log.size)
    return Measured(size / 1e6 / seconds)


def by_pread(descriptor: int, block: int) -> Iterator[bytes]:
    """Read into new memory."""
    at = 0
    while data := os.pread(descriptor, block, at):
        yield data
        at += len(data)


def by_preadv(descriptor: int, block: int) -> Iterator[bytes]:
    """Read into the same memory each time, and copy."""
    room, at = bytearray(block), 0
    while size := os.preadv(descriptor, [room], at):
        yield bytes(memoryview(room)[:size])
        at += size


def by_mmap(descriptor: int, block: int) -> Iterator[bytes]:
    """Copy out of a mapping. A file that is cut meanwhile kills a process that does so."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_SEQUENTIAL)
        for at in range(0, len(mapped), block):
            yield mapped[at : at + block]


def with_blocks(bench: Bench, block: int) -> Measured:
    """Match with blocks of another size."""
    with patch.object(tailer, "READ_BYTES", block):
        return matching(bench, MANY)


def with_commits(bench: Bench, module: ModuleType, name: str, value: float) -> Measured:
    """Record with commits that are otherwise apart."""
    with patch.object(module, name, value):
        if module is intake:
            measured = durable(bench, OFTEN)
            return Measured(measured.further["events/s"])
        return durable(bench, MANY)


def _reading_row(name: str, read: Callable[[int, int], Iterator[bytes]], block: int) -> Row:
    title = f"reading alone, `{name}`, {block // KIB:,} KiB"
    return Row(f"read-{name}-{block // KIB}", title, "MB/s", lambda bench: reading(bench, read, block))


def _block_row(block: int) -> Row:
    title = f"matching alone, 200 rules, 0.1 %, blocks of {block // KIB:,} KiB"
    return Row(f"block-{block // KIB}", title, "MB/s", lambda bench: with_blocks(bench, block))


def _events_row(events: int) -> Row:
    title = f"file to durable outbox, 5 %, a commit for {events:,} events"
    return Row(
        f"commit-{events}", title, "events/s", lambda bench: with_commits(bench, intake, "COMMIT_EVENTS", events)
    )


def _hold_row(seconds: float) -> Row:
    title = f"file to durable outbox, 200 rules, 0.1 %, commits {seconds:g} s apart"
    return Row(f"hold-{seconds:g}", title, "MB/s", lambda bench: with_commits(bench, commits, "HOLD_SECONDS", seconds))


CHOICES: Final = (
    *(_reading_row("pread", by_pread, block * KIB) for block in (64, 256, 1024)),
    _reading_row("preadv", by_preadv, 256 * KIB),
    _reading_row("mmap", by_mmap, 256 * KIB),
    *(_block_row(block * KIB) for block in (64, 128, 256, 512, 1024)),
    *(_events_row(events) for events in (10, 100, 1000, 10_000)),
    *(_hold_row(seconds) for seconds in (0.0, 0.01, 0.05, 0.5)),
)
