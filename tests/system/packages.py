"""What the tests of the packages share: building one, a Debian of its own to install into, and an agent in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.e2e.host import journal
from tests.system.debian import make_debian
from tests.system.programs import program

ROOT = Path(__file__).parent.parent.parent
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
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/tmp/systemctl.calls
[ ! -e /tmp/refusing ] || exit 1
case $1 in
    is-active) [ -e /tmp/active ] ;;
    show) echo 4242 ;;
esac
"""


def build(tree: Path, script: str, directory: Path, *arguments: str) -> Path:
    """Build a package of what lies in a directory."""
    done = subprocess.run(
        [sys.executable, tree / "packaging" / script, "--output", directory, *arguments],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (package,) = directory.iterdir()
    return package


def build_all(script: str, base: Path) -> dict[str, Path]:
    """Build the same in two directories, and a newer one that brings another configuration."""
    other = base / "elsewhere"
    other.mkdir()
    for name in ("shipper", "rules", "packaging", "docs"):
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (ROOT / "pyproject.toml", *ROOT.glob("*.md")):
        shutil.copy(file, other)
    built = {"first": build(ROOT, script, base / "first"), "second": build(other, script, base / "second")}
    with (other / "packaging/systemd/shipper.toml").open("a") as configuration:
        configuration.write("# newer\n")
    return {**built, "newer": build(other, script, base / "newer", "--version", "99.0")}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian of its own, without Python."""
    root = tmp_path_factory.mktemp("debian") / "root"
    make_debian(root, "adduser", "ca-certificates")
    yield root
    shutil.rmtree(root)


def inside(root: Path, *command: str, code: int | None = 0) -> str:
    done = subprocess.run(["chroot", root, *command], capture_output=True, text=True, check=False)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def foreign_directories(root: Path) -> list[str]:
    """Give the directories outside of the package in which what is installed looks for libraries of its own."""
    found: set[str] = set()
    for binary in (root / "opt/shipper/bin/python3", *(root / "opt/shipper").rglob("*.so*")):
        told = subprocess.run(
            [program("patchelf"), "--print-rpath", binary], capture_output=True, text=True, check=True
        )
        found.update(told.stdout.strip().split(":"))
    return sorted(each for each in found if each and not each.startswith(("$ORIGIN", "/opt/shipper/")))


def run_agent_for_a_line(root: Path, accepted: Path) -> None:
    """Run the installed agent as its user until one more event arrived."""
    before = len(journal(accepted))
    agent = subprocess.Popen(["chroot", "--userspec=shipper:shipper", "--groups=adm", root, "shipper", "run"])
    with (root / "var/log/kern.log").open("a") as log:
        log.write(OOM)
    eventually(partial(_has_more_than, accepted, before))
    agent.terminate()
    assert agent.wait(30) == 0


def _has_more_than(events: Path, count: int) -> bool:
    return len(journal(events)) > count


class Systemd:
    """Stands for systemd in a root: notes what it is asked, and says that the agent runs or does not."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        systemctl = root / "usr/bin/systemctl"
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)

    def set_running(self, **environment: str) -> None:
        """From now on an agent runs, with this environment."""
        (self._root / "tmp/active").touch()
        process = self._root / "proc/4242"
        process.mkdir(exist_ok=True)
        (process / "environ").write_text("\0".join(f"{name}={value}" for name, value in environment.items()))

    def asked(self) -> list[str]:
        """Give what was asked since the last time."""
        calls = self._root / "tmp/systemctl.calls"
        found = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return found

    def refuse(self) -> None:
        """From now on everything that is asked fails, as for a unit that is masked."""
        (self._root / "tmp/refusing").touch()

    def remove(self) -> None:
        """There is no systemd any more."""
        (self._root / "tmp/refusing").unlink(missing_ok=True)
        (self._root / "usr/bin/systemctl").unlink()
        (self._root / "run/systemd/system").rmdir()
