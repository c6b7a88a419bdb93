"""The Debian package: built twice, installed, upgraded, downgraded, removed and purged in a Debian without Python."""

from __future__ import annotations

import gzip
import shutil
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

ENABLED = "etc/systemd/system/multi-user.target.wants/shipper.service"

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    for needed in ("dpkg-deb", "dpkg-shlibdeps", "patchelf", "strip"):
        program(needed)
    return build_all("deb/build.py", tmp_path_factory.mktemp("packages"))


def install(root: Path, package: Path) -> str:
    """Install with what it depends on; an edited configuration stays as it is."""
    shutil.copy(package, root / "tmp" / package.name)
    options = "-o Dpkg::Options::=--force-confold -y -qq --no-install-recommends --allow-downgrades"
    return inside(
        root,
        "sh",
        "-c",
        f"apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install {options} /tmp/{package.name}",
    )


def test_the_same_sources_give_the_same_bytes(packages: dict[str, Path]) -> None:
    """Whoever builds it gets what is given out."""
    assert packages["first"].read_bytes() == packages["second"].read_bytes()


def test_from_install_to_purge(packages: dict[str, Path], debian: Path, tmp_path: Path) -> None:
    """It works without the system's Python; edits and the store survive upgrades, and go with a purge."""
    install(debian, packages["first"])
    assert foreign_directories(debian) == []
    assert "not found" in inside(debian, "sh", "-c", "command -v python3 || echo not found")
    assert "0 failed" in inside(debian, "sh", "-c", "shipper test /usr/share/shipper/rules/*.toml")
    assert "shipper" in inside(debian, "id", "shipper")
    unit = (debian / "lib/systemd/system/shipper.service").read_text()
    (page,) = (each.removeprefix("Documentation=file://") for each in unit.splitlines() if "=file:" in each)
    assert "docs/operations.md" in (debian / page.removeprefix("/")).read_text()
    assert (debian / page.removeprefix("/")).with_name("docs").joinpath("operations.md").exists()
    manual = gzip.decompress((debian / "usr/share/man/man1/shipper.1.gz").read_bytes()).decode()
    assert '.TH SHIPPER 1 "2023-11-14"' in manual
    assert '.SS "dead\\-letters retry"' in manual
    assert "complete -o nosort" in (debian / "usr/share/bash-completion/completions/shipper").read_text()
    (debian / "var/log/kern.log").write_text(OOM)
    configuration = debian / "etc/shipper/shipper.toml"
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        configuration.write_text(CONFIGURATION.format(url=emulator.url))
        for package in (None, packages["newer"], packages["first"], packages["newer"]):
            if package is not None:
                install(debian, package)
            run_agent_for_a_line(debian, tmp_path / "accepted.jsonl")
    # the line that was there at first, and one for each start: none twice, for the store is kept
    assert len(journal(tmp_path / "accepted.jsonl")) == 5
    assert "endpoint" in configuration.read_text()
    assert "newer" in configuration.with_suffix(".toml.dpkg-dist").read_text()
    assert "99.0" in inside(debian, "dpkg-query", "-W", "shipper")
    inside(debian, "dpkg", "--remove", "shipper")
    assert (debian / "var/lib/shipper/shipper.db").exists()
    assert configuration.exists()
    assert not (debian / "opt/shipper").exists()
    inside(debian, "dpkg", "--purge", "shipper")
    assert not (debian / "var/lib/shipper").exists()
    assert not (debian / "etc/shipper").exists()
    assert "no such user" in inside(debian, "id", "shipper", code=1)


def test_a_running_agent_is_restarted_only_into_a_sound_configuration(packages: dict[str, Path], debian: Path) -> None:
    """An upgrade checks with the agent's own environment; what is broken leaves the version before running."""
    systemd = Systemd(debian)
    install(debian, packages["first"])
    asked = systemd.asked()
    assert "daemon-reload" in asked
    assert any(each.endswith("preset shipper.service") for each in asked)
    install(debian, packages["newer"])
    assert "restart shipper.service" not in systemd.asked()
    configuration = debian / "etc/shipper/shipper.toml"
    configuration.write_text(CONFIGURATION.format(url="${WHERE}"))
    systemd.set_running(WHERE="http://127.0.0.1:1", PATH="/usr/bin")
    install(debian, packages["first"])
    assert systemd.asked()[-1] == "restart shipper.service"
    configuration.write_text("broken")
    assert "runs on" in install(debian, packages["newer"])
    assert "restart shipper.service" not in systemd.asked()
    inside(debian, "dpkg", "--purge", "shipper")
    assert systemd.asked()[0] == "stop shipper.service"
    systemd.remove()


def test_it_is_enabled_where_no_systemd_runs(packages: dict[str, Path], debian: Path) -> None:
    """As in an image of hosts; who disables it finds it disabled after an upgrade, and a purge cleans up."""
    install(debian, packages["first"])
    enabled = debian / ENABLED
    assert enabled.readlink() == Path("/lib/systemd/system/shipper.service")
    enabled.unlink()
    install(debian, packages["newer"])
    assert not enabled.is_symlink()
    inside(debian, "dpkg", "--purge", "shipper")
    install(debian, packages["first"])
    assert enabled.is_symlink()
    inside(debian, "dpkg", "--purge", "shipper")
    assert not enabled.is_symlink()


def test_a_systemd_that_refuses_keeps_nobody_from_installing_and_removing(
    packages: dict[str, Path], debian: Path
) -> None:
    """A unit that is masked, or a systemd that is stopping: the package comes and goes all the same."""
    systemd = Systemd(debian)
    systemd.refuse()
    install(debian, packages["first"])
    assert "install ok installed" in inside(debian, "dpkg-query", "-W", "-f", "${Status}", "shipper")
    inside(debian, "dpkg", "--remove", "shipper")
    assert "stop shipper.service" in systemd.asked()
    inside(debian, "dpkg", "--purge", "shipper")
    systemd.remove()
