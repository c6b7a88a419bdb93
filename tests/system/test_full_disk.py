"""A state directory on a small tmpfs of its own: full, then well again; or read-only (hazard 5.4)."""

from __future__ import annotations

import errno
import subprocess
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


@pytest.fixture
def host(tmp_path: Path, emulator: Emulator) -> Iterator[Host]:
    """Give a host whose agent sees a tmpfs of 8 MiB as its state directory; nobody else sees it."""
    unshare = program("unshare")
    if subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this user may not make mount namespaces")
    host = Host(tmp_path, emulator)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    mount = f"mount -t tmpfs -o size=8m,mode=0700 none '{state}' && exec \"$@\""
    host.through = (unshare, "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
    host.start()
    yield host
    if host.running.poll() is None:
        host.kill()


def seen_by_agent(host: Host) -> Path:
    """Give the state directory as the agent sees it."""
    return Path(f"/proc/{host.running.pid}/root{host.root}/state")


def arrived(host: Host) -> list[int]:
    """Give the delivered numbers, sorted."""
    return sorted(int(str(event["content"]).split()[1]) for event in journal(host.root / "accepted.jsonl"))


def fill(path: Path) -> None:
    """Take all the room that is left, to the last byte."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def test_a_full_disk_pauses_reading_and_room_resumes_it(host: Host) -> None:
    """Nothing is lost, nothing is repeated, no restart is needed."""
    host.write("a.log", *(f"ERROR {n}" for n in range(100)))
    eventually(lambda: arrived(host) == list(range(100)))
    filler = seen_by_agent(host) / "filler"
    fill(filler)
    host.write("a.log", *(f"ERROR {n}" for n in range(100, 3_000)))
    eventually(lambda: "Reading waits" in host.log.read_text())
    filler.unlink()
    eventually(lambda: len(arrived(host)) >= 3_000)

    assert "can be written again" in host.log.read_text()
    assert host.stop() == 0
    assert arrived(host) == list(range(3_000))


def test_a_read_only_state_directory_is_said(host: Host) -> None:
    """One message that names the directory, no traceback, and another exit code than 0 (hazard 5.4)."""
    assert host.stop() == 0
    host.through = tuple(part.replace("size=8m", "ro,size=8m") for part in host.through)
    host.start()

    assert host.running.wait(30) in {1, 2}
    told = host.log.read_text()
    assert f"{host.root}/state" in told
    assert "Traceback" not in told
