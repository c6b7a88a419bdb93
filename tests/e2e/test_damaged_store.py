"""Real processes whose store is damaged: while they are down, and while they run (hazard 5.3)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator.server import Emulator
from shipper.cloudmonitor.emulator.settings import Settings
from tests.conftest import eventually
from tests.e2e.host import Host, journal
from tests.e2e.test_backfill import fill, run
from tests.e2e.test_backfill import numbers as shipped

PAGE = 4096


def numbers(host: Host) -> list[int]:
    return [int(str(event["content"]).split()[1]) for event in journal(host.root / "accepted.jsonl")]


def errors(*numbers: int) -> list[str]:
    return [f"ERROR {number}" for number in numbers]


def destroy(host: Host, table: str, name: str = "shipper.db") -> None:
    """Overwrite the page that a table begins with."""
    file = host.root / "state" / name
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as run:
        (page,) = run.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * PAGE)
        opened.write(b"\xff" * PAGE)


@pytest.mark.parametrize("table", ["sources", "losses", "counters", "past", "dead_letters"])
def test_with_its_positions_saved_nothing_is_lost_and_nothing_repeated(host: Host, table: str) -> None:
    """Lines written while it was down arrive, those before are not read again, and the log says what happened."""
    host.write("a.log", *errors(1, 2))
    host.write("b.log", *errors(3))
    host.start()
    eventually(lambda: sorted(numbers(host)) == [1, 2, 3])
    assert host.stop() == 0
    destroy(host, table)
    host.write("a.log", *errors(4))
    host.write("c.log", *errors(5))
    host.start()
    eventually(lambda: len(numbers(host)) == 5)
    host.write("b.log", *errors(6))
    eventually(lambda: len(numbers(host)) == 6)

    assert host.stop() == 0
    assert sorted(numbers(host)) == [1, 2, 3, 4, 5, 6]
    said = [line for line in host.log.read_text().splitlines() if "is set aside as" in line]
    assert len(said) == 1
    assert "2 positions, 0 waiting events, 0 dead letters are saved from it" in said[0]
    assert f"Not all could be read of: {table.replace('_', ' ')}." in said[0]
    assert len(list((host.root / "state").glob("shipper.db.corrupt-*"))) == 1


def test_waiting_events_that_are_gone_are_made_again(tmp_path: Path) -> None:
    """From the beginning of every file, also of one that was rotated out of the globs meanwhile (I2)."""
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        port = int(emulator.url.rsplit(":", 1)[1])
        host = Host(tmp_path, emulator)
    host.config.write_text(host.config.read_text().replace('drain_timeout = "20s"', 'drain_timeout = "100ms"'))
    host.write("a.log", *errors(*range(100)))
    host.write("b.log", *errors(*range(100, 200)))
    host.start()
    eventually(lambda: "cannot be delivered" in host.log.read_text())
    assert host.stop() == 0
    assert "200 wait in the store" in host.log.read_text()
    destroy(host, "outbox")
    host.rename("a.log")
    host.write("a.log", *errors(200))
    with Emulator(Settings(store=tmp_path / "accepted.jsonl", port=port)):
        host.start()
        eventually(lambda: set(numbers(host)) == set(range(201)))
        assert host.stop() == 0
    assert "all files are read again from their beginning" in host.log.read_text()


@pytest.mark.parametrize("content", [b"", bytes(3 * PAGE), b"no database" * PAGE], ids=["empty", "nul", "text"])
def test_without_positions_files_are_read_from_their_beginning(host: Host, content: bytes) -> None:
    """Also where `start_at` is "end", and when the first start after the damage does not come to read anything."""
    host.config.write_text(host.config.read_text().replace('start_at = "beginning"', 'start_at = "end"'))
    host.write("a.log")
    host.start()
    # what is there at the first look counts as read
    eventually(lambda: "a.log from offset 0" in host.log.read_text())
    host.write("a.log", *errors(1, 2))
    eventually(lambda: numbers(host) == [1, 2])
    assert host.stop() == 0
    (host.root / "state" / "shipper.db").write_bytes(content)
    host.write("a.log", *errors(3))
    host.start()
    host.kill()
    host.start()
    eventually(lambda: 3 in numbers(host))

    assert host.stop() == 0
    assert set(numbers(host)) == {1, 2, 3}
    assert host.log.read_text().count("is set aside as") == 1


def test_damage_while_it_runs_ends_the_agent_and_the_next_start_makes_it_good(host: Host) -> None:
    """It does not read on or try for ever: one sentence, exit code 1, and no line is lost."""
    host.write("a.log", *errors(1, 2))
    process = host.start()
    eventually(lambda: numbers(host) == [1, 2])
    with closing(sqlite3.connect(host.root / "state" / "shipper.db", timeout=30)) as other:
        # a page that it had in memory would be written over the damage
        eventually(lambda: other.execute("SELECT count(*) FROM outbox").fetchone() == (0,))
        # what the log holds is not read from the file
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        destroy(host, "outbox")
        # what the agent has in memory of the file is void from here on
        other.execute("INSERT INTO losses VALUES ('bytes', 'nul', 1)")
        other.commit()
    host.write("a.log", *errors(3))
    assert process.wait(60) == 1
    assert host.log.read_text().count("The agent ends; its next start sets the store aside") == 1
    assert "Traceback" not in host.log.read_text()
    host.start()
    eventually(lambda: 3 in numbers(host))

    assert host.stop() == 0
    assert set(numbers(host)) == {1, 2, 3}
    assert host.log.read_text().count("is set aside as") == 1


def test_a_backfill_goes_on_with_what_is_saved_of_its_store(host: Host) -> None:
    """What was shipped is not shipped again, as long as either its positions or its deliveries are known."""
    written = fill(host)
    assert run(host, str(host.logs))[0] == 0
    destroy(host, "losses", "backfill.db")
    code, _, said = run(host, str(host.logs))
    assert (code, shipped(host)) == (0, written)
    assert "3 positions" in said
    destroy(host, "passes", "backfill.db")
    code, _, said = run(host, str(host.logs))
    assert (code, shipped(host)) == (0, written)
    assert "0 positions" in said
    assert f"{len(written)} events had been delivered before" in said
    for table in ("passes", "delivered"):
        destroy(host, table, "backfill.db")
    code, _, said = run(host, str(host.logs))

    assert code == 0
    assert shipped(host) == sorted(written * 2)
