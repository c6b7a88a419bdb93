"""From files to the outbox, one pass after the other, when there is room and when there is none."""

from __future__ import annotations

import itertools
import os
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers.inotify_c import CallbackId

from shipper.agent import commits
from shipper.agent.intake import TURN_BYTES, Intake
from shipper.cloudmonitor import batching
from shipper.config.model import MultilineTable, SourceTable, StoreTable
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from shipper.tailing.framing import FIRST_LINE_BYTES
from shipper.tailing.hints import Notebook
from shipper.tailing.identity import GUARD_BYTES, HEAD_BYTES
from shipper.tailing.inotify import Inotify, Watch
from shipper.tailing.trail import MOST_MARKS, RECENT_BYTES
from shipper.tailing.watcher import Watcher
from tests.conftest import eventually

RULE = "[[rule]]\nid = 'r'\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\ncontent = '{n}'\n"
FILES = 300


class Reading:
    """An intake at work on a directory."""

    def __init__(
        self,
        root: Path,
        limits: StoreTable,
        *,
        watched: bool = True,
        begin: Callable[[Notebook], Inotify] | None = None,
        rules: str = RULE,
        more_sources: tuple[SourceTable, ...] = (),
        **source: object,
    ) -> None:
        self.logs = root / "logs"
        self.logs.mkdir()
        (root / "rules.toml").write_text(rules)
        self.rules = load_rules([root / "rules.toml"])[0].rules
        self.store = Store(root, batching.encode)
        self.wake = threading.Event()
        self.watcher = Watcher(self.wake, begin=begin) if watched else None
        table = SourceTable(name="app", paths=(f"{self.logs}/*.log",), start_at="beginning", **source)  # type: ignore[arg-type]
        self.intake = Intake(
            Following([table, *more_sources], [], {}),
            self.engine(),
            self.store,
            limits,
            wake=self.wake,
            recorded=lambda: None,
            watcher=self.watcher,
        )
        self.thread = threading.Thread(target=self.intake.run)
        self.found: list[str] = []

    def engine(self) -> Engine:
        return Engine(self.rules, Host("h", "127.0.0.1"), 1.0)

    def write(self, *lines: str, name: str = "a.log") -> None:
        with (self.logs / name).open("a") as file:
            file.writelines(line + "\n" for line in lines)

    def take(self) -> list[str]:
        """Take everything that waits, as an uploader would."""
        waiting = self.store.next_events(10_000)
        self.store.acknowledge(waiting)
        return [event.payload.decode().split('"content":"')[1].split('"')[0] for event in waiting]

    def gather(self) -> list[str]:
        """Take everything that waits, and give all that was ever taken."""
        self.found += self.take()
        return self.found

    def end(self) -> None:
        self.intake.stop()
        self.thread.join()
        self.intake.close()
        if self.watcher is not None:
            self.watcher.close()
        self.store.close()


@pytest.fixture
def limits() -> StoreTable:
    return StoreTable(min_free_disk=0)


def test_a_full_queue_pauses_reading_and_room_resumes_it(tmp_path: Path) -> None:
    """The log is the buffer: nothing is dropped, and every event comes once."""
    reading = Reading(tmp_path, StoreTable(min_free_disk=0, max_queue_bytes=20_000))
    reading.write(*(f"ERROR {n}" for n in range(20_000)))
    reading.thread.start()
    most = 0

    def all_found() -> bool:
        nonlocal most
        most = max(most, reading.store.waiting_count)
        return len(reading.gather()) >= 20_000

    eventually(all_found)
    reading.end()

    assert reading.found == [str(n) for n in range(20_000)]
    # a pause comes between two commits, of at most one block beyond COMMIT_EVENTS each
    assert most < 20_000


def test_little_free_disk_pauses_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`min_free_disk`: the host's disk is worth more than our queue (hazard 5.4)."""
    reading = Reading(tmp_path, StoreTable(min_free_disk=2**62))
    reading.write("ERROR 1")
    reading.thread.start()
    eventually(lambda: "less free space than min_free_disk" in caplog.text)
    assert reading.store.waiting_count == 0
    reading.end()


