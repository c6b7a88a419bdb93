"""Backfill with real processes: what lies there becomes acknowledged events, once, also through kills."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import STARTED, Host, journal
from tests.tailing.archiving import KINDS, PACK, SUFFIX


def backfill(host: Host, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "shipper", "backfill", "-c", str(host.config), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=host.root,
    )
    STARTED.append(process)
    return process


def run(host: Host, *arguments: str) -> tuple[int, str, str]:
    process = backfill(host, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def numbers(host: Host) -> list[int]:
    return sorted(int(str(event["content"]).split()[1]) for event in journal(host.root / "accepted.jsonl"))


def fill(host: Host) -> list[int]:
    """A directory as logrotate leaves it: the log, a plain and a compressed generation."""
    host.write("a.log", *(f"ERROR {n}" for n in range(200, 300)))
    host.write("a.log.1", *(f"ERROR {n}" for n in range(100, 200)))
    lines = "".join(f"ERROR {n}\n" for n in range(100)).encode()
    (host.logs / "a.log.2.gz").write_bytes(gzip.compress(lines))
    return list(range(300))


def test_a_directory_is_shipped_once(host: Host, emulator: Emulator) -> None:
    """Plain and gzip files; a repeated command sends nothing; `--restart` sends again."""
    expected = fill(host)
    code, _, err = run(host, str(host.logs))
    assert (code, numbers(host)) == (0, expected), err
    assert "3 files read, 0 of them had been done before. 300 events acknowledged." in err
    code, out, _ = run(host, str(host.logs), "--json")
    summary = json.loads(out)
    assert (code, summary["files_done_before"], summary["events"]) == (0, 3, 0)
    assert numbers(host) == expected
    code, _, _ = run(host, str(host.logs / "a.log"), "--restart")

    assert (code, len(numbers(host))) == (0, 400)
    assert emulator.violations == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_archive_is_shipped_once(host: Host, kind: str) -> None:
    """.gz, .bz2, .xz and .zst, also cut short: what is there is shipped, what is missing said (hazard 1.12)."""
    lines = "".join(f"ERROR {n}\n" for n in range(100)).encode()
    path = host.logs / f"a.log.1{SUFFIX[kind]}"
    path.write_bytes(PACK[kind](lines[: len(lines) // 2]) + PACK[kind](lines[len(lines) // 2 :]))
    code, _, err = run(host, str(path))
    assert (code, numbers(host)) == (0, list(range(100))), err
    with path.open("ab") as file:
        file.write(PACK[kind](b"ERROR 100\n") + PACK[kind](b"ERROR 101\n")[:-4])
    code, _, err = run(host, str(path))

    assert code == 1
    assert f"it ends in the middle of its {kind} content" in err
    assert numbers(host) in ([*range(101)], [*range(102)])


def test_dry_run_and_output_send_nothing(host: Host, emulator: Emulator) -> None:
    """They tell, or write, what would be sent."""
    expected = fill(host)
    code, _, err = run(host, str(host.logs), "--dry-run")
    assert code == 0
    assert "300 events found, none was sent." in err
    assert "300  numbered" in err
    code, _, _ = run(host, str(host.logs), "--output", str(host.root / "events.jsonl"))
    written = [json.loads(line) for line in (host.root / "events.jsonl").read_text().splitlines()]

    assert code == 0
    assert sorted(int(event["content"].split()[1]) for event in written) == expected
    assert emulator.stats().requests == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_at_any_time_the_same_command_goes_on(host: Host, how: int) -> None:
    """After SIGKILL at least once; after SIGINT or SIGTERM what is left follows, each once."""
    lines = "".join(f"ERROR {n}\nsomething else that nobody looks for\n" for n in range(3000)).encode()
    (host.logs / "a.log.1.gz").write_bytes(gzip.compress(lines))
    host.write("a.log", *(f"ERROR {n}" for n in range(3000, 6000)))
    process = backfill(host, str(host.logs))
    eventually(lambda: journal(host.root / "accepted.jsonl"))
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    if how != signal.SIGKILL:
        assert process.returncode == 128 + how
        assert "Start the same command again" in err
    code, _, err = run(host, str(host.logs))

    assert code == 0, err
    assert sorted(set(numbers(host))) == list(range(6000))
    if how != signal.SIGKILL:
        assert len(numbers(host)) == 6000


def test_it_runs_beside_the_agent_and_leaves_its_offsets_alone(host: Host) -> None:
    """Its own store and lock; a second backfill is refused."""
    host.config.write_text(host.config.read_text().replace('start_at = "beginning"', 'start_at = "end"'))
    fill(host)
    host.start()
    code, _, err = run(host, str(host.logs / "a.log"))
    assert code == 0, err
    host.write("a.log", "ERROR 999")
    eventually(lambda: 999 in numbers(host))

    assert host.stop() == 0
    assert len(numbers(host)) == 101


def test_wrong_use_is_one_message(host: Host) -> None:
    """A path that is not there, a source that is not there, a damaged file: said, with the spec's exit codes."""
    code, _, err = run(host, str(host.root / "missing.log"))
    assert code == 2
    assert "missing.log: no such file" in err
    host.write("a.log", "ERROR 1")
    code, _, err = run(host, str(host.logs), "--source", "shop")
    assert code == 2
    assert "there is no such source; configured are: app" in err
    (host.logs / "b.log.gz").write_bytes(gzip.compress(b"nothing of note\n" * 100_000)[:-100])
    code, _, err = run(host, str(host.logs))
    assert code == 1
    assert "b.log.gz: damaged after" in err
    assert "Traceback" not in err


def test_rules_for_other_sources_are_named(host: Host) -> None:
    """A file outside the configured globs takes only rules without `sources`, and the others are told."""
    host.rules.write_text(
        host.rules.read_text() + "\n[[rule]]\nid = 'bound'\nsources = ['app']\nmatch = 'ERROR'\nevent = 'E'\n"
    )
    other = host.root / "other.txt"
    other.write_text("ERROR 5\n")
    code, _, err = run(host, str(other))

    assert code == 0
    assert "belong to no configured source" in err
    assert "bound" in err
    assert numbers(host) == [5]


def test_the_agent_s_events_go_before_those_of_a_backfill_beside_it(tmp_path: Path) -> None:
    """Both share the account's requests, so that hardly one is refused; the backfill has one in ten, then the rest."""
    count = 4000
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        host = Host(tmp_path, emulator)
        old = tmp_path / "old"
        old.mkdir()
        (old / "past.log").write_text("".join(f"ERROR {n}\n" for n in range(count, 2 * count)))
        host.start()
        host.write("now.log", *(f"ERROR {n}" for n in range(count)))
        eventually(lambda: journal(tmp_path / "accepted.jsonl"))
        code, _, err = run(host, str(old))
        assert code == 0, err
        assert host.stop() == 0
        stats = emulator.stats()

    files = [str(event["content"]).split()[0] for event in journal(tmp_path / "accepted.jsonl")]
    assert files.count("now.log") == files.count("past.log") == count
    while_both = files[files.index("past.log") : len(files) - files[::-1].index("now.log")]
    assert while_both.count("past.log") < 0.35 * len(while_both)
    assert stats.throttled <= 0.1 * stats.requests
