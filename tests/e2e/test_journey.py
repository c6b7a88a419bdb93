"""The whole journey with real processes: files → agent → HTTP → emulator, through kills, rotations and faults."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator.faults import parse_faults
from shipper.cloudmonitor.emulator.server import Emulator
from shipper.cloudmonitor.emulator.settings import Settings
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal

FAULTS = "500:0.08,throttle:0.04,reset:0.05,acklost:0.05,html:0.03,ok-not-200:0.03"


def contents(host: Host) -> list[str]:
    return [str(event["content"]) for event in journal(host.root / "accepted.jsonl")]


def test_lines_become_acknowledged_events(host: Host, emulator: Emulator) -> None:
    """What matches arrives with the fields of the rule; what does not, does not."""
    host.write("a.log", "2026-11-23T10:00:00.123+08:00 ERROR 1", "INFO 2")
    host.start()
    eventually(lambda: contents(host) == ["a.log 1"])
    host.write("a.log", "ERROR 3")
    host.write("new.log", "ERROR 4")
    eventually(lambda: sorted(contents(host)) == ["a.log 1", "a.log 3", "new.log 4"])

    assert host.stop() == 0
    first = journal(host.root / "accepted.jsonl")[0]
    assert (first["name"], first["groupId"], first["time"]) == ("NumberedError", 0, "20261123T100000.123+0800")
    assert emulator.violations == ()


def test_a_configured_host_name_is_in_templates_and_ids(
    host: Host, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's own name differs after each start; with the node's the ids stay, also those of a backfill."""
    host.config.write_text('hostname = "${NODE_NAME}"\n' + host.config.read_text())
    host.rules.write_text(RULES.replace("{file} {number}", "{hostname} {id}"))
    host.write("a.log", "ERROR 1")
    monkeypatch.setenv("NODE_NAME", "node-7")
    host.start()
    eventually(lambda: contents(host))
    assert host.stop() == 0
    ids = {}
    for name in ("node-7", "node-8"):
        monkeypatch.setenv("NODE_NAME", name)
        made = host.root / f"{name}.jsonl"
        arguments: list[str | Path] = ["-c", host.config, "--output", made, host.logs / "a.log"]
        subprocess.run([sys.executable, "-m", "shipper", "backfill", *arguments], check=True)
        shown, ids[name] = json.loads(made.read_text())["content"].split()
        assert shown == name
    assert contents(host) == [f"node-7 {ids['node-7']}"]
    assert ids["node-7"] != ids["node-8"]


def test_kills_rotations_and_faults_lose_nothing(tmp_path: Path) -> None:
    """Every event arrives at least once, and nothing that reaches the service breaks its contract."""
    chance = random.Random(20261123)
    settings = Settings(store=tmp_path / "accepted.jsonl", faults=parse_faults(FAULTS), seed=7)
    with Emulator(settings) as emulator:
        host = Host(tmp_path, emulator)
        host.write("renamed.log")
        host.write("copied.log")
        host.start()
        number = 0
        expected = set()
        for step in range(60):
            for name in ("renamed.log", "copied.log"):
                lines = []
                for _ in range(chance.randrange(40)):
                    number += 1
                    lines += [f"ERROR {number}", "some other line"]
                    expected.add(number)
                host.write(name, *lines)
            if step % 6 == 2:
                host.rename("renamed.log")
            if step % 6 == 4:
                host.copytruncate("copied.log")
            if step % 12 == 7:
                host.kill()
                host.start()
            else:
                time.sleep(chance.random() * 0.1)  # the pace of the writers, not a wait for anything

        def numbers() -> set[int]:
            return {int(content.split()[1]) for content in contents(host)}

        eventually(lambda: numbers() == expected, 120, "events are missing")
        code = host.stop()

        assert code == 0
        assert numbers() == expected
        assert emulator.violations == ()


def test_without_crash_or_fault_nothing_is_repeated(host: Host) -> None:
    """Clean stops and starts, rotations of both kinds: each event exactly once."""
    expected = []
    host.write("renamed.log")
    host.write("copied.log")
    for step in range(6):
        host.start()
        for name in ("renamed.log", "copied.log"):
            host.write(name, *(f"ERROR {step * 100 + n}" for n in range(30)))
            expected += [step * 100 + n for n in range(30)]
        eventually(lambda: len(contents(host)) == 60 * (step + 1))  # noqa: B023
        host.rename("renamed.log")
        host.write("renamed.log")
        host.copytruncate("copied.log")
        assert host.stop() == 0

    assert sorted(int(content.split()[1]) for content in contents(host)) == sorted(expected)


