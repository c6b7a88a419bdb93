"""What a damaged store still gives: sound rows, no made-up ones, and no position without its events (hazard 5.3).

`SHIPPER_EXHAUSTIVE=1` cuts and flips at every byte instead of at a sample of them.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipper.errors import StateError, StoreDamagedError
from shipper.events import Checkpoint, FileIdentity, Fingerprint, LineState, Loss
from shipper.outbox import opening, schema
from shipper.outbox.dead_letters import Refusal
from shipper.outbox.store import Store
from tests.outbox.test_store import encode, event

EXHAUSTIVE = bool(os.environ.get("SHIPPER_EXHAUSTIVE"))
PAGE = 4096


def position(number: int, offset: int | None = None) -> Checkpoint:
    offset = 1000 + number if offset is None else offset
    return Checkpoint(
        FileIdentity(2**63 + 5, 100 + number, 7),
        f"/var/log/{number:06}/\udcff.log",
        "app",
        offset,
        Fingerprint(min(offset, 1024), number.to_bytes(16, "big")),
        Fingerprint(min(offset, 256), number.to_bytes(16, "little")),
        LineState.TAKEN if number % 2 else LineState.START,
        1700000000123456789 + number,
        1.5 if number % 5 == 0 else None,
        number % 10 == 0,
    )


@dataclass(frozen=True, slots=True)
class Content:
    """All that a store holds."""

    files: frozenset[Checkpoint]
    past: tuple[Checkpoint, ...]
    sources: dict[str, tuple[str, ...]]
    losses: dict[tuple[str, str], int]
    read: int
    events: dict[str, bytes]
    dead: int


def content(store: Store) -> Content:
    return Content(
        frozenset(store.checkpoints()),
        tuple(store.past()),
        store.scanned_sources(),
        store.losses(),
        store.bytes_read(),
        {waiting.event_id: waiting.payload for waiting in store.next_events(1_000_000)},
        store.dead_letters.count(),
    )


def fill(store: Store, files: int, events: int, past: int = 0, dead: int = 3) -> Content:
    store.record([], [event(n) for n in range(dead)])
    for waiting in store.next_events(dead):
        store.bury(waiting, Refusal("400", "no", "r"), limit=1000)
    store.record(
        [position(n) for n in range(files)],
        [event(1000 + n, f"rule {n % 3}") for n in range(events)],
        losses=[Loss("bytes", "nul", 3), Loss("events", "queue_full", 4)],
        scanned={"app": ["/var/log/**/*.log"], "other": ["/o/*"]},
        past={f"/var/log/{n:06}.log": [position(n, 70), position(n, 80)] for n in range(past)},
        read=12345,
    )
    return content(store)


def page_with(file: Path, *words: bytes) -> int:
    """Give the first page that holds all of some words."""
    data = file.read_bytes()
    pages = [n for n in range(len(data) // PAGE) if all(word in data[n * PAGE : (n + 1) * PAGE] for word in words)]
    return pages[0]


def overwrite(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(data)


def destroy(file: Path, *pages: int) -> None:
    for page in pages:
        overwrite(file, page * PAGE, b"\xff" * PAGE)


def opened(directory: Path) -> Content:
    with closing(Store(directory, encode)) as store:
        return content(store)


def rewound(files: Iterable[Checkpoint]) -> dict[FileIdentity, str]:
    """What has to be there of files that are read again: whose content it is, not how far it was read."""
    return {file.identity: file.path for file in files if not file.finished}


def sizes(kept: Content) -> list[int]:
    return [len(kept.files), len(kept.past), len(kept.events), len(kept.sources), kept.dead, len(kept.losses)]


def assert_honest(kept: Content, written: Content, altered: int = 0) -> None:
    """Assert that nothing was made up, but for some rows, and that no offset passes a missing event (I2)."""
    if any(file.offset for file in kept.files):
        assert len(kept.events) == len(written.events)
        strange = len(kept.files - written.files) + len(set(kept.past) - set(written.past))
    else:
        strange = len(rewound(kept.files).items() - rewound(written.files).items())
    strange += len(kept.events.items() - written.events.items())
    strange += len(kept.sources.items() - written.sources.items())
    losses = {loss: n for loss, n in kept.losses.items() if loss != ("events", "store_damaged")}
    strange += len(losses.items() - written.losses.items())
    strange += kept.read not in {0, written.read}
    assert strange <= altered
    assert kept.dead <= written.dead


@pytest.fixture
def written(tmp_path: Path) -> Content:
    """A store of some dozens of pages, closed."""
    with closing(Store(tmp_path, encode)) as store:
        return fill(store, files=120, events=120, past=30)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Content]:
    """A store as small as they come, closed; not to be changed."""
    directory = tmp_path_factory.mktemp("small")
    with closing(Store(directory, encode)) as store:
        return directory / "shipper.db", fill(store, files=3, events=3, past=1)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Content]:
    """A store whose process was killed: most of it is in the write-ahead log; not to be changed."""
    directory = tmp_path_factory.mktemp("killed")
    left = tmp_path_factory.mktemp("left")
    with closing(Store(directory, encode)) as store:
        written = fill(store, files=30, events=30, past=3)
        for part in ("", "-wal"):
            shutil.copy(directory / f"shipper.db{part}", left)
    return left / "shipper.db", written


def copies(store: Path, directory: Path, number: int) -> Path:
    """Copy a store with its log into a directory of its own."""
    target = directory / str(number)
    target.mkdir()
    for part in store.parent.glob("shipper.db*"):
        shutil.copy(part, target)
    return target / "shipper.db"


def places(size: int, amount: int, seed: int) -> Iterator[int]:
    """Give every place up to a size, or a sample that holds SQLite's header and the borders of pages."""
    if EXHAUSTIVE:
        yield from range(size)
        return
    header = set(range(min(100, size)))
    borders = {n for page in range(0, size, PAGE) for n in (page - 1, page, page + 1) if 0 <= n < size}
    yield from sorted(header | borders | set(random.Random(seed).sample(range(size), min(size, amount))))


