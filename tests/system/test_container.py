"""The container image: its recipe is run in a Debian, and what comes of it is started as an engine starts it.

No container engine is needed, and none is tested. In place of the image that the recipe begins with stands a Debian
with the interpreter of these tests where that image has its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import STARTED, journal
from tests.system.debian import make_debian
from tests.system.dockerfile import Image, build
from tests.system.programs import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "packaging/container/Dockerfile"
USER = 10001
# what the image that it begins with has for its interpreter
LIBRARIES = (
    "ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8", "libsqlite3-0",
    "libssl3", "libuuid1", "zlib1g",
)  # fmt: skip
CONFIGURATION = """
hostname = "${{NODE_NAME}}"
[cloudmonitor]
endpoint = "{url}"
[store]
min_free_disk = 0
[[source]]
name = "pods"
paths = ["/var/log/pods/*/*/*.log"]
format = "cri"
start_at = "beginning"
"""
RULES = """
[[rule]]
id = "error"
match = 'ERROR (?<number>\\d+)'
event = "Error"
content = "{hostname} {number} {time}"
"""
LINE = "2026-11-26T10:00:0{0}.000000000+08:00 stdout F ERROR {0}\n"
# as an engine does: a root that cannot be written, a state that can, the logs, and no way to more privileges
START = """
set -e
inner=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 state_owner=$2 privileges=$3 user=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o "mode=0700,uid=$state_owner,gid=$state_owner" tmpfs "$root/var/lib/shipper"
mount --bind "$root.logs" "$root/var/log"
mount -o remount,bind,ro "$root/var/log"
mount --bind "$root.etc" "$root/etc/shipper"
mount -o remount,bind,ro "$root"
setpriv=$(command -v setpriv) chroot=$(command -v chroot)
export PATH="$inner"
exec "$setpriv" --no-new-privs $privileges "$chroot" --userspec="$user" "$root" "$@"
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    for needed in ("unshare", "nsenter", "setpriv"):
        program(needed)
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("this user may not make namespaces")
    scratch = tmp_path_factory.mktemp("container")
    base = scratch / "base"
    make_debian(base, *LIBRARIES)
    python, name = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(python / "bin", base / "usr/local/bin", symlinks=True, dirs_exist_ok=True)
    shutil.copytree(
        python / "lib" / name, base / "usr/local/lib" / name, symlinks=True, ignore=shutil.ignore_patterns("test")
    )
    for shared in (python / "lib").glob("libpython3*.so*"):
        shutil.copy2(shared, base / "usr/local/lib", follow_symlinks=False)
    # names and certificates of this host, as an engine and a proxy bring them
    for file in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(file, base / file.removeprefix("/"))
    subprocess.run(["chroot", base, "ldconfig"], check=True)
    bases = {"docker.io/library/python:3.13-slim-bookworm": base}
    made = build(DOCKERFILE, ROOT, bases, scratch, {"VERSION": "1.2.3", "REVISION": "abc"})
    for directory in ("dev", "proc"):
        (made.root / directory).mkdir()
    yield made
    shutil.rmtree(scratch)