@pytest.mark.parametrize("watch", ["poll", "auto"])
def test_new_lines_new_files_and_renames_are_seen_without_a_scan_being_due(
    tmp_path: Path, limits: StoreTable, watch: str
) -> None:
    """With hints from the kernel, and by looking once a second without (hazard 2.3)."""
    reading = Reading(tmp_path, limits, scan_interval=3600.0, watch=watch)
    reading.write("ERROR 1")
    reading.thread.start()

    def expect(*numbers: str) -> None:
        eventually(lambda: sorted(reading.gather()) == sorted(numbers))

    expect("1")
    reading.write("ERROR 2")
    expect("1", "2")
    reading.write("ERROR 3", name="b.log")
    expect("1", "2", "3")
    (reading.logs / "a.log").rename(reading.logs / "a.log.1")
    reading.write("ERROR 4")
    expect("1", "2", "3", "4")
    reading.end()


def test_without_any_watcher_everything_works(tmp_path: Path, limits: StoreTable) -> None:
    """Hints are never facts."""
    reading = Reading(tmp_path, limits, watched=False)
    reading.thread.start()
    reading.write("ERROR 1")
    eventually(lambda: reading.take() == ["1"])
    reading.end()


class Mute(Inotify):
    """Every notice is dropped, as in a queue that is full."""

    def __init__(self, notebook: Notebook) -> None:
        super().__init__(notebook)
        self.notebook = notebook

    def listen(self, directory: str) -> Watch:
        return Watch(directory, self.notebook, lambda _: None, CallbackId(-1))


def test_an_overflow_of_hints_has_everything_looked_at(tmp_path: Path, limits: StoreTable) -> None:
    """Writes to quiet files, new files and renames whose hints were dropped are found at once (hazard 2.2)."""
    made: list[Mute] = []

    def begin(notebook: Notebook) -> Inotify:
        made.append(Mute(notebook))
        return made[-1]

    reading = Reading(tmp_path, limits, begin=begin, scan_interval=3600.0)
    reading.write("ERROR 1", name="a.log")
    reading.write("ERROR 2", name="b.log")
    seconds = itertools.count()

    def look() -> list[str]:
        for _ in range(5):
            reading.intake.step(float(next(seconds)))
        reading.intake.step(float(next(seconds)))
        return sorted(reading.gather())

    assert look() == ["1", "2"]
    reading.write("ERROR 3", name="a.log")
    (reading.logs / "b.log").rename(reading.logs / "b.log.1")
    reading.write("ERROR 4", name="b.log")
    reading.write("ERROR 5", name="c.log")
    # nothing else would find them before the scan in an hour
    assert look() == ["1", "2"]
    made[0].notebook.overflowed()
    assert look() == ["1", "2", "3", "4", "5"]
    reading.intake.stop()
    reading.intake.close()
    made[0].close()
    reading.store.close()


class Overrun(Mute):
    """Directories are too busy to be heard until the test says otherwise."""

    def __init__(self, notebook: Notebook) -> None:
        super().__init__(notebook)
        self.watches: list[Watch] = []

    def listen(self, directory: str) -> Watch:
        self.watches.append(Watch(directory, self.notebook, lambda _: None, CallbackId(-1), writes=False))
        return self.watches[-1]

    def hear_writes(self, watch: Watch) -> None:
        """It is still busy."""


def test_a_quiet_file_in_a_busy_directory_is_looked_at(tmp_path: Path, limits: StoreTable) -> None:
    """Nothing tells of writes there: one is found without, and one from before they are heard again (2.1, 6.2)."""
    made: list[Overrun] = []

    def begin(notebook: Notebook) -> Inotify:
        made.append(Overrun(notebook))
        return made[-1]

    reading = Reading(tmp_path, limits, begin=begin, scan_interval=3600.0)
    reading.write("ERROR 1", name="quiet.log")
    seconds = itertools.count()

    def look(times: int) -> list[str]:
        for _ in range(times):
            reading.intake.step(float(next(seconds)))
        return reading.gather()

    assert look(5) == ["1"]
    assert not any(followed.active for followed in reading.intake._following.files.values())
    reading.write("ERROR 2", name="quiet.log")
    assert look(1) == ["1", "2"]
    look(5)
    reading.write("ERROR 3", name="quiet.log")
    made[0].watches[0].writes = True
    assert look(1) == ["1", "2", "3"]
    reading.intake.stop()
    reading.intake.close()
    made[0].close()
    reading.store.close()


