"""The real logrotate (Debian's package) in each of its modes, the agent up and down (hazards 1.1-1.3, 1.6, 12.7)."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import Host, journal
from tests.system.programs import program

pytestmark = pytest.mark.system

MODES = {
    "create": "create",
    "copytruncate": "copytruncate",
    "compress": "create\ncompress",
    "delaycompress": "create\ncompress\ndelaycompress",
    "copytruncate+compress": "copytruncate\ncompress",
    "dateext": "create\ndateext\ndateformat -%Y%m%d-%s",
    "dateext+compress": "create\ncompress\ndateext\ndateformat -%Y%m%d-%s",
    "olddir": "create\nolddir {root}/old",
    "olddir+compress": "create\ncompress\nolddir {root}/old",
    "sharedscripts": "create\nsharedscripts\npostrotate\necho turned >> {root}/turned\nendscript",
}
LINES = 100
TURNS = 4


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl", qps=0)) as running:
        yield running


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("mode", MODES)
def test_every_line_arrives_exactly_once(tmp_path: Path, emulator: Emulator, mode: str, down: bool) -> None:
    """Lines unread at the rotation, written after it, and in generations that come and go: each of them once."""
    rotate = program("logrotate")
    host = Host(tmp_path, emulator, source=f'rotated = ["{tmp_path}/old/*"]')
    host.logs.chmod(0o755)
    (tmp_path / "old").mkdir(mode=0o755)
    rules = tmp_path / "logrotate.conf"
    # forced rotations follow each other within a second: dates name the same generation twice
    rules.write_text(f"{host.logs}/app.log {{\nrotate 50\n{MODES[mode].format(root=tmp_path)}\n}}\n")
    rules.chmod(0o644)
    written = 0

    def write() -> None:
        nonlocal written
        host.write("app.log", *(f"ERROR {number}" for number in range(written, written + LINES)))
        written += LINES

    def arrived() -> Counter[int]:
        return Counter(int(str(event["content"]).split()[1]) for event in journal(tmp_path / "accepted.jsonl"))

    def turn(number: int) -> None:
        subprocess.run([rotate, "-f", "-s", str(tmp_path / "state.logrotate"), str(rules)], check=True)
        for directory in (host.logs, tmp_path / "old"):
            for old in directory.glob("app.log-*"):
                plain, dot, packed = old.name.partition(".gz")
                if "+" not in plain:
                    # logrotate names by the second: a generation must not meet the next one's name
                    old.rename(old.with_name(f"{plain}+{number}{dot}{packed}"))

    write()
    host.start()
    eventually(lambda: len(arrived()) == written)
    for number in range(TURNS):
        if down:
            assert host.stop() == 0
        write()
        turn(number)
        write()
        if down:
            host.start()
        eventually(lambda: len(arrived()) == written, what=f"lines are missing after rotation {number}")

    assert host.stop() == 0
    assert {number: times for number, times in arrived().items() if times > 1} == {}
    assert set(arrived()) == set(range(written))
    assert emulator.violations == ()
    if mode == "sharedscripts":
        assert (tmp_path / "turned").read_text().count("turned") == TURNS