def test_sigterm_drains_what_waits(host: Host) -> None:
    """The outbox is empty after a clean end, and the exit code is 0 (spec, section 2)."""
    host.write("a.log", *(f"ERROR {n}" for n in range(3000)))
    host.start()
    eventually(lambda: contents(host))
    assert host.stop() == 0

    arrived = len(contents(host))
    host.start()
    eventually(lambda: len(contents(host)) == 3000)
    assert host.stop() == 0
    assert len(contents(host)) == 3000 >= arrived


def test_sighup_takes_up_new_rules_and_keeps_the_old_on_errors(host: Host) -> None:
    """A broken edit changes nothing and is told with its place; a good one comes into force between two blocks."""
    host.start()
    host.write("a.log", "ERROR 1")
    eventually(lambda: contents(host) == ["a.log 1"])
    host.rules.write_text(RULES.replace("(?<number>", "((?<number>"))
    host.running.send_signal(signal.SIGHUP)
    eventually(lambda: "The rule files are not fit" in host.log.read_text())
    assert "rules.toml:4" in host.log.read_text()
    host.write("a.log", "ERROR 2")
    eventually(lambda: contents(host) == ["a.log 1", "a.log 2"])
    host.rules.write_text(RULES.replace("{file} {number}", "number {number}"))
    host.running.send_signal(signal.SIGHUP)
    eventually(lambda: "Reloaded: 1 rules" in host.log.read_text())
    host.write("a.log", "ERROR 3")

    eventually(lambda: contents(host) == ["a.log 1", "a.log 2", "number 3"])
    assert host.stop() == 0


def test_a_second_agent_on_the_same_state_is_refused(host: Host) -> None:
    """It says who holds the state directory, and starts nothing (exit code 2)."""
    host.start()
    second = subprocess.run(
        [sys.executable, "-m", "shipper", "run", "-c", str(host.config)], capture_output=True, text=True, timeout=30
    )

    assert second.returncode == 2
    assert f"in use by another agent (pid {host.running.pid})" in second.stderr
    assert "Traceback" not in second.stderr
    assert host.stop() == 0


def test_an_unreachable_service_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM during an outage ends within drain_timeout with 0; the next start delivers."""
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        port = int(emulator.url.rsplit(":", 1)[1])
        host = Host(tmp_path, emulator)
    host.config.write_text(host.config.read_text().replace('drain_timeout = "20s"', 'drain_timeout = "1s"'))
    host.write("a.log", "ERROR 1")
    host.start()
    eventually(lambda: "cannot be delivered" in host.log.read_text())
    assert host.stop() == 0
    assert "1 wait in the store" in host.log.read_text()
    with Emulator(Settings(store=tmp_path / "accepted.jsonl", port=port)):
        host.start()
        eventually(lambda: contents(host) == ["a.log 1"])
        assert host.stop() == 0


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Whatever waits stays in the store; the exit code is 130 (spec, section 2)."""
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        host = Host(tmp_path, emulator)
    host.config.write_text(host.config.read_text().replace('drain_timeout = "20s"', 'drain_timeout = "10m"'))
    host.write("a.log", "ERROR 1")
    host.start()
    eventually(lambda: "cannot be delivered" in host.log.read_text())
    host.running.send_signal(signal.SIGTERM)
    eventually(lambda: "Stopping: 1 events wait" in host.log.read_text())

    assert host.stop() == 130


def test_secrets_are_in_no_file_and_no_log(host: Host) -> None:
    """The secret is in the configuration only; state is private (hazard 10.2)."""
    host.config.write_text(host.config.read_text().replace('"info"', '"debug"'))
    host.write("a.log", "ERROR 1")
    host.start()
    eventually(lambda: contents(host))
    assert host.stop() == 0

    for path in host.root.rglob("*"):
        if path.is_file() and path != host.config:
            assert b"testsecret" not in path.read_bytes(), path
    assert (host.root / "state").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (host.root / "state").iterdir()} == {0o600}
