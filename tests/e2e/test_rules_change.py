"""Rule files that are edited while a real agent runs: good edits come into force, others change nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal

TESTED = RULES + "\n  [[rule.test]]\n  line = 'ERROR 7'\n  expect = { content = '* 7' }\n"


def contents(host: Host) -> list[str]:
    return [str(event["content"]) for event in journal(host.root / "accepted.jsonl")]


def findings(host: Host) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "status", "--json", "-c", str(host.config)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return [finding["reason"] for finding in json.loads(done.stdout)["findings"]]


def test_an_edit_comes_into_force_by_itself(host: Host) -> None:
    host.start()
    host.rules.write_text(RULES.replace("{file} {number}", "number {number}"))
    eventually(lambda: "Reloaded: 1 rules" in host.log.read_text())
    host.write("a.log", "ERROR 1")

    eventually(lambda: contents(host) == ["number 1"])
    assert host.stop() == 0


def test_an_edit_that_is_not_fit_changes_nothing_until_it_is_mended(host: Host) -> None:
    """A pattern that does not compile, a rule whose own test fails, a file that is gone: all told in log and status."""
    host.rules.write_text(TESTED)
    host.start()
    for number, (broken, said) in enumerate(
        [
            (TESTED.replace("(?<number>", "((?<number>"), "rules.toml:4:1: rule 'numbered': 'match' is not a valid"),
            (TESTED.replace("'* 7'", "'* 8'"), "its own test fails: content should be '* 8', and is 'test.log 7'"),
            (None, "no rule file is there any more"),
        ]
    ):
        if broken is None:
            host.rules.unlink()
        else:
            host.rules.write_text(broken)
        eventually(lambda said=said: any(said in each for each in findings(host)))  # type: ignore[misc]
        assert said in host.log.read_text()
        host.write("a.log", f"ERROR {number}")
        eventually(lambda number=number: contents(host)[-1:] == [f"a.log {number}"])  # type: ignore[misc]
    host.rules.write_text(TESTED.replace("{file} {number}", "mended {number}").replace("'* 7'", "'mended 7'"))
    eventually(lambda: findings(host) == [])
    host.write("a.log", "ERROR 9")

    eventually(lambda: contents(host)[-1] == "mended 9")
    assert host.stop() == 0


def test_a_start_with_broken_rules_takes_those_that_were_last_good(host: Host) -> None:
    """They are kept in the state directory, for nobody else to read; without them the start is refused."""
    host.rules.write_text("[[rule]]\nid = 'x'\n")
    refused = subprocess.run(
        [sys.executable, "-m", "shipper", "run", "-c", str(host.config)], capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 2
    assert "rules.toml:1:1: rule 'x': the key 'match' is missing" in refused.stderr

    host.rules.write_text(RULES)
    host.start()
    assert host.stop() == 0
    kept = host.root / "state" / "rules.good.json"
    assert kept.stat().st_mode & 0o777 == 0o600

    host.rules.write_text("[[rule]]\nid = 'x'\n")
    host.start()
    assert any("the last good rules are in force: " in each for each in findings(host))
    host.write("a.log", "ERROR 1")
    eventually(lambda: contents(host) == ["a.log 1"])
    assert host.stop() == 0


def test_a_link_that_leads_elsewhere_is_an_edit(host: Host) -> None:
    """As a ConfigMap is swapped: the directory's name stays, its time does, only where it leads is new."""
    versions = [host.root / "v1", host.root / "v2"]
    for version, text in zip(versions, (RULES, RULES.replace("{file}", "second")), strict=True):
        version.mkdir()
        (version / "rules.toml").write_text(text)
    host.rules.unlink()
    data = host.rules.parent / "..data"
    data.symlink_to(versions[0])
    host.rules.symlink_to("..data/rules.toml")
    host.start()
    host.write("a.log", "ERROR 1")
    eventually(lambda: contents(host) == ["a.log 1"])

    swapped = host.rules.parent / "..data.new"
    swapped.symlink_to(versions[1])
    swapped.replace(data)
    eventually(lambda: "Reloaded: 1 rules" in host.log.read_text())
    host.write("a.log", "ERROR 2")
    eventually(lambda: contents(host) == ["a.log 1", "second 2"])
    assert host.stop() == 0


def test_reloads_under_load_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Each line makes its one event by the rules of some moment, while they change all the time."""
    with Emulator(Settings(qps=0, store=tmp_path / "accepted.jsonl")) as emulator:
        host = Host(tmp_path, emulator)
        host.start()
        written = 0
        stop = threading.Event()

        def write() -> None:
            nonlocal written
            while not stop.is_set():
                host.write("a.log", *(f"ERROR {written + n}" for n in range(100)))
                written += 100
                time.sleep(0.05)  # the pace of the writer, not a wait for anything

        writer = threading.Thread(target=write)
        writer.start()
        for version in range(6):
            before = host.log.read_text().count("Reloaded: 1 rules")
            host.rules.write_text(RULES.replace("{file} {number}", f"v{version} {{number}}"))
            eventually(lambda before=before: host.log.read_text().count("Reloaded: 1 rules") > before)  # type: ignore[misc]
        stop.set()
        writer.join()
        eventually(lambda: len(contents(host)) >= written, 60)
        assert host.stop() == 0

        found = [content.split() for content in contents(host)]
        assert sorted(int(number) for _, number in found) == list(range(written))
        assert len({version for version, _ in found}) > 3
        assert emulator.violations == ()


def test_a_rule_that_takes_too_long_is_set_aside_and_others_go_on(tmp_path: Path) -> None:
    """After five searches over the limit; what it has not seen is told by place, a mended rule judges at once."""
    slow = "[[rule]]\nid = 'slow'\nmatch = 'ERROR (a|aa)+$'\nevent = 'Slow'\nmatch_timeout = '20ms'\n"
    with Emulator(Settings(qps=0, store=tmp_path / "accepted.jsonl")) as emulator:
        host = Host(tmp_path, emulator, slow + RULES)
        host.start()
        hard = "a" * 60
        host.write("a.log", *(f"ERROR {hard}! {n}" for n in range(40)), "ERROR 1")
        eventually(lambda: contents(host) == ["a.log 1"])
        eventually(lambda: "Rule 'slow' took longer than match_timeout again and again" in host.log.read_text())
        assert any("set aside" in each and "slow" in each for each in findings(host))
        assert host.log.read_text().count("did not finish within match_timeout") == 5

        host.rules.write_text(slow.replace("(a|aa)+$", "mended") + RULES)
        eventually(lambda: "Rule 'slow' judges again" in host.log.read_text())
        assert "did not judge" in host.log.read_text()
        host.write("a.log", "ERROR mended", "ERROR 2")
        eventually(lambda: len(contents(host)) == 3)
        assert host.stop() == 0
        assert "set aside" not in " ".join(findings(host))