DAMAGES = {
    "nul": (0, bytes(PAGE)),
    "ff": (0, b"\xff" * PAGE),
    "random": (0, random.Random(1).randbytes(PAGE)),
    "head": (0, bytes(PAGE // 2)),
    "tail": (PAGE // 2, bytes(PAGE // 2)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_one_page_costs_its_own_rows_only(tmp_path: Path, written: Content, damage: str) -> None:
    """Whatever page it is: none is made up, most are kept, and all are read again when an event is missing."""
    store = tmp_path / "shipper.db"
    for page in range(store.stat().st_size // PAGE):
        file = copies(store, tmp_path, page)
        start, data = DAMAGES[damage]
        overwrite(file, page * PAGE + start, data)
        kept = opened(file.parent)
        # a page written by halves may cut a row in two, and what is left of it may pass
        assert_honest(kept, written, altered=damage == "tail")
        # a page is a leaf here, or the one from which a table's leaves are reached: those are few
        expected = written
        if len(kept.events) < len(written.events):
            expected = replace(written, files=frozenset(f for f in written.files if not f.finished), past=())
        assert [a < b for a, b in zip(sizes(kept), sizes(expected), strict=True)].count(True) <= 1
        assert list(file.parent.glob("shipper.db.corrupt-*")) or kept == written


def test_cut_anywhere_it_opens_and_makes_nothing_up(tmp_path: Path, small: tuple[Path, Content]) -> None:
    """Truncated at every byte: set aside and said, or nothing was missing."""
    store, written = small
    for size in places(store.stat().st_size, 40, seed=5):
        file = copies(store, tmp_path, size)
        os.truncate(file, size)
        assert_honest(opened(file.parent), written)
        shutil.rmtree(file.parent)


def test_a_flipped_bit_anywhere_costs_one_row_at_most_its_truth(tmp_path: Path, small: tuple[Path, Content]) -> None:
    """Refused as of a newer version, or opened: SQLite has no checksums, so one value may be another one, never two."""
    store, written = small
    chance = random.Random(6)
    for place in places(store.stat().st_size, 250, seed=7):
        file = copies(store, tmp_path, place)
        data = file.read_bytes()
        overwrite(file, place, bytes([data[place] ^ 1 << chance.randrange(8)]))
        try:
            kept = opened(file.parent)
        except StateError as error:
            # the four bytes of its version
            assert place in range(60, 64), error  # noqa: PT017
        else:
            assert_honest(kept, written, altered=1)
        shutil.rmtree(file.parent)


@pytest.mark.parametrize("page", [b"", bytes(PAGE), b"\xff" * PAGE], ids=["whole", "nul", "ff"])
def test_what_is_in_the_log_only_is_kept(tmp_path: Path, killed: tuple[Path, Content], page: bytes) -> None:
    """Also when the database itself lacks its first page, or all pages (hazard 5.3)."""
    store, written = killed
    for number, size in enumerate((store.stat().st_size, PAGE, 0)):
        file = copies(store, tmp_path, number)
        os.truncate(file, size)
        overwrite(file, 0, page[:size])
        kept = opened(file.parent)
        assert_honest(kept, written)
        assert len(kept.events) == len(written.events)
        assert kept.files == written.files


def test_a_log_cut_or_flipped_anywhere_undoes_whole_commits(tmp_path: Path) -> None:
    """An offset never passes an event that is not there (I2)."""
    (tmp_path / "a").mkdir()
    left = tmp_path / "left"
    left.mkdir()
    with closing(Store(tmp_path / "a", encode)) as store:
        for number in range(1, 9):
            store.record([position(1, number * 100)], [event(number)])
        for part in ("", "-wal"):
            shutil.copy(tmp_path / "a" / f"shipper.db{part}", left)
    size = (left / "shipper.db-wal").stat().st_size
    for place in places(size, 40, seed=8):
        for cut in (False, True):
            file = copies(left / "shipper.db", tmp_path, place)
            wal = file.with_name("shipper.db-wal")
            if cut:
                os.truncate(wal, place)
            else:
                overwrite(wal, place, bytes([wal.read_bytes()[place] ^ 0x10]))
            kept = opened(file.parent)
            offset = max((file.offset for file in kept.files), default=0)
            assert kept.events.keys() >= {f"{number:032x}" for number in range(1, offset // 100 + 1)}
            shutil.rmtree(file.parent)


@pytest.fixture
def big(tmp_path: Path) -> Content:
    """A store of thousands of rows, closed."""
    with closing(Store(tmp_path, encode)) as store:
        return fill(store, files=4000, events=4000, past=500, dead=500)


def test_a_big_store_keeps_all_positions_but_those_on_the_damaged_pages(tmp_path: Path, big: Content) -> None:
    """Two pages of files far from each other: what lies before, between and behind them is kept, and every event."""
    file = tmp_path / "shipper.db"
    destroy(file, *(page_with(file, b"/var/log/%06d/" % n, b"/var/log/%06d/" % (n + 1)) for n in (1100, 3100)))
    kept = opened(tmp_path)

    assert_honest(kept, big)
    assert len(big.files) - 100 < len(kept.files) < len(big.files)
    assert (kept.events, kept.past, kept.dead) == (big.events, big.past, big.dead)
    assert (kept.losses, kept.read, kept.sources) == (big.losses, big.read, big.sources)


def test_a_missing_event_is_made_again(tmp_path: Path, big: Content, caplog: pytest.LogCaptureFixture) -> None:
    """All other events are kept, and every file is known and read again from 0: duplicates rather than loss (I2)."""
    file = tmp_path / "shipper.db"
    destroy(file, *(page_with(file, b"content %d" % n) for n in (1500, 2500, 4500)))
    kept = opened(tmp_path)

    assert_honest(kept, big)
    assert len(big.events) - 300 < len(kept.events) < len(big.events)
    assert rewound(kept.files) == rewound(big.files)
    missing = len(big.events) - len(kept.events)
    assert f"waiting events may be missing ({missing} are missing by their numbers)" in caplog.text
    assert "all files are read again from their beginning" in caplog.text
    assert kept.losses == big.losses


def test_missing_dead_letters_are_counted_as_lost(
    tmp_path: Path, big: Content, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody makes them again, so the ledger says how many (I1); positions stay."""
    file = tmp_path / "shipper.db"
    destroy(file, page_with(file, b"content 250", b"400"))
    kept = opened(tmp_path)

    assert 0 < kept.dead < big.dead
    assert kept.losses == {**big.losses, ("events", "store_damaged"): big.dead - kept.dead}
    assert (kept.files, kept.events, kept.past) == (big.files, big.events, big.past)
    assert f"{big.dead - kept.dead} dead letters are missing by their numbers" in caplog.text


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_a_store_of_an_older_version_is_salvaged_too(tmp_path: Path, version: int) -> None:
    """What its version did not know is as a migration would have made it (hazards 5.3, 10.4)."""
    file = tmp_path / "shipper.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as run:
        for statements in schema.MIGRATIONS[:version]:
            for statement in statements:
                run.execute(statement)
        run.execute(f"PRAGMA user_version = {version}")
        run.execute("BEGIN")
        for n in range(300):
            row = (1, n, 0, b"/var/log/%06d" % n, "app", 5, 5, b"h", 5, b"g", 0)
            names = "device, inode, generation, path, source, offset, head_length, head_digest, guard_length"
            run.execute(f"INSERT INTO files ({names}, guard_digest, line) VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)
        run.execute("INSERT INTO outbox (rule, event_id, payload) VALUES ('r', 'i', x'61')")
        run.execute("COMMIT")
    destroy(file, page_with(file, b"/var/log/000150"))
    kept = opened(tmp_path)

    assert 150 < len(kept.files) < 300
    expected = {
        Checkpoint(FileIdentity(1, n), f"/var/log/{n:06}", "app", 5, Fingerprint(5, b"h"), Fingerprint(5, b"g"))
        for n in range(300)
    }
    assert kept.files < expected
    assert kept.events == {"i": b"a"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE files SET line = 9 WHERE inode = 101",
        "UPDATE files SET path = x'2f6100' WHERE inode = 101",
        "UPDATE files SET guard_length = 2000 WHERE inode = 101",
        "UPDATE files SET head_length = 1 << 40 WHERE inode = 101",
        "UPDATE files SET source = CAST(x'ff' AS TEXT) WHERE inode = 101",
        "UPDATE files SET offset = 'x' WHERE inode = 101",
        "UPDATE sources SET globs = 'x' WHERE name = 'other'",
        "UPDATE counters SET amount = -1",
        "UPDATE losses SET amount = x'00' WHERE reason = 'nul'",
    ],
)
def test_what_was_never_written_is_not_believed(tmp_path: Path, written: Content, damage: str) -> None:
    """Pages that are sound and a value that cannot be: one row is dropped, no start fails on it."""
    with closing(sqlite3.connect(tmp_path / "shipper.db")) as run:
        assert run.execute(damage).rowcount == 1
        run.commit()
    kept = opened(tmp_path)

    assert_honest(kept, written)
    assert kept.events == written.events
    assert len(written.files) - len(kept.files) == damage.startswith("UPDATE files")
    assert len(written.past) == len(kept.past)
    assert (kept.read == 0) == ("counters" in damage)
    assert list(tmp_path.glob("shipper.db.corrupt-*"))


@pytest.mark.parametrize("byte", [18, 19])
def test_a_format_that_sqlite_would_not_write_is_damage(tmp_path: Path, written: Content, byte: int) -> None:
    """Else it opens, and every write of the agent fails for ever."""
    overwrite(tmp_path / "shipper.db", byte, b"\x12")

    assert opened(tmp_path) == written
    assert list(tmp_path.glob("shipper.db.corrupt-*"))


def test_events_that_are_hidden_by_their_pages_count_are_missed(tmp_path: Path, written: Content) -> None:
    """A page that says it has fewer rows reads without an error: positions count only if all pages add up (I2)."""
    file = tmp_path / "shipper.db"
    page = page_with(file, b"content 1050")
    rows = int.from_bytes(file.read_bytes()[page * PAGE + 3 :][:2], "big")
    overwrite(file, page * PAGE + 3, (rows - 5).to_bytes(2, "big"))
    kept = opened(tmp_path)

    assert len(kept.events) == len(written.events) - 5
    assert rewound(kept.files) == rewound(written.files)
    assert_honest(kept, written)


def test_rows_in_disorder_are_read_in_bounded_time(tmp_path: Path, big: Content) -> None:
    """The rows of every page are in the reverse order of their keys: no search between two of them goes on for ever."""
    file = tmp_path / "shipper.db"
    data = bytearray(file.read_bytes())
    for start in range(PAGE, len(data), PAGE):
        if data[start] == 13:
            end = start + 8 + 2 * int.from_bytes(data[start + 3 : start + 5], "big")
            cells = [data[place : place + 2] for place in range(start + 8, end, 2)]
            data[start + 8 : end] = b"".join(reversed(cells))
    file.write_bytes(data)
    destroy(file, *(page_with(file, b"content %d" % n) for n in (1500, 2500, 4500)))
    kept = opened(tmp_path)

    assert_honest(kept, big)
    assert kept.files
    assert rewound(kept.files) == rewound(big.files)


def test_events_between_unreadable_ends_are_found(tmp_path: Path, big: Content) -> None:
    """The first page and the last one are gone: their numbers say where to look for the others."""
    file = tmp_path / "shipper.db"
    destroy(file, page_with(file, b"content 1000"), page_with(file, b"content 4999"))
    kept = opened(tmp_path)

    assert_honest(kept, big)
    assert len(big.events) - 250 < len(kept.events) < len(big.events)


def test_an_event_written_by_halves_is_none(tmp_path: Path, written: Content) -> None:
    """NULs in it tell: it is not sent as what it is not, and its line is read again."""
    file = tmp_path / "shipper.db"
    overwrite(file, file.read_bytes().index(b"content 1050") + 5, bytes(7))
    kept = opened(tmp_path)

    assert len(kept.events) == len(written.events) - 1
    assert rewound(kept.files) == rewound(written.files)
    assert_honest(kept, written)


def test_a_store_that_was_rebuilt_by_hand_is_salvaged_by_its_own_first_page(tmp_path: Path, written: Content) -> None:
    """Its tables begin elsewhere than in every store, which may be damage: all is kept, and files are read again."""
    file = tmp_path / "shipper.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as run:
        dump = [line for line in run.iterdump() if "sqlite_sequence" not in line]
    file.unlink()
    with closing(sqlite3.connect(file, isolation_level=None)) as run:
        run.execute("CREATE TABLE own (a)")
        run.executescript("\n".join(dump))
        run.execute(f"PRAGMA user_version = {schema.VERSION}")
    destroy(file, page_with(file, b"queue_full"))
    kept = opened(tmp_path)

    assert (kept.events, kept.sources) == (written.events, written.sources)
    assert rewound(kept.files) == rewound(written.files)
    assert_honest(kept, written)
    assert {file.offset for file in kept.files} == {0}


@pytest.mark.parametrize("word", [b"modified", b"finished", b"gone_at", b"event_id", b"amount"])
def test_a_column_of_another_name_is_not_left_out(tmp_path: Path, written: Content, word: bytes) -> None:
    """Its rows are not taken for those of an older version, which did not have it."""
    file = tmp_path / "shipper.db"
    data = file.read_bytes()
    file.write_bytes(data[:PAGE].replace(word, b"x" + word[1:]) + data[PAGE:])

    assert opened(tmp_path) == written
    assert list(tmp_path.glob("shipper.db.corrupt-*"))


def test_words_about_damage_that_are_no_text_are_no_crash(tmp_path: Path, written: Content) -> None:
    """SQLite tells the name of the table that it cannot read, whatever became of it."""
    file = tmp_path / "shipper.db"
    data = file.read_bytes()
    first = data[:PAGE].replace(b"tablefiles", b"tablefil\xc5s").replace(b"CREATE TABLE files", b"CREATE TABXE files")
    file.write_bytes(first + data[PAGE:])

    assert opened(tmp_path) == written
    assert list(tmp_path.glob("shipper.db.corrupt-*"))


@pytest.mark.parametrize(
    "damage",
    ["PRAGMA user_version = 0", "PRAGMA user_version = 3", "ALTER TABLE files RENAME COLUMN guard_length TO g"],
)
def test_tables_that_are_not_those_of_the_version_are_damage(tmp_path: Path, written: Content, damage: str) -> None:
    """No migration is tried on them, and no start fails on them again and again."""
    with closing(sqlite3.connect(tmp_path / "shipper.db")) as run:
        run.execute(damage)
        run.commit()

    assert opened(tmp_path) == written
    assert list(tmp_path.glob("shipper.db.corrupt-*"))
    assert not list(tmp_path.glob("shipper.db.v*"))


def test_a_position_that_nothing_proves_is_dropped(tmp_path: Path, written: Content) -> None:
    """In a damaged store a short guard may confirm a wrong offset: such a file is read from 0 (hazard 1.3)."""
    file = tmp_path / "shipper.db"
    with closing(Store(tmp_path, encode)) as store:
        doubtful = Checkpoint(FileIdentity(1, 1), "/a", "app", 900, Fingerprint(9, b"h"), Fingerprint(9, b"g"))
        short = Checkpoint(FileIdentity(1, 2), "/b", "app", 9, Fingerprint(9, b"h"), Fingerprint(9, b"g"))
        early = Checkpoint(
            FileIdentity(1, 3), "/c", "app", 0, Fingerprint(0, b"h"), Fingerprint(0, b"g"), finished=True
        )
        store.record([doubtful, short, early])
    destroy(file, page_with(file, b"queue_full"))

    assert opened(tmp_path).files == written.files | {short}


@pytest.mark.parametrize("damage", [b"", bytes(8192), b"not a database at all" * 500], ids=["empty", "nul", "text"])
def test_what_is_no_database_gives_nothing(tmp_path: Path, written: Content, damage: bytes) -> None:
    """It is kept, and positions count as lost until the sources are known, also for a process that comes later."""
    file = tmp_path / "shipper.db"
    file.write_bytes(damage)
    Store(tmp_path, encode).close()
    with closing(Store(tmp_path, encode)) as store:
        assert content(store) == Content(frozenset(), (), {}, {}, 0, {}, 0)
        assert store.begun_anew
        store.know({"app": ["/var/log/*"]})
    with closing(Store(tmp_path, encode)) as store:
        assert not store.begun_anew
        assert store.scanned_sources() == {"app": ("/var/log/*",)}
    (aside,) = tmp_path.glob("shipper.db.corrupt-*")
    assert aside.read_bytes() == damage


def test_a_directory_in_its_place_is_one_clear_message(tmp_path: Path) -> None:
    """It is nobody's store: it is left alone."""
    (tmp_path / "shipper.db").mkdir()

    with pytest.raises(StateError, match=r"cannot be opened: .*[Dd]irectory"):
        Store(tmp_path, encode)
    assert [path.name for path in tmp_path.iterdir()] == ["shipper.db"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written_is_one_clear_message(tmp_path: Path, written: Content) -> None:
    """It is not damaged: it is left alone."""
    (tmp_path / "shipper.db").chmod(0o400)

    with pytest.raises(StateError, match="cannot be opened"):
        Store(tmp_path, encode)
    assert not list(tmp_path.glob("shipper.db.corrupt-*"))


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("damaged", [False, True])
def test_ended_anywhere_the_next_start_has_all_of_it(
    tmp_path: Path, killed: tuple[Path, Content], damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any of the renames, a log beside it: nothing is saved by halves, and nothing is left over (hazard 5.3)."""
    store, written = killed
    for steps in range(10):
        directory = tmp_path / str(steps)
        if damaged:
            os.truncate(copies(store, tmp_path, steps), 0)
        else:
            directory.mkdir()
        ended = end_before(steps, directory, monkeypatch)
        with closing(Store(directory, encode)) as again:
            assert again.begun_anew == damaged
            assert content(again).files == (written.files if damaged else set())
            assert {stat.S_IMODE(path.stat().st_mode) for path in directory.glob("shipper.db")} == {0o600}
        left = {path.name.split("-")[0] for path in directory.iterdir()}
        assert left == ({"shipper.db", "shipper.db.corrupt"} if damaged else {"shipper.db"})
        if not ended:
            break
    assert steps == (4 if damaged else 2)


def end_before(steps: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Open a store in a process that dies before one of its renames; tells whether it came to that."""
    left = steps
    rename = opening._rename

    def mortal(file: Path, name: Path) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        rename(file, name)

    with monkeypatch.context() as patch:
        patch.setattr(opening, "_rename", mortal)
        try:
            Store(directory, encode).close()
        except Killed:
            return True
    return False


def test_a_log_without_its_database_is_not_taken_for_a_new_ones(tmp_path: Path, killed: tuple[Path, Content]) -> None:
    """Somebody removed the database alone: SQLite would play the old log into the new one."""
    shutil.copy(killed[0].with_name("shipper.db-wal"), tmp_path)

    assert opened(tmp_path).events == {}
    assert [path.suffix for path in tmp_path.glob("*corrupt*")]


def test_damage_that_comes_to_light_later_is_no_failing_disk(tmp_path: Path, written: Content) -> None:
    """It is said as what it is, nothing is changed any more, and the next opening salvages."""
    file = tmp_path / "shipper.db"
    with closing(Store(tmp_path, encode)) as store:
        destroy(file, page_with(file, b"content 1050"))
        with closing(sqlite3.connect(file)) as other:
            # what the store has in memory is void from here on
            other.execute("INSERT INTO counters VALUES ('other', 1)")
            other.commit()
        with pytest.raises(StoreDamagedError, match="is damaged: database disk image is malformed"):
            store.next_events(1000)
        with pytest.raises(StoreDamagedError):
            store.drop_oldest(0)
    kept = opened(tmp_path)

    assert_honest(kept, written)
    assert 0 < len(kept.events) < len(written.events)


def test_the_store_of_a_backfill_is_salvaged_alike(tmp_path: Path) -> None:
    """Under its own name."""
    with closing(Store(tmp_path, encode, "backfill.db")) as store:
        written = fill(store, files=5, events=5)
    destroy(tmp_path / "backfill.db", page_with(tmp_path / "backfill.db", b"queue_full"))
    with closing(Store(tmp_path, encode, "backfill.db")) as store:
        kept = content(store)

    assert (kept.files, kept.events) == (written.files, written.events)
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"backfill.db", "backfill.db.corrupt"}
