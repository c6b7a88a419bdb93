"""A Debian below a directory, for tests that install something into one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.system.programs import program

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")


def make_debian(root: Path, *packages: str) -> None:
    """Make one of this host's release, or skip the test."""
    if os.geteuid():
        pytest.skip("only root may make a root")
    release = subprocess.run(["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"], capture_output=True, text=True)
    command = [program("debootstrap"), "--variant=minbase", f"--include={','.join(packages)}"]
    made = subprocess.run([*command, release.stdout.strip(), root, MIRROR], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no Debian can be had: {made.stdout.splitlines()[-1:]}")