def test_other_rules_come_into_force_between_two_blocks(tmp_path: Path, limits: StoreTable) -> None:
    """Under load nothing is lost or repeated by a change (spec, section 4 "Reload")."""
    reading = Reading(tmp_path, limits)
    reading.thread.start()
    for number in range(200):
        reading.write(*(f"ERROR {number * 50 + n}" for n in range(50)))
        if number % 20 == 0:
            reading.intake.change(
                reading.engine(),
                (SourceTable(name=f"app{number}", paths=(f"{reading.logs}/*.log",), start_at="beginning"),),
            )
    eventually(lambda: len(reading.gather()) >= 10_000)
    reading.end()

    assert sorted(map(int, reading.found)) == list(range(10_000))


def test_a_failing_store_stops_reading_until_it_is_back(
    tmp_path: Path, limits: StoreTable, caplog: pytest.LogCaptureFixture
) -> None:
    """No offset moves past what could not be committed (hazard 5.4)."""
    reading = Reading(tmp_path, limits)
    reading.thread.start()
    reading.write("ERROR 1")
    eventually(lambda: reading.gather() == ["1"])
    # a table that is not there fails every commit as a broken disk would
    reading.store._database._connection.execute("ALTER TABLE outbox RENAME TO hidden")
    reading.write("ERROR 2")
    eventually(lambda: "Reading waits" in caplog.text)
    reading.write("ERROR 3")
    reading.store._database._connection.execute("ALTER TABLE hidden RENAME TO outbox")
    eventually(lambda: reading.gather() == ["1", "2", "3"])
    reading.end()

    assert "can be written again" in caplog.text


@pytest.fixture(autouse=True)
def info_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="shipper")


def test_a_file_that_is_far_behind_keeps_no_quiet_one_waiting(tmp_path: Path, limits: StoreTable) -> None:
    """Files that are read to their end come first, then the others take turns, whatever their number (hazard 6.2)."""
    reading = Reading(tmp_path, limits, watched=False)
    for number in range(8):
        (reading.logs / f"a{number}.log").write_bytes(b"nothing to see here\n" * 400_000)
    reading.write("ERROR 0", name="quiet.log")
    began = time.monotonic()
    reading.intake.step(began)
    behind = sum(f.halt is None for f in reading.intake._following.files.values())
    for number in range(1, 9):
        reading.write(f"ERROR {number}", name="quiet.log")
        reading.intake.step(began + number * 2.0)
        reading.intake.step(began + number * 2.0 + 0.1)
        assert f"{number}" in reading.gather()
    offsets = [f.tailer.offset for f in reading.intake._following.files.values() if f.path.endswith(".log")]
    reading.intake.stop()
    reading.intake.close()
    reading.store.close()

    assert behind >= 8
    assert min(offset for offset in offsets) > 0


TWO_RULES = (
    "[[rule]]\nid = 'loud'\nmatch = 'LOUD (?<n>\\d+)'\nevent = 'L'\ncontent = '{n}'\n"
    "[[rule]]\nid = 'rare'\nmatch = 'RARE (?<n>\\d+)'\nevent = 'R'\ncontent = '{n}'\n"
)


def end_without_thread(reading: Reading) -> None:
    reading.intake.stop()
    reading.intake.close()
    reading.store.close()