class Container:
    """One that runs; `inside` starts further programs in it, as an engine does for a health check."""

    def __init__(self, image: Image, user: str, privileges: str, environment: dict[str, str]) -> None:
        self.image = image
        self.user = user
        self.environment = {**image.environment, **environment}
        owner = user.partition(":")[0]
        start = [program("unshare"), "--mount", "--pid", "--fork", "/bin/sh", "-c", START, "sh", str(image.root), owner]
        command = [*start, privileges, user, *image.entrypoint, *image.command]
        self.process = subprocess.Popen(command, env=self.environment)
        STARTED.append(self.process)

    @property
    def first(self) -> str:
        """The process that has the number 1 inside, by its number outside."""
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def inside(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        user, group = self.user.split(":")
        enter = [program("nsenter"), "-t", self.first, "-m", "-p", "-r", "-w", "-S", user, "-G", group]
        return subprocess.run(
            [*enter, *command], env={**self.environment, **environment}, capture_output=True, text=True
        )

    def status(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{self.first}/status").read_text(), re.MULTILINE))

    def check_health(self) -> None:
        done = self.inside(*self.image.health)
        assert done.returncode == 0, done.stdout + done.stderr
        # an engine keeps and shows it
        assert done.stdout == ""


@contextmanager
def running(image: Image, store: Path, user: str, privileges: str = "") -> Iterator[Container]:
    """Start it before an emulator, with its logs in `root.logs`."""
    for directory in ("logs", "etc"):
        shutil.rmtree(f"{image.root}.{directory}", ignore_errors=True)
    pod = Path(f"{image.root}.logs/pods/shop_web_1/web")
    pod.mkdir(parents=True)
    (pod / "0.log").write_text(LINE.format(1))
    rules = Path(f"{image.root}.etc/rules.d")
    rules.mkdir(parents=True)
    (rules / "app.toml").write_text(RULES)
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "testkey", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret"}
    with Emulator(Settings(store=store)) as emulator:
        (rules.parent / "shipper.toml").write_text(CONFIGURATION.format(url=emulator.url))
        container = Container(image, user, privileges, {**keys, "NODE_NAME": "node-7"})
        try:
            yield container
        finally:
            # its first process is the one that keeps the others
            if container.process.poll() is None:
                os.kill(int(container.first), 9)
                container.process.wait()
        assert emulator.violations == ()


def contents(store: Path) -> list[str]:
    return [str(event["content"])[:8] for event in journal(store)]


def test_what_is_in_it(image: Image) -> None:
    """No shell, no package manager, no compiler; accounts, zones, rules and a list of contents."""
    names = {path.name for path in image.root.rglob("*")}
    unwanted = {"sh", "bash", "pip", "setuptools", "wheel", "gcc", "ld", "apt", "dpkg", "busybox", "ensurepip"}

    context = {path.name for path in (image.root.parent / "context").iterdir()}
    assert context == {"shipper", "rules", "packaging", "pyproject.toml", "README.md"}
    assert not names & unwanted
    assert [name for name in names if re.match(r"(pip|setuptools)-", name)] == []
    assert sorted(each.name for each in (image.root / "etc/shipper/rules.d").iterdir())
    assert (image.root / "usr/share/shipper/rules/nginx.toml").exists()
    assert (image.root / "usr/share/doc/shipper/sbom.cdx.json").exists()
    state = (image.root / "var/lib/shipper").stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (USER, USER, 0o700)
    assert image.user == f"{USER}:{USER}"
    assert image.volumes == ["/var/lib/shipper"]
    assert image.labels["org.opencontainers.image.version"] == "1.2.3"
    assert image.labels["org.opencontainers.image.revision"] == "abc"
    others = [p for p in image.root.rglob("*") if p.lstat().st_uid and "var/lib" not in str(p)]
    assert others == []
    assert {path.name for path in image.root.iterdir()} == {
        *("dev", "etc", "lib", "opt", "proc", "tmp", "usr", "var"),
        *(path.name for path in image.root.glob("lib64")),
    }
    assert len(list(image.root.rglob("libpython3.1*"))) <= 1
    size = sum(path.lstat().st_size for path in image.root.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 110e6, size


def test_it_runs_as_a_number_with_a_root_that_cannot_be_written(image: Image, tmp_path: Path) -> None:
    """Events arrive, the health check is content, SIGTERM to process 1 ends it with 0, and there are no privileges."""
    store = tmp_path / "accepted.jsonl"
    with running(image, store, image.user) as container:
        eventually(lambda: contents(store) == ["node-7 1"])
        container.check_health()
        status = container.status()
        assert status["NSpid"].split()[-1] == "1"
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(USER)}
        assert (status["CapEff"], status["NoNewPrivs"]) == ("0" * 16, "1")
        tried = container.inside("/opt/shipper/bin/python3", "-c", "open('/opt/x', 'w')")
        assert "Read-only file system" in tried.stderr
        with Path(f"{image.root}.logs/pods/shop_web_1/web/0.log").open("a") as log:
            log.write(LINE.format(2))
        eventually(lambda: contents(store) == ["node-7 1", "node-7 2"])
        packs = sorted(
            Path(f"/{path.relative_to(image.root)}") for path in image.root.glob("usr/share/shipper/rules/*")
        )
        tested = container.inside("/opt/shipper/bin/shipper", "test", *map(str, packs))
        assert re.search(r"[1-9]\d* passed, 0 failed", tested.stderr), tested.stderr
        os.kill(int(container.first), 15)
        assert container.process.wait(30) == 0


def test_zones_are_known_to_the_c_library(image: Image, tmp_path: Path) -> None:
    """`zone = "local"` means TZ; without its file it would quietly be UTC."""
    with running(image, tmp_path / "accepted.jsonl", image.user) as container:
        eventually(lambda: contents(tmp_path / "accepted.jsonl"))
        told = container.inside(
            "/opt/shipper/bin/python3", "-c", "import time; print(time.localtime().tm_gmtoff)", TZ="Asia/Shanghai"
        )
        assert told.stdout.strip() == "28800"
        os.kill(int(container.first), 15)
        container.process.wait(30)


def test_root_with_one_capability_reads_what_only_others_may(image: Image, tmp_path: Path) -> None:
    """As the chart runs it: logs that are nobody else's are read, and nothing but the state can be written."""
    store = tmp_path / "accepted.jsonl"
    # the others are for chroot; an engine drops them too
    privileges = "--bounding-set=-all,+dac_read_search,+sys_chroot,+setuid,+setgid --inh-caps=-all"
    with running(image, store, "0:0", privileges) as container:
        pod = Path(f"{image.root}.logs/pods/shop_db_1/db")
        pod.mkdir(parents=True)
        (pod / "0.log").write_text(LINE.format(3))
        for path in (pod / "0.log", pod, pod.parent):
            os.chown(path, 12345, 12345)
            path.chmod(0o700 if path.is_dir() else 0o600)
        eventually(lambda: sorted(contents(store)) == ["node-7 1", "node-7 3"])
        container.check_health()
        os.kill(int(container.first), 15)
        assert container.process.wait(30) == 0
