"""A backfill reads its files once, to their end or their fault, and goes on where an earlier run stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shipper.backfill.job import Job
from shipper.backfill.selection import select
from shipper.events import Checkpoint, Event, FileIdentity, LimitState, Loss, Unjudged
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.tailing.files import LogFile
from tests.matching.writing import load
from tests.tailing.archiving import KINDS, PACK

LINES = 60_000
CONTENT = b"".join(b"ERROR %d\n" % n for n in range(LINES))


class Kept:
    """A sink that keeps everything in memory, and may stop the job after some events."""

    def __init__(self) -> None:
        self.checkpoints: dict[FileIdentity, Checkpoint] = {}
        self.events: list[Event] = []
        self.on_record: Callable[[], object] = lambda: None

    def known(self) -> dict[FileIdentity, Checkpoint]:
        return dict(self.checkpoints)

    def limits(self) -> list[LimitState]:
        return []

    def record(
        self,
        checkpoints: Sequence[Checkpoint],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        self.checkpoints.update({checkpoint.identity: checkpoint for checkpoint in checkpoints})
        self.events += events
        self.on_record()

    def numbers(self) -> list[int]:
        return [int(event.content) for event in self.events]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    text = "[[rule]]\nid = 'e'\nmatch = 'ERROR (?<n>[0-9]+)'\nevent = 'E'\ncontent = '{n}'\n"
    return Engine(load(tmp_path, text).rules, Host("h", "192.0.2.1"), 5.0)


def job(
    engine: Engine, kept: Kept, stop: threading.Event | None = None, tick: Callable[[], None] = lambda: None
) -> Job:
    return Job(engine, kept, stop or threading.Event(), tick)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_at_the_offset_of_the_content(engine: Engine, tmp_path: Path, kind: str) -> None:
    """However the file is compressed: every line once over any number of runs (hazard 1.12)."""
    path = tmp_path / "a"
    path.write_bytes(PACK[kind](CONTENT))
    files = select([str(path)], (), None)
    kept = Kept()
    for _ in range(2):
        stop = threading.Event()
        kept.on_record = stop.set
        assert not job(engine, kept, stop).run(files)
    assert len(kept.events) < LINES
    kept.on_record = lambda: None

    assert job(engine, kept).run(files)
    assert kept.numbers() == list(range(LINES))


def test_stopped_on_its_way_to_the_offset_it_forgets_nothing(engine: Engine, tmp_path: Path) -> None:
    """A run that ends while it still goes through what was read before leaves the progress as it was."""
    content = b"\0" * 10_000_000 + b"\n" + CONTENT
    path = tmp_path / "a.gz"
    path.write_bytes(PACK["gzip"](content))
    files = select([str(path)], (), None)
    kept = Kept()
    assert job(engine, kept).run(files)
    before = dict(kept.checkpoints)
    stop = threading.Event()

    assert not job(engine, kept, stop, tick=stop.set).run(files)
    assert kept.checkpoints == before
    assert kept.numbers() == list(range(LINES))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_told_and_the_others_are_read(engine: Engine, tmp_path: Path, kind: str) -> None:
    """Up to the fault everything counts; the fault is one sentence with the path (hazard 1.12)."""
    damaged = PACK[kind](CONTENT)
    (tmp_path / "a").write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 0xFF]))
    (tmp_path / "b").write_bytes(b"ERROR 777777\n")
    kept = Kept()
    running = job(engine, kept)

    assert running.run(select([str(tmp_path / "a"), str(tmp_path / "b")], (), None))
    assert list(running.progress.faults) == [str(tmp_path / "a")]
    assert running.progress.faults[str(tmp_path / "a")].startswith(f"damaged after {len(CONTENT)} bytes of content")
    assert sorted(kept.numbers()) == [*range(LINES), 777777]


def test_a_read_error_is_told_and_the_others_are_read(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails under one file is that file's fault, not the end of the run."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"ERROR 1\n")
    failing = (tmp_path / "a").stat().st_ino
    read_at = LogFile.read_at

    def read(self: LogFile, offset: int, length: int) -> bytes:
        if self.identity.inode == failing and length > 6:
            raise OSError(5, "Input/output error")
        return read_at(self, offset, length)

    monkeypatch.setattr(LogFile, "read_at", read)
    kept = Kept()
    running = job(engine, kept)

    assert running.run(select([str(tmp_path / "a"), str(tmp_path / "b")], (), None))
    assert running.progress.faults == {str(tmp_path / "a"): "damaged after 0 bytes of content: Input/output error"}
    assert kept.numbers() == [1]


def test_a_file_replaced_meanwhile_is_told(engine: Engine, tmp_path: Path) -> None:
    """What was read cannot be joined to other content (hazard 1.5)."""
    path = tmp_path / "a"
    path.write_bytes(CONTENT)
    kept = Kept()
    kept.on_record = lambda: path.write_bytes(b"other\n" * LINES)
    running = job(engine, kept)

    assert running.run(select([str(path)], (), None))
    assert "its content was replaced meanwhile" in running.progress.faults[str(path)]
