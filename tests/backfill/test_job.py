"""A backfill reads its files once, to their end or their fault, and goes on where an earlier run stopped."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from shipper.backfill.tasks import Orders
from shipper.tailing.files import LogFile
from tests.backfill.jobs import NUMBERED, Kept, orders_of, run
from tests.tailing.archiving import KINDS, PACK

LINES = 60_000
CONTENT = b"".join(b"ERROR %d\n" % n for n in range(LINES))


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    (tmp_path / "rules").mkdir()
    return orders_of(tmp_path / "rules", NUMBERED)


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_a_stopped_run_goes_on_at_the_offset_of_the_content(orders: Orders, tmp_path: Path, kind: str) -> None:
    """However the file is compressed: every line once over any number of runs (hazard 1.12)."""
    path = tmp_path / "a"
    path.write_bytes(PACK[kind](CONTENT) if kind else CONTENT)
    kept = Kept()
    for _ in range(2):
        stop = threading.Event()
        kept.on_record = stop.set
        assert not run(orders, kept, [path], stop=stop)[0]
    assert len(kept.events) < LINES
    kept.on_record = lambda: None

    assert run(orders, kept, [path])[0]
    assert kept.numbers() == list(range(LINES))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_is_known_under_another_name_and_compressed(orders: Orders, tmp_path: Path, kind: str) -> None:
    """Progress is that of the content: rotated, compressed and copied meanwhile, it goes on behind what was read."""
    path = tmp_path / "a.log"
    path.write_bytes(CONTENT)
    kept, stop = Kept(), threading.Event()
    kept.on_record = stop.set
    run(orders, kept, [path], stop=stop)
    assert 0 < len(kept.events) < LINES
    kept.on_record = lambda: None
    (tmp_path / "a.log.1.z").write_bytes(PACK[kind](CONTENT))
    path.unlink()

    assert run(orders, kept, [tmp_path / "a.log.1.z"])[0]
    assert kept.numbers() == list(range(LINES))
    (tmp_path / "copy").write_bytes(CONTENT)
    done, job = run(orders, kept, [tmp_path / "copy", tmp_path / "a.log.1.z"])
    assert (done, job.progress.files, job.progress.files_before) == (True, 0, 2)
    assert len(kept.events) == LINES


def test_other_content_that_begins_and_ends_alike_is_read(orders: Orders, tmp_path: Path) -> None:
    """A banner and a farewell prove nothing: what is between them is in the checksum (hazard 1.8)."""
    banner, farewell = b"banner " * 200 + b"\n", b"farewell " * 200 + b"\n"
    kept = Kept()
    for number in (1, 2):
        path = tmp_path / f"{number}.log"
        path.write_bytes(banner + b"ERROR %d\n" % number + farewell)
        run(orders, kept, [path])

    assert kept.numbers() == [1, 2]


def test_a_file_that_grew_is_read_on(orders: Orders, tmp_path: Path) -> None:
    """What was appended since is all that is read."""
    path = tmp_path / "a.log"
    path.write_bytes(CONTENT)
    kept = Kept()
    run(orders, kept, [path])
    with path.open("ab") as file:
        file.write(b"ERROR 77\n")

    done, job = run(orders, kept, [path])
    assert (done, job.progress.events, kept.numbers()[-1], len(kept.events)) == (True, 1, 77, LINES + 1)


def test_a_rule_that_was_added_or_changed_makes_its_own_events_only(tmp_path: Path) -> None:
    """Progress is that of each rule; one that is final still keeps records from those behind it."""
    path = tmp_path / "a.log"
    path.write_bytes(b"ERROR 1\nERROR 2 final\nWARN 3\n")
    kept = Kept()
    run(orders_of(tmp_path, NUMBERED), kept, [path])
    assert [event.rule for event in kept.events] == ["e", "e"]
    final = "[[rule]]\nid = 'f'\nmatch = 'final'\nevent = 'F'\nfinal = true\n"
    later = "[[rule]]\nid = 'w'\nmatch = '[0-9]'\nevent = 'W'\ncontent = '{line}'\n"

    run(orders_of(tmp_path, final + NUMBERED), kept, [path])
    assert [event.rule for event in kept.events[2:]] == ["f"]
    run(orders_of(tmp_path, final + NUMBERED + later), kept, [path])
    assert [event.content for event in kept.events[3:]] == ["ERROR 1", "WARN 3"]
    run(orders_of(tmp_path, final + NUMBERED.replace("'E'", "'New'") + later), kept, [path])
    assert [event.name for event in kept.events[5:]] == ["New"]
    assert len(kept.passes) <= 4


def test_a_run_of_new_rules_that_was_stopped_goes_on_for_them(orders: Orders, tmp_path: Path) -> None:
    """Rules that are at different places of a file each come to its end."""
    path = tmp_path / "a.log"
    path.write_bytes(CONTENT)
    kept, stop = Kept(), threading.Event()
    run(orders, kept, [path])
    both = orders_of(tmp_path, NUMBERED + NUMBERED.replace("'e'", "'later'"))
    kept.on_record = stop.set
    assert not run(both, kept, [path], stop=stop)[0]
    kept.on_record = lambda: None
    assert run(both, kept, [path])[0]

    later = [int(event.content) for event in kept.events if event.rule == "later"]
    assert later == list(range(LINES))
    assert len(kept.events) == 2 * LINES


def test_a_copy_in_the_same_run_is_not_judged_again(orders: Orders, tmp_path: Path) -> None:
    """What a compressor has written and not removed yet is one content in two files."""
    for name in ("a.log.1", "a.log.1.gz", "elsewhere"):
        (tmp_path / name).write_bytes(PACK["gzip"](CONTENT) if name.endswith("gz") else CONTENT)
    kept = Kept()
    done, job = run(orders, kept, [tmp_path / name for name in ("a.log.1", "a.log.1.gz", "elsewhere")])

    assert (done, job.progress.files, job.progress.files_before) == (True, 1, 2)
    assert kept.numbers() == list(range(LINES))


def test_stopped_on_its_way_to_the_offset_it_forgets_nothing(orders: Orders, tmp_path: Path) -> None:
    """A run that ends while it still goes through what was read before leaves the progress as it was."""
    content = b"\0" * 10_000_000 + b"\n" + CONTENT
    path = tmp_path / "a.gz"
    path.write_bytes(PACK["gzip"](content))
    kept = Kept()
    assert run(orders, kept, [path])[0]
    before = list(kept.passes)
    path.with_name("b.gz").write_bytes(PACK["gzip"](content))
    path.unlink()
    stop = threading.Event()
    stop.set()

    assert not run(orders, kept, [path.with_name("b.gz")], stop=stop)[0]
    assert kept.passes == before
    assert kept.numbers() == list(range(LINES))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_told_each_time_and_the_others_are_read(orders: Orders, tmp_path: Path, kind: str) -> None:
    """Up to the fault everything counts, once; the fault is one sentence with the path (hazard 1.12)."""
    damaged = PACK[kind](CONTENT)
    (tmp_path / "a").write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 0xFF]))
    (tmp_path / "b").write_bytes(b"ERROR 777777\n")
    kept = Kept()
    for _ in range(2):
        done, job = run(orders, kept, [tmp_path / "a", tmp_path / "b"])
        assert done
        assert list(job.progress.faults) == [str(tmp_path / "a")]
        assert job.progress.faults[str(tmp_path / "a")].startswith(f"damaged after {len(CONTENT)} bytes of content")
    assert sorted(kept.numbers()) == [*range(LINES), 777777]


def test_a_read_error_is_told_and_the_others_are_read(
    orders: Orders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails under one file is that file's fault, not the end of the run."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"ERROR 1\n" * (1 + (name == "a")))
    failing = (tmp_path / "a").stat().st_ino
    read_at = LogFile.read_at

    def read(self: LogFile, offset: int, length: int) -> bytes:
        if self.identity.inode == failing and length > 6:
            raise OSError(5, "Input/output error")
        return read_at(self, offset, length)

    monkeypatch.setattr(LogFile, "read_at", read)
    kept = Kept()
    done, job = run(orders, kept, [tmp_path / "a", tmp_path / "b"])

    assert done
    assert job.progress.faults == {str(tmp_path / "a"): "Input/output error"}
    assert kept.numbers() == [1]


def test_a_file_replaced_meanwhile_is_told(orders: Orders, tmp_path: Path) -> None:
    """What was read cannot be joined to other content (hazard 1.5)."""
    path = tmp_path / "a"
    path.write_bytes(CONTENT)
    kept = Kept()
    kept.on_record = lambda: path.write_bytes(b"other\n" * LINES)
    _, job = run(orders, kept, [path])

    assert "its content was replaced meanwhile" in job.progress.faults[str(path)]


def test_what_is_no_text_is_left_out_unless_it_is_named(orders: Orders, tmp_path: Path) -> None:
    """A directory holds databases and records of logins too; a log that begins with NULs is a log (hazard 1.4)."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "wtmp").write_bytes(b"\x02\0\0\0ERROR 1\0\0\0\n" * 100)
    (logs / "a.log").write_bytes(b"\0" * 5000 + b"\nERROR 2\n")
    kept = Kept()
    _, job = run(orders, kept, [logs])
    assert job.progress.binary == [str(logs / "wtmp")]
    assert kept.numbers() == [2]

    _, job = run(orders, kept, [logs / "wtmp"])
    assert (job.progress.binary, kept.numbers()[1:]) == ([], [1] * 100)


def test_again_is_progress_of_its_own(orders: Orders, tmp_path: Path) -> None:
    """A run that is to send everything again begins at the beginning, and can be stopped like any other."""
    path = tmp_path / "a.log"
    path.write_bytes(CONTENT)
    kept = Kept()
    run(orders, kept, [path])
    again = dataclasses.replace(orders, again=1)
    stop = threading.Event()
    kept.on_record = stop.set
    run(again, kept, [path], stop=stop)
    kept.on_record = lambda: None
    run(again, kept, [path])

    assert kept.numbers() == 2 * list(range(LINES))
