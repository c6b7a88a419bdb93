"""Reads given files once, to their end, and waits until all that matched is acknowledged.

It has its own store (`backfill.db`) and lock, so it leaves the agent's offsets alone and can run beside it. Progress is
committed together with the events it caused: killed at any moment, the same command goes on where it was.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from shipper.agent.judging import judged, sendable
from shipper.backfill.passing import PassingFiles
from shipper.backfill.selection import NO_SOURCE, Selected
from shipper.events import Block, Origin
from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.files import UnreadableError
from shipper.tailing.formats import assembler_of
from shipper.tailing.tailer import Halt, Tailer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.agent.uploader import Uploader
    from shipper.events import Checkpoint, Event, FileIdentity, LimitState, Loss, Unjudged
    from shipper.matching.engine import Engine
    from shipper.outbox.store import Store
    from shipper.tailing.files import LogFile

    Content = LogFile | CompressedLog

MAX_WAITING = 20_000
COMMIT_EVENTS = 1000
_FILES = PassingFiles()
COMMIT_SECONDS = 1.0
POLL = 0.05
REACH_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Progress:
    """How far a backfill is; read by whoever shows it.

    Attributes:
        files: files read to their end in this run.
        files_before: files that an earlier run had finished.
        bytes: bytes on the disk taken, of `bytes_total`.
        bytes_total: bytes on the disk of all files.
        events: events found in this run.
        faults: what kept a file from being read to its end, by path.
        by_rule: events found, by rule.
    """

    files: int = 0
    files_before: int = 0
    bytes: int = 0
    bytes_total: int = 0
    events: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """Where the events of a backfill go, with the progress they stand for."""

    def known(self) -> dict[FileIdentity, Checkpoint]:
        """Give how far files were taken by earlier runs."""

    def limits(self) -> list[LimitState]:
        """Give what thresholds and throttles remembered when an earlier run ended."""

    def record(
        self,
        checkpoints: Sequence[Checkpoint],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        """Take events and progress, together."""


class Delivery:
    """The sink that sends: a store, emptied by an uploader in a thread of its own while files are read."""

    def __init__(self, store: Store, uploader: Uploader, stop: threading.Event) -> None:
        self._store = store
        self._uploader = uploader
        self._stop = stop
        self._thread = threading.Thread(target=uploader.run, name="uploader")
        self._thread.start()

    def known(self) -> dict[FileIdentity, Checkpoint]:
        """Give the checkpoints of the store."""
        return {checkpoint.identity: checkpoint for checkpoint in self._store.checkpoints()}

    def limits(self) -> list[LimitState]:
        """Give what the store holds."""
        return self._store.limits()

    def record(
        self,
        checkpoints: Sequence[Checkpoint],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        """Commit; waits while too many events wait, so that the store stays small."""
        self._store.record(checkpoints, events, losses=losses, limits=limits, unjudged=unjudged)
        if events:
            self._uploader.wake()
        while self._store.waiting_count > MAX_WAITING and not self._stop.wait(POLL):
            pass

    def finish(self, tick: Callable[[], None], drain_timeout: float) -> None:
        """Wait until everything is settled; once stopped, at most `drain_timeout` seconds more."""
        while self._store.waiting_count and self._thread.is_alive() and not self._stop.wait(POLL):
            tick()
        self._uploader.drain(drain_timeout)
        self._thread.join()


class Job:
    """One backfill over selected files."""

    def __init__(self, engine: Engine, sink: Sink, stop: threading.Event, tick: Callable[[], None]) -> None:
        """Prepare.

        Args:
            engine: the rules.
            sink: takes the events.
            stop: set from outside to end early, cleanly.
            tick: called often, to show `progress`.
        """
        self.progress = Progress()
        self._engine = engine
        self._sink = sink
        self._stop = stop
        self._tick = tick
        self._commit_at = 0.0
        self._unjudged: list[Unjudged] = []

    def run(self, files: Sequence[Selected]) -> bool:
        """Read the files; True when all were read to their end, or to a fault that `progress.faults` tells."""
        self.progress.bytes_total = sum(selected.size for selected in files)
        known, limits = self._sink.known(), self._engine.limits
        limits.restore(self._sink.limits())
        self._record((), self._counted(limits.use(self._engine.rules)), ())
        before = 0
        for selected in files:
            try:
                file = open_content(_FILES, selected.path)
            except (UnreadableError, OSError) as error:
                self.progress.faults[selected.path] = str(error)
            else:
                try:
                    self._read(selected, file, known.get(file.identity), before)
                finally:
                    file.close()
            if self._stop.is_set():
                return False
            before += selected.size
            self.progress.bytes = before
            self._tick()
        # nothing more comes, so what throttles hold back is told
        self._record((), self._counted(self._engine.finish()), ())
        return True

    def _read(self, selected: Selected, file: Content, known: Checkpoint | None, before: int) -> None:
        source = selected.source or NO_SOURCE
        origin = source.origin if selected.source else Origin()
        tailer = Tailer(
            file,
            selected.path,
            origin,
            max_line_bytes=source.max_line_bytes,
            partial_timeout=source.partial_timeout,
            assembler=assembler_of(source),
        )
        resumed = False
        if known is not None:
            try:
                if not self._reach(file, known.offset):
                    return
                resumed = tailer.resume(known)
            except OSError as error:
                self.progress.faults[selected.path] = error.strerror or str(error)
                return
        events: list[Event] = []
        found_any = False
        # the file's own time stands for lines that carry none: they were written before it
        modified = datetime.fromtimestamp(selected.modified, UTC)
        while not self._stop.is_set():
            found = _next_block(tailer, modified)
            if not isinstance(found, Block):
                if found is not None:
                    self.progress.faults[selected.path] = f"damaged after {tailer.offset} bytes of content: {found}"
                break
            found_any = True
            events += self._match(found)
            taken = file.position if isinstance(file, CompressedLog) else tailer.offset
            self.progress.bytes = before + min(taken, selected.size)
            if len(events) >= COMMIT_EVENTS or time.monotonic() >= self._commit_at:
                self._record([tailer.checkpoint()], events, tailer.take_losses())
                events = []
            self._tick()
        self._record([tailer.checkpoint()], events, tailer.take_losses())
        if not self._stop.is_set():
            self.progress.files += 1
            self.progress.files_before += resumed and not found_any

    def _reach(self, file: Content, offset: int) -> bool:
        """Go through what earlier runs took of a compressed file; False when stopped meanwhile."""
        while isinstance(file, CompressedLog) and not file.advance(offset, REACH_BYTES):
            self._tick()
            if self._stop.is_set():
                return False
        return True

    def _match(self, block: Block) -> list[Event]:
        events, unjudged = judged(self._engine, block)
        self._unjudged += unjudged
        return self._counted(events)

    def _counted(self, made: list[Event]) -> list[Event]:
        events = sendable(made)
        self.progress.events += len(events)
        for event in events:
            self.progress.by_rule[event.rule] = self.progress.by_rule.get(event.rule, 0) + 1
        return events

    def _record(self, checkpoints: Sequence[Checkpoint], events: Sequence[Event], losses: Sequence[Loss]) -> None:
        limits = self._engine.limits
        changes = limits.changes()
        if checkpoints or events or changes:
            self._sink.record(checkpoints, events, losses, changes, self._unjudged)
            limits.recorded()
            self._unjudged = []
        self._commit_at = time.monotonic() + COMMIT_SECONDS


def _next_block(tailer: Tailer[Content], read_at: datetime) -> Block | str | None:
    """Take the next records; None at the end of the file, a sentence for people where it cannot be read further."""
    try:
        found = tailer.next_block(read_at, 0.0, flush=True)
    except OSError as error:
        return error.strerror or str(error)
    if isinstance(found, Block):
        return found
    if found is Halt.REWRITTEN:
        return "its content was replaced meanwhile"
    return tailer.file.fault if isinstance(tailer.file, CompressedLog) else None