def test_a_full_queue_pauses_only_the_files_that_fill_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`overflow = "pause"`: a loud rule's file waits, another rule's file is read on, and nothing is lost (6.4)."""
    limits = StoreTable(min_free_disk=0, max_queue_bytes=100_000)
    reading = Reading(tmp_path, limits, watched=False, rules=TWO_RULES)
    reading.write(*(f"LOUD {n}" for n in range(1500)), name="loud.log")
    reading.write("RARE 0", name="rare.log")
    for turn in range(3):
        reading.intake.step(turn * 2.0)
    full = reading.store.waiting_by_rule()
    assert 100_000 <= full["loud"] < 200_000
    reading.write(*(f"LOUD {n}" for n in range(1500, 1600)), name="loud.log")
    reading.write("RARE 1", name="rare.log")
    reading.intake.step(10.0)
    reading.intake.step(12.0)
    assert reading.store.waiting_by_rule()["loud"] == full["loud"]
    assert reading.store.waiting_by_rule()["rare"] == 2 * full["rare"]
    assert "files that feed the rules holding most of them (loud) wait" in caplog.text
    reading.gather()
    reading.intake.step(14.0)
    reading.intake.step(16.0)
    assert sorted(map(int, reading.gather())) == sorted([0, 1, *range(1600)])
    assert "reading goes on" in caplog.text
    end_without_thread(reading)


def test_drop_oldest_keeps_the_newest_and_counts_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reading goes on; delivered + counted as lost = matched, told once while the queue is full (I1, 6.4)."""
    limits = StoreTable(min_free_disk=0, max_queue_bytes=50_000, overflow="drop_oldest")
    reading = Reading(tmp_path, limits, watched=False)
    for turn in range(4):
        reading.write(*(f"ERROR {turn * 1000 + n}" for n in range(1000)))
        reading.intake.step(turn * 2.0)
        reading.intake.step(turn * 2.0 + 0.1)
    assert reading.store.waiting_bytes <= 50_000
    dropped = reading.store.losses()["events", "queue_full"]
    kept = list(map(int, reading.gather()))
    assert dropped > 0
    assert kept == list(range(dropped, 4000))
    assert caplog.text.count("waiting events are dropped") == 1
    # after there was room it is told again
    reading.intake.step(10.0)
    reading.write(*(f"ERROR {n}" for n in range(1000)))
    reading.intake.step(12.0)
    reading.intake.step(12.1)
    assert caplog.text.count("waiting events are dropped") == 2
    assert "Reading pauses" not in caplog.text
    end_without_thread(reading)


@pytest.mark.parametrize("start", [None, "^ERROR"], ids=["lines", "records"])
def test_marks_and_ends_of_lines_in_any_pieces(tmp_path: Path, limits: StoreTable, start: str | None) -> None:
    """A BOM and CR LF are in no record, also when a look falls between their bytes, or a time-out (hazard 3.3)."""
    anchored = RULE.replace("ERROR (?<n>\\d+)", "^ERROR (?<n>\\d+)$")
    data = b"\xef\xbb\xbfERROR 1\r\nERROR 2\r\n"
    joined = MultilineTable(start=start)
    reading = Reading(tmp_path, limits, watched=False, rules=anchored, partial_timeout=1000.0, multiline=joined)
    for first, rest in ((0.0, 1.0), (2.0, 3.0)):
        for split in range(len(data) + 1):
            with (reading.logs / f"{split}.log").open("ab") as file:
                file.write(data[:split] if first == 0.0 else data[split:])
        reading.intake.step(first)
        reading.intake.step(rest)
    reading.intake.step(10.0)

    assert Counter(reading.gather()) == {"1": len(data) + 1, "2": len(data) + 1}
    # CR and LF with the time-out between them: the line is taken, and its end is no line
    with (reading.logs / "late.log").open("ab") as file:
        file.write(b"ERROR 3\r")
        file.flush()
        reading.intake.step(20.0)
        reading.intake.step(2000.0)
        file.write(b"\nERROR 4\r\n")
    reading.intake.step(2002.0)
    reading.intake.step(2010.0)
    assert sorted(reading.gather())[-2:] == ["3", "4"]
    assert len(reading.gather()) == 2 * (len(data) + 1) + 2
    end_without_thread(reading)


OF_SOURCES = (
    "[[rule]]\nid = 'one'\nsources = ['app']\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\ncontent = 'app {n} {source}'\n"
    "[[rule]]\nid = 'two'\nsources = ['also']\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\ncontent = 'also {n} {source}'\n"
    "[[rule]]\nid = 'all'\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\ncontent = 'all {n} {source}'\n"
)


