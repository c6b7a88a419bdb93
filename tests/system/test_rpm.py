"""The RPM package: built twice, then installed, upgraded, downgraded and erased by `rpm` in a system without Python.

The system is a Debian, as it is the one that can be had everywhere: `rpm` keeps its own database there, which knows of
none of Debian's packages, so what is required is looked at, and not resolved.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.e2e.host import journal
from tests.system.packages import (
    CONFIGURATION,
    OOM,
    Systemd,
    build_all,
    debian,
    foreign_directories,
    inside,
    run_agent_for_a_line,
)
from tests.system.programs import program

__all__ = ["debian"]

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    for needed in ("rpmbuild", "rpm", "patchelf", "strip"):
        program(needed)
    return build_all("rpm/build.py", tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def host(debian: Path) -> Path:
    """A system with the libraries that `dnf` would bring, and no Python."""
    inside(
        debian, "sh", "-c", "apt-get update -qq; apt-get install -y -qq --no-install-recommends libffi8 libsqlite3-0"
    )
    return debian


def rpm(root: Path, *arguments: str | Path, code: int = 0) -> str:
    """Ask `rpm`, or have it change what is installed in a root."""
    done = subprocess.run(
        [program("rpm"), "--root", root, "--dbpath", "/var/lib/rpm", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def lines(package: Path, *question: str) -> list[str]:
    """Give the answer of a package that is not installed."""
    done = subprocess.run([program("rpm"), "-qp", *question, package], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_same_sources_give_the_same_bytes(packages: dict[str, Path]) -> None:
    """Whoever builds it gets what is given out."""
    assert packages["first"].read_bytes() == packages["second"].read_bytes()


def test_it_asks_for_what_the_host_has_and_offers_nothing_of_its_own(packages: dict[str, Path]) -> None:
    """The C library with its versions is required; what lies in `/opt/shipper` is neither required nor provided."""
    required, provided = (set(lines(packages["first"], f"--{what}")) for what in ("requires", "provides"))
    assert any(re.match(r"libc\.so\.6\(GLIBC_[\d.]+\)", each) for each in required)
    assert any(each.startswith("libssl.so") for each in required)
    assert [each for each in required if "python" in each or "/opt" in each] == []
    # Debian alone calls it so
    assert not any(each.startswith("libbz2.so.1.0(") for each in required)
    names = {re.split(r"[ (]", each)[0] for each in provided}
    assert names == {"shipper", "config", "user", "group"}
    assert "/etc/shipper/credentials.env" in lines(packages["first"], "--configfiles")


def test_from_install_to_erase(packages: dict[str, Path], host: Path, tmp_path: Path) -> None:
    """It works without the system's Python; edits and the store survive upgrades, and an erasure saves them."""
    rpm(host, "-i", "--nodeps", packages["first"])
    # nothing differs from what was packed, also not owners and modes
    assert rpm(host, "-V", "--nodeps", "shipper") == ""
    assert foreign_directories(host) == []
    assert "not found" in inside(host, "sh", "-c", "command -v python3 || echo not found")
    assert "version" in inside(host, "shipper", "--version")
    assert "0 failed" in inside(host, "sh", "-c", "shipper test /usr/share/shipper/rules/*.toml")
    assert "(adm)" in inside(host, "id", "shipper")
    assert inside(host, "stat", "-c", "%a %U:%G", "/var/lib/shipper").strip() == "700 shipper:shipper"
    assert inside(host, "stat", "-c", "%a %U:%G", "/etc/shipper/credentials.env").strip() == "600 root:root"
    (host / "var/log/kern.log").write_text(OOM)
    configuration = host / "etc/shipper/shipper.toml"
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        configuration.write_text(CONFIGURATION.format(url=emulator.url))
        for package in (None, packages["newer"], packages["first"], packages["newer"]):
            if package is not None:
                rpm(host, "-U", "--nodeps", "--oldpackage", package)
            run_agent_for_a_line(host, tmp_path / "accepted.jsonl")
    # the line that was there at first, and one for each start: none twice, for the store is kept
    assert len(journal(tmp_path / "accepted.jsonl")) == 5
    assert "endpoint" in configuration.read_text()
    assert "newer" in configuration.with_suffix(".toml.rpmnew").read_text()
    assert rpm(host, "-q", "shipper").startswith("shipper-99.0-1")
    rpm(host, "-e", "--nodeps", "shipper")
    assert "endpoint" in configuration.with_suffix(".toml.rpmsave").read_text()
    assert (host / "var/lib/shipper/shipper.db").exists()
    assert not (host / "opt/shipper").exists()


def test_presets_decide_where_no_systemd_runs(packages: dict[str, Path], host: Path) -> None:
    """As in an image that hosts are made of."""
    systemd = Systemd(host)
    (host / "run/systemd/system").rmdir()
    rpm(host, "-i", "--nodeps", packages["first"])
    assert systemd.asked() == ["preset shipper.service"]
    rpm(host, "-e", "--nodeps", "shipper")
    (host / "run/systemd/system").mkdir()
    systemd.remove()


def test_a_running_agent_is_restarted_only_into_a_sound_configuration(packages: dict[str, Path], host: Path) -> None:
    """An upgrade checks with the agent's own environment; what is broken leaves the version before running."""
    systemd = Systemd(host)
    assert "credentials.env" in rpm(host, "-i", "--nodeps", packages["first"])
    assert systemd.asked() == ["daemon-reload", "preset shipper.service", "is-active --quiet shipper.service"]
    rpm(host, "-U", "--nodeps", packages["newer"])
    assert "restart shipper.service" not in systemd.asked()
    configuration = host / "etc/shipper/shipper.toml"
    configuration.write_text(CONFIGURATION.format(url="${WHERE}"))
    systemd.set_running(WHERE="http://127.0.0.1:1", PATH="/usr/bin")
    rpm(host, "-U", "--nodeps", "--oldpackage", packages["first"])
    assert systemd.asked()[-1] == "restart shipper.service"
    configuration.write_text("broken")
    assert "runs on" in rpm(host, "-U", "--nodeps", packages["newer"])
    assert "restart shipper.service" not in systemd.asked()
    rpm(host, "-e", "--nodeps", "shipper")
    assert systemd.asked() == ["disable --now shipper.service", "daemon-reload"]
    systemd.remove()
