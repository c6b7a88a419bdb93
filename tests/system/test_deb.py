"""The Debian package: built twice, installed, upgraded, downgraded, removed and purged in a Debian without Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import journal
from tests.system.programs import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parent.parent.parent
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
CONFIGURATION = """
state_dir = "/var/lib/shipper"
rules = ["rules.d/*.toml"]
[cloudmonitor]
endpoint = "{url}"
[cloudmonitor.credentials]
access_key_id = "testkey"
access_key_secret = "testsecret"
[store]
min_free_disk = 0
[[source]]
name = "system"
paths = ["/var/log/kern.log"]
start_at = "beginning"
"""
OOM = (
    "Nov 26 10:00:00 host kernel: Out of memory: Killed process 4242 (java) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n"
)


def build(directory: Path, *arguments: str) -> Path:
    """Build the package."""
    done = subprocess.run(
        [sys.executable, ROOT / "packaging/deb/build.py", "--output", directory, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return next(directory.glob("*.deb"))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    for needed in ("dpkg-deb", "dpkg-shlibdeps", "patchelf", "strip", "git"):
        program(needed)
    base = tmp_path_factory.mktemp("packages")
    built = {name: build(base / name) for name in ("first", "second")}
    return {**built, "newer": build(base / "newer", "--version", "99.0")}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian of its own, without Python."""
    if os.geteuid():
        pytest.skip("only root may make a root")
    root = tmp_path_factory.mktemp("debian") / "root"
    release = subprocess.run(["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"], capture_output=True, text=True)
    made = subprocess.run(
        [
            program("debootstrap"),
            "--variant=minbase",
            "--include=adduser,ca-certificates",
            release.stdout.strip(),
            root,
            MIRROR,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no Debian can be had: {made.stdout.splitlines()[-1:]}")
    yield root
    shutil.rmtree(root)


def inside(root: Path, *command: str, code: int | None = 0) -> str:
    done = subprocess.run(["chroot", root, *command], capture_output=True, text=True, check=False)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(root: Path, package: Path) -> None:
    """Install with what it depends on; an edited configuration stays as it is."""
    shutil.copy(package, root / "tmp" / package.name)
    options = "-o Dpkg::Options::=--force-confold -y -qq --no-install-recommends --allow-downgrades"
    inside(
        root,
        "sh",
        "-c",
        f"apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install {options} /tmp/{package.name}",
    )


def _has_more_than(events: Path, count: int) -> bool:
    return len(journal(events)) > count


def test_the_same_sources_give_the_same_bytes(packages: dict[str, Path]) -> None:
    """Whoever builds it gets what is given out."""
    assert packages["first"].read_bytes() == packages["second"].read_bytes()


def test_from_install_to_purge(packages: dict[str, Path], debian: Path, tmp_path: Path) -> None:
    """It works without the system's Python; edits and the store survive upgrades, and go with a purge."""
    install(debian, packages["first"])
    assert "not found" in inside(debian, "sh", "-c", "command -v python3 || echo not found")
    assert "0 failed" in inside(debian, "sh", "-c", "shipper test /usr/share/shipper/rules/*.toml")
    assert "shipper" in inside(debian, "id", "shipper")
    (debian / "var/log/kern.log").write_text(OOM)
    configuration = debian / "etc/shipper/shipper.toml"
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        configuration.write_text(CONFIGURATION.format(url=emulator.url))
        for package in (None, packages["newer"], packages["first"], packages["newer"]):
            if package is not None:
                install(debian, package)
            before = len(journal(tmp_path / "accepted.jsonl"))
            agent = subprocess.Popen(["chroot", "--userspec=shipper:shipper", "--groups=adm", debian, "shipper", "run"])
            with (debian / "var/log/kern.log").open("a") as log:
                log.write(OOM)
            eventually(partial(_has_more_than, tmp_path / "accepted.jsonl", before))
            agent.terminate()
            assert agent.wait(30) == 0
    # the line that was there at first, and one for each start: none twice, for the store is kept
    assert len(journal(tmp_path / "accepted.jsonl")) == 5
    assert "endpoint" in configuration.read_text()
    assert "99.0" in inside(debian, "dpkg-query", "-W", "shipper")
    inside(debian, "dpkg", "--remove", "shipper")
    assert (debian / "var/lib/shipper/shipper.db").exists()
    assert configuration.exists()
    assert not (debian / "opt/shipper").exists()
    inside(debian, "dpkg", "--purge", "shipper")
    assert not (debian / "var/lib/shipper").exists()
    assert not (debian / "etc/shipper").exists()
    assert "no such user" in inside(debian, "id", "shipper", code=1)