def test_a_file_of_two_names_and_two_sources(tmp_path: Path, limits: StoreTable) -> None:
    """One copy of each line, the rules of both sources once each, also when one of the names is gone (hazard 1.11)."""
    also = SourceTable(name="also", paths=(f"{tmp_path}/logs/*.txt",), start_at="beginning")
    reading = Reading(tmp_path, limits, watched=False, rules=OF_SOURCES, more_sources=(also,))
    reading.write("ERROR 1")
    os.link(reading.logs / "a.log", reading.logs / "a.txt")
    for turn in range(3):
        reading.intake.step(turn * 20.0)
    assert sorted(reading.gather()) == ["all 1 app", "also 1 also", "app 1 app"]
    reading.write("ERROR 2")
    (reading.logs / "a.log").unlink()
    for turn in range(3, 6):
        reading.intake.step(turn * 20.0)
    reading.write("ERROR 3", name="a.txt")
    for turn in range(6, 9):
        reading.intake.step(turn * 20.0)

    # without its name the file belongs to the second source alone
    alone = [f"{rule} {n} also" for n in (2, 3) for rule in ("all", "also")]
    assert sorted(reading.gather()) == sorted(["all 1 app", "also 1 also", "app 1 app", *alone])
    end_without_thread(reading)


@pytest.mark.parametrize("pragma", ["max_page_count = 1", "query_only = 1"], ids=["ENOSPC", "EROFS"])
def test_a_disk_that_takes_nothing_for_a_while(
    tmp_path: Path, limits: StoreTable, pragma: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever SQLite says: nothing is read further, and all goes on by itself; told once, and its end (hazard 5.4)."""
    monkeypatch.setattr(commits, "STORE_RETRY", 0.001)
    reading = Reading(tmp_path, limits, watched=False)
    reading.write(*(f"ERROR {n}" for n in range(100)))
    reading.intake.step(0.0)
    assert len(reading.gather()) == 100
    connection = reading.store._database._connection
    attempts = 0
    record = reading.store.record

    def count(*arguments: Any, **others: Any) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 5:
            connection.execute("PRAGMA query_only = 0")
            connection.execute("PRAGMA max_page_count = 1000000")
        record(*arguments, **others)

    monkeypatch.setattr(reading.store, "record", count)
    connection.execute(f"PRAGMA {pragma}")
    reading.write(*(f"ERROR {n}" for n in range(100, 3000)))
    for turn in range(1, 10):
        reading.intake.step(turn * 20.0)

    assert reading.gather() == [f"{n}" for n in range(3000)]
    assert attempts >= 5
    assert caplog.text.count("Reading waits") == 1
    assert caplog.text.count("can be written again") == 1
    end_without_thread(reading)


def test_many_files_of_huge_lines_and_no_room_cost_a_bounded_memory(tmp_path: Path) -> None:
    """Nothing is ever sent, and each of 300 files begins with a line of a gigabyte (hazards 6.5, 3.2)."""
    reading = Reading(tmp_path, StoreTable(min_free_disk=0, max_queue_bytes=100_000), watched=False)
    for number in range(FILES):
        with (reading.logs / f"{number}.log").open("wb") as file:
            file.write(b"x" * 2 * FIRST_LINE_BYTES)
            file.truncate(2**30)
            file.seek(0, os.SEEK_END)
            file.write(b"\n" + b"ERROR %d\n" % number * 1000)
    tracemalloc.start()
    try:
        for turn in range(30):
            reading.intake.step(turn * 2.0)
        assert reading.store.waiting_bytes >= 100_000
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    end_without_thread(reading)

    a_file = FIRST_LINE_BYTES + RECENT_BYTES + 8 * HEAD_BYTES
    assert kept <= FILES * a_file + 4_000_000
    # idle files remember less
    assert peak <= kept + FILES * MOST_MARKS * 2 * GUARD_BYTES + 40 * TURN_BYTES
