"""What limits remember is in the commit of the lines that caused it: no restart forgets or repeats a count."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import pytest

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import SourceTable, StoreTable
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.limits import Limits
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.following import Following

RULES = """
[[rule]]
id = "throttled"
match = 'ERROR (?<who>\\w+)'
event = "E"
content = "{who}"

  [rule.throttle]
  max = 2
  per = "1m"
  by = ["who"]
  summary = "{count} more of {who}"

[[rule]]
id = "counted"
match = 'ERROR (?<who>\\w+)'
event = "C"
content = "{count} of {who}"

  [rule.threshold]
  count = 4
  within = "30s"
  by = ["who"]
"""
LINES = 400


def lines(seed: int) -> list[bytes]:
    """Lines whose times go on, some of them late."""
    chance = random.Random(seed)
    now = 0
    made = []
    for _ in range(LINES):
        now += chance.randrange(6)
        at = max(0, now - chance.choice([0, 0, 0, 7, 70]))
        clock = f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}"
        made.append(f"2026-11-23T{clock}Z ERROR {chance.choice('abc')}\n".encode())
    return made


def run(root: Path, limits: Limits) -> tuple[Intake, Store]:
    store = Store(root, batching.encode)
    rules = load_rules([root / "rules.toml"])[0].rules
    limits.restore(store.limits())
    source = SourceTable(name="app", paths=(f"{root}/*.log",), start_at="beginning")
    intake = Intake(
        Following([source], store.checkpoints(), store.scanned_sources()),
        Engine(rules, Host("h", "127.0.0.1"), 1.0, limits=limits),
        store,
        StoreTable(min_free_disk=0),
        wake=threading.Event(),
        recorded=lambda: None,
        watcher=None,
    )
    return intake, store


def events(root: Path, parts: list[list[bytes]]) -> list[tuple[str, bytes]]:
    """Give all events of a log that is written in parts, with another agent for each."""
    root.mkdir()
    (root / "rules.toml").write_text(RULES)
    for number, part in enumerate(parts):
        with (root / "app.log").open("ab") as log:
            log.writelines(part)
        intake, store = run(root, Limits(live=True))
        now = 1000.0 * number
        while intake.step(now):
            now += 1
        # the commit that is not due yet; then it is gone
        intake.step(now + 10)
        intake.close()
        store.close()
    store = Store(root, batching.encode)
    found = [(waiting.rule, waiting.payload) for waiting in store.next_events(10 * LINES)]
    store.close()
    return found


@pytest.mark.parametrize("seed", range(6))
def test_restarts_change_no_event(tmp_path: Path, seed: int) -> None:
    """In one go or by many agents, one after the other: the same events with the same counts."""
    chance = random.Random(1000 + seed)
    whole = lines(seed)
    cuts = sorted(chance.sample(range(LINES), 8))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, LINES], strict=True)]

    assert events(tmp_path / "many", parts) == events(tmp_path / "one", [whole])


def test_an_agent_that_dies_between_commits_counts_nothing_twice(tmp_path: Path) -> None:
    """What it had counted and not committed is read, and counted, again."""
    whole = lines(7)
    expected = events(tmp_path / "one", [whole])
    root = tmp_path / "dying"
    root.mkdir()
    (root / "rules.toml").write_text(RULES)
    (root / "app.log").write_bytes(b"".join(whole[:200]))
    intake, store = run(root, Limits(live=True))
    while intake.step(0.0):
        pass
    intake.step(10.0)
    (root / "app.log").write_bytes(b"".join(whole))
    # judged, and the store closed before it is recorded
    committed = tmp_path / "committed"
    shutil.copytree(root, committed)
    intake.step(10.5)
    intake.close()
    store.close()
    shutil.rmtree(root)
    shutil.copytree(committed, root)
    intake, store = run(root, Limits(live=True))
    while intake.step(20.0):
        pass
    intake.step(40.0)
    found = [(waiting.rule, waiting.payload) for waiting in store.next_events(10 * LINES)]
    intake.close()
    store.close()

    assert found == expected
