"""Backfill with real processes: what lies there becomes acknowledged events, once, also through kills."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from functools import partial
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


NEW_RULE = """
[[rule]]
id = "even"
match = 'ERROR (?<number>\\\\d*[02468])\\\\b'
event = "EvenError"
content = "{file} {number}"
"""


def test_after_a_rule_was_added_its_events_are_sent_and_no_others(host: Host) -> None:
    """What was judged is not judged again, also after logrotate has renamed and compressed it."""
    expected = fill(host)
    assert run(host, str(host.logs))[0] == 0
    for name, then in (("a.log.2.gz", "a.log.3.gz"), ("a.log.1", "a.log.2"), ("a.log", "a.log.1")):
        (host.logs / name).rename(host.logs / then)
    (host.logs / "a.log.2.gz").write_bytes(gzip.compress((host.logs / "a.log.2").read_bytes()))
    (host.logs / "a.log.2").unlink()
    code, out, _ = run(host, str(host.logs), "--json")
    assert (code, json.loads(out)["events"], json.loads(out)["files_done_before"]) == (0, 0, 3)
    host.rules.write_text(host.rules.read_text() + NEW_RULE.replace("\\\\", "\\"))
    code, out, _ = run(host, str(host.logs), "--json")

    assert (code, json.loads(out)["by_rule"]) == (0, {"even": 150})
    assert numbers(host) == sorted(expected + expected[::2])


def test_what_the_agent_delivered_is_left_out_unless_it_is_asked_for_again(host: Host) -> None:
    """By their ids, also from a compressed copy; `--restart` forgets backfills only."""
    host.write("a.log", *(f"ERROR {n}" for n in range(100)))
    host.start()
    eventually(lambda: len(numbers(host)) == 100)
    host.stop()
    host.write("a.log", *(f"ERROR {n}" for n in range(100, 120)))
    (host.logs / "a.log.1.gz").write_bytes(gzip.compress((host.logs / "a.log").read_bytes()))
    (host.logs / "a.log").unlink()
    code, out, _ = run(host, str(host.logs), "--dry-run", "--json")
    assert (code, json.loads(out)["events"], json.loads(out)["delivered_before"]) == (0, 20, 100)
    code, _, err = run(host, str(host.logs))
    assert code == 0, err
    assert "20 events acknowledged" in err
    assert "100 events had been delivered before and were left out; --again sends them too." in err
    assert numbers(host) == list(range(120))
    code, out, _ = run(host, str(host.logs), "--restart", "--json")
    assert (code, json.loads(out)["events"], json.loads(out)["delivered_before"]) == (0, 20, 100)
    for _ in range(2):
        code, out, _ = run(host, str(host.logs), "--again", "--json")
        assert (code, json.loads(out)["delivered"]) == (0, 120)


def test_a_span_of_time_and_how_long_it_takes(host: Host) -> None:
    """`--since`, `--until`; the dry run tells first and last, and the time under the account's limit."""
    host.write("a.log", *(f"2026-11-{day:02}T10:00:00Z ERROR {day}" for day in range(1, 29)))
    span = "--since", "2026-11-10T00:00:00Z", "--until", "2026-11-12T12:00:00Z"
    code, out, err = run(host, str(host.logs), *span, "--dry-run", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["by_event"] == [
        {
            "rule": "numbered",
            "event": "NumberedError",
            "count": 3,
            "first": "20261110T100000.000+0000",
            "last": "20261112T100000.000+0000",
        }
    ]
    assert (told["requests"], told["seconds_to_send"]) == (1, 0.05)
    assert run(host, str(host.logs), *span)[0] == 0
    assert numbers(host) == [10, 11, 12]
    code, _, err = run(host, str(host.logs), "--since", "soon")
    assert code == 2
    assert "--since: 'soon' is no time: write 2026-11-23" in err
    code, _, err = run(host, str(host.logs), "--since", "2h", "--until", "2026-01-01")
    assert code == 2
    assert "is not before" in err


def test_as_many_events_as_are_wanted(host: Host) -> None:
    """`--max-events`: not one more is sent, and the next run goes on behind the last."""
    expected = fill(host)
    for count in (120, 240, 300):
        code, _, err = run(host, str(host.logs), "--max-events", "120")
        assert code == 0, err
        assert len(numbers(host)) == count
    assert numbers(host) == expected
    code, _, _ = run(host, str(host.logs), "--max-events", "7", "--output", str(host.root / "some.jsonl"))
    assert code == 0
    assert len((host.root / "some.jsonl").read_text().splitlines()) == 7


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_stdin_is_read_as_it_comes(host: Host, kind: str) -> None:
    """Plain and compressed; a repeated command leaves out what was delivered."""
    lines = "".join(f"ERROR {n}\n" for n in range(500)).encode()
    for delivered in (500, 0):
        process = subprocess.run(
            [sys.executable, "-m", "shipper", "backfill", "-c", str(host.config), "-", "--json"],
            input=PACK[kind](lines) if kind else lines,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        told = json.loads(process.stdout)
        assert (told["events"], told["delivered"], told["delivered_before"]) == (delivered, delivered, 500 - delivered)
    assert numbers(host) == list(range(500))


def test_events_of_a_pipe_are_sent_while_it_is_open(host: Host) -> None:
    """Ctrl-C ends it although nothing more comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "shipper", "backfill", "-c", str(host.config), "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=host.root,
    )
    STARTED.append(process)
    assert process.stdin is not None
    process.stdin.write(b"ERROR 1\n")
    process.stdin.flush()
    eventually(lambda: numbers(host) == [1])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"Stopped." in err


@pytest.mark.parametrize("limits", ["", "  [rule.throttle]\n  max = 100000\n  per = '1h'\n"])
def test_killed_again_and_again_on_a_family_with_workers(host: Host, limits: str) -> None:
    """Also those that read: nothing is missing, and nothing comes twice but what was in flight."""
    host.rules.write_text(host.rules.read_text() + limits)
    count = 0
    for number in range(6, -1, -1):
        lines = "".join(f"ERROR {n}\n" + "nobody looks for this\n" * 20 for n in range(count, count + 1500))
        count += 1500
        kind = KINDS[number % len(KINDS)]
        path = host.logs / (f"a.log.{number}{SUFFIX[kind]}" if number else "a.log")
        path.write_bytes(PACK[kind](lines.encode()) if number else lines.encode())
    for kill in range(5):
        process = backfill(host, str(host.logs), "--jobs", "2")
        if kill % 2:
            eventually(partial(has_more_than, host, len(numbers(host)) + 300))
        else:
            eventually(partial(reads_or_has_ended, process))
        workers = children(process.pid)
        process.kill()
        # the workers write there too, so it ends when they do
        process.communicate(timeout=60)
        assert kill or workers
    code, out, err = run(host, str(host.logs), "--jobs", "2", "--json")

    assert code == 0, err
    found = numbers(host)
    assert sorted(set(found)) == list(range(count))
    # what was sent and not noted as such: a request for each kill, at most
    assert len(found) - count <= 5 * 100
    assert json.loads(out)["waiting"] == 0


def has_more_than(host: Host, count: int) -> bool:
    return len(numbers(host)) > count


def reads_or_has_ended(process: subprocess.Popen[str]) -> bool:
    return len(children(process.pid)) == 2 or process.poll() is not None


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(each) for each in tasks.read_text().split()]
    except FileNotFoundError:
        return []


def test_a_worker_that_dies_is_one_message(host: Host) -> None:
    """As when the kernel needs memory: said, nothing lost, and the same command goes on."""
    for number in range(1, 4):
        lines = "".join(
            f"ERROR {n}\n" + "nobody looks for this\n" * 30 for n in range(number * 5000, number * 5000 + 5000)
        )
        (host.logs / f"a.log.{number}.gz").write_bytes(gzip.compress(lines.encode()))
    process = backfill(host, str(host.logs), "--jobs", "2")
    eventually(lambda: len(children(process.pid)) == 2)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a process that reads files ended by SIGKILL; start the same command again" in err
    assert "Traceback" not in err

    assert run(host, str(host.logs))[0] == 0
    assert sorted(set(numbers(host))) == list(range(5000, 20_000))
