"""What rules cost a running agent, as `shipper status` tells it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import Host

RULES = """
[[rule]]
id = "bad"
match = '\\d{4}|x'
event = "Bad"

[[rule]]
id = "good"
match = 'ERROR \\d+'
event = "Good"

[[rule]]
id = "idle"
match = 'no such text'
event = "Idle"
"""


def status(host: Host, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "status", "-c", str(host.config), *options],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout


def test_a_rule_that_has_to_see_every_line_is_shown_by_name(tmp_path: Path) -> None:
    """Each rule with the records it searched and the time that took; the scanner that finds the others' literals."""
    with Emulator(Settings(qps=0)) as emulator:
        host = Host(tmp_path, emulator, RULES)
        host.start()
        host.write("app.log", *(f"line {number}" for number in range(100)), "ERROR 7")
        eventually(lambda: '"delivered":1' in status(host, "--json").replace(" ", ""))
        told = json.loads(status(host, "--json"))
        shown = status(host)
        host.stop()

    rules = {rule["id"]: rule for rule in told["rules"]}
    assert told["process"]["scanner"] in {"vectorscan", "find"}
    assert (rules["bad"]["judged"], rules["bad"]["matched"], rules["bad"]["every_line"]) == (101, 0, True)
    assert rules["bad"]["seconds"] > 0
    assert (rules["good"]["judged"], rules["good"]["matched"], rules["good"]["every_line"]) == (1, 1, False)
    assert rules["idle"]["judged"] == 0
    assert "bad: 0 matched" in shown
    assert "judges every line: no text is certain, and rare, in what it finds" in shown
    assert "1 more had nothing to judge" in shown
