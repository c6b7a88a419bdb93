"""Something is mounted over the directory of the logs, and taken away again (hazards 2.3, 2.4)."""

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


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl", qps=0)) as running:
        yield running


def numbers(host: Host) -> Counter[int]:
    return Counter(int(str(event["content"]).split()[1]) for event in journal(host.root / "accepted.jsonl"))


@pytest.mark.parametrize("filesystem", ["bind", "tmpfs"])
def test_a_mount_over_the_directory(tmp_path: Path, emulator: Emulator, filesystem: str) -> None:
    """Covered files go on where they were left when they are seen again; those of the mount are read from 0."""
    unshare, nsenter = program("unshare"), program("nsenter")
    if subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this user may not make mount namespaces")
    host = Host(tmp_path, emulator)
    other = tmp_path / "other"
    other.mkdir()
    host.through = (unshare, "--mount", "--propagation", "private")

    def inside(*command: str) -> None:
        subprocess.run([nsenter, "--target", str(host.running.pid), "--mount", *command], check=True)

    host.write("a.log", "ERROR 0", "ERROR 1")
    host.start()
    eventually(lambda: len(numbers(host)) == 2)
    if filesystem == "bind":
        inside("mount", "--bind", str(other), str(host.logs))
    else:
        inside("mount", "-t", "tmpfs", "none", str(host.logs))
    inside("sh", "-c", f"echo ERROR 2 >> '{host.logs}/a.log'; echo ERROR 3 >> '{host.logs}/b.log'")
    eventually(lambda: {2, 3} <= set(numbers(host)))
    # nobody sees this one now, but the program that writes it
    host.write("a.log", "ERROR 4")
    inside("umount", "--lazy", str(host.logs))
    host.write("a.log", "ERROR 5")
    eventually(lambda: len(numbers(host)) == 6)

    assert host.stop() == 0
    assert numbers(host) == Counter(range(6))
