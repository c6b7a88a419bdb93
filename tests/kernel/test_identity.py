"""What a path means changes under the reader's feet: rewritten, deleted and made anew, led elsewhere by a link."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from shipper.tailing import files as host_files
from shipper.tailing.condition import FileState, conditions
from shipper.tailing.files import LogFile
from shipper.tailing.skipped import Skip
from tests.kernel.agent import LONG_AFTER, Agent
from tests.kernel.counting import CountingFiles
from tests.kernel.filesystem import Kind, kind_of


def append(path: Path, *numbers: int) -> None:
    """Write numbered lines of one length."""
    with path.open("a") as file:
        file.writelines(f"ERROR {number:06}\n" for number in numbers)


def wait(agent: Agent, seconds: float = LONG_AFTER) -> None:
    """Look once a second for so long."""
    for _ in range(int(seconds)):
        agent.look()


@pytest.mark.parametrize("when", ["at once", "when it is idle"])
def test_a_rewrite_that_changes_neither_size_nor_time(root: Path, when: str) -> None:
    """Noticed at once while the file is active, and else with the next line: none is lost or repeated (hazard 1.5)."""
    log = root / "logs/app.log"
    append(log, 1)
    status = log.stat()
    agent = Agent(root, f"{log.parent}/*.log")
    agent.start()
    try:
        agent.look()
        wait(agent, 10.0) if when == "when it is idle" else agent.look(0.5)
        with log.open("w") as file:
            file.write("ERROR 000002\n")
        os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert (log.stat().st_size, log.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        agent.look(0.5)
        if when == "at once":
            assert agent.times()[2] == 1
        append(log, 3)
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == [1, 2, 3]


def reuse(inode: int, path: Path) -> None:
    """Make an empty file with an inode number that is free; others may take some of those below it meanwhile."""
    for _ in range(20):
        made = [path.with_suffix(f".{number}") for number in range(100)]
        for each in made:
            each.touch()
        for each in made:
            if each.stat().st_ino == inode:
                each.rename(path)
            else:
                each.unlink()
        if path.exists():
            return
    pytest.skip("somebody else took the inode first")


@pytest.mark.parametrize("generations", [True, False], ids=["as the disk tells", "without generations"])
@pytest.mark.parametrize("length", [10, 100, 200], ids=["shorter", "as long", "longer"])
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_a_reused_inode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool, length: int, generations: bool
) -> None:
    """A new file with the number of a deleted one is read from its beginning (hazard 1.7)."""
    if kind_of(tmp_path) is not Kind.EXT:
        pytest.skip(f"{tmp_path} is not on ext4, which reuses inode numbers at once")
    if not generations:
        monkeypatch.setattr(host_files, "_generation", lambda _: 0)
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs/app.log"
    append(log, *range(100))
    inode = log.stat().st_ino
    agent = Agent(tmp_path, f"{log.parent}/*.log")
    agent.start()
    try:
        agent.look()
        if stopped:
            agent.stop()
        log.unlink()
        if not stopped:
            # until its last reader closes it the number is not free
            wait(agent)
        reuse(inode, log)
        append(log, *range(1000, 1000 + length))
        if stopped:
            agent.start()
        agent.settle()
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == [*range(100), *range(1000, 1000 + length)]


class Containers:
    """The logs of one container as Kubernetes lays them out: real files below `pods`, a chain of links to the last."""

    def __init__(self, root: Path) -> None:
        self.pod = root / "pods/shop_web-1_2b0f/web"
        self.pod.mkdir(parents=True)
        self.names = root / "logs"
        self.link = self.names / "web-1_shop_web-4c5d.log"
        self.start(0)

    def start(self, restarts: int) -> None:
        """Begin the log of the container's next start, and lead the link to it in one step."""
        self.log = self.pod / f"{restarts}.log"
        self.log.touch()
        middle = self.pod.parent / f"{restarts}-link"
        middle.symlink_to(self.log)
        new = self.names / "new"
        new.symlink_to(middle)
        new.rename(self.link)

    def rotate(self) -> Path:
        """Rotate as the kubelet does; the name of the link stays."""
        rotated = self.log.with_name(f"{self.log.name}.20261125-120000")
        self.log.rename(rotated)
        self.log.touch()
        return rotated


@pytest.mark.parametrize("watched", [False, True], ids=["no watcher", "watcher"])
@pytest.mark.parametrize("restart", [False, True], ids=["up", "restarted"])
def test_a_container_that_restarts_and_rotates_and_goes(root: Path, watched: bool, restart: bool) -> None:
    """Each line once: the unread ends of old targets, the new ones from 0, through a chain of links (1.10, 4.4)."""
    containers = Containers(root)
    agent = Agent(root, f"{containers.names}/*.log", watched=watched, rotated=(f"{root}/pods/*/*/*",))
    agent.start()

    def again() -> None:
        if restart:
            agent.stop()
            agent.start()

    try:
        append(containers.log, *range(50))
        agent.catch_up(range(50))
        first = containers.log
        append(first, *range(50, 60))
        if not restart:
            containers.start(1)
            append(first, 60)
        else:
            append(first, 60)
            agent.stop()
            containers.start(1)
            agent.start()
        append(containers.log, *range(61, 100))
        agent.catch_up(range(100))
        append(containers.log, *range(100, 110))
        rotated = containers.rotate()
        append(rotated, 110)
        again()
        append(containers.log, *range(111, 150))
        agent.catch_up(range(150))
        shutil.rmtree(containers.pod.parent)
        again()
        agent.settle()
        told = agent.following.skipped["app"]
    finally:
        agent.stop()

    assert sorted(agent.times().elements()) == list(range(150))
    assert told == {str(containers.link): Skip("a link to a file that is not there")}


class StaleFiles(CountingFiles):
    """The host's files, of which none can be read while `is_stale`, as those that their server replaced."""

    is_stale = False

    def open(self, path: str) -> LogFile:
        """Open, counted."""
        opened = super().open(path)
        read_at = opened.read_at

        def read(offset: int, length: int) -> bytes:
            data = read_at(offset, length)
            if self.is_stale:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return data

        opened.read_at = read  # type: ignore[method-assign]
        return opened


@pytest.mark.parametrize("when", ["open", "at the start"])
def test_a_file_that_cannot_be_read_costs_little_and_is_read_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    """ESTALE for ten minutes: a few attempts, ever later, and a few lines in the log; then all lines once (2.3)."""
    caplog.set_level("INFO", logger="shipper")
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs/app.log"
    append(log, 1)
    files = StaleFiles()
    agent = Agent(tmp_path, f"{log.parent}/*.log", files=files)
    agent.start()
    try:
        agent.look()
        if when == "at the start":
            agent.stop()
        files.is_stale = True
        if when == "at the start":
            agent.start()
        append(log, 2)
        files.clear()
        wait(agent, 600.0)
        calls = dict(files.calls)
        assert [condition.state for condition in conditions(agent.following, 0.0)] == [FileState.FAILING]
        files.is_stale = False
        append(log, 3)
        wait(agent, 600.0)
        assert [condition.state for condition in conditions(agent.following, 0.0)] == [FileState.IDLE]
        log.unlink()
        wait(agent)
        assert agent.following.failures == {}
    finally:
        agent.stop()

    assert calls["read"] <= 30
    assert calls["open"] <= 30
    assert 1 <= caplog.text.count("Stale file handle") <= 10
    assert sorted(agent.times().elements()) == [1, 2, 3]
