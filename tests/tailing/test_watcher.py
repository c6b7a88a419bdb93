"""Hints of the real kernel: what is heard, what is not, and that it is known which of both."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import resource
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shipper import telemetry
from shipper.tailing.discovery import discover
from shipper.tailing.hints import MOST_NOTICES, WINDOW, Hints, Notebook
from shipper.tailing.inotify import Inotify, Watch
from shipper.tailing.watcher import BUSY_FOR, RETRY, Watcher
from tests.conftest import eventually

PROBES = itertools.count()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Refusing(Inotify):
    """The host's inotify, with a limit or a fault put in by the test."""

    def __init__(self, notebook: Notebook, room: int = 1000, refused: Mapping[str, int] | None = None) -> None:
        super().__init__(notebook)
        self.room = room
        self.refused = refused or {}

    def listen(self, directory: str) -> Watch:
        number = self.refused.get(os.path.basename(directory)) or (0 if self.room else errno.ENOSPC)
        if number:
            raise OSError(number, os.strerror(number))
        self.room -= 1
        return super().listen(directory)


class Listening:
    """A watcher with all that it is given."""

    def __init__(self, **given: Callable[..., object]) -> None:
        self.wake = threading.Event()
        self.clock = Clock()
        self.watcher = Watcher(self.wake, monotonic=self.clock, **given)  # type: ignore[arg-type]

    def watch(self, *directories: Path) -> None:
        self.watcher.watch({str(directory) for directory in directories})

    def hears(self, directory: Path) -> bool:
        return self.watcher.hears(str(directory))

    def heard(self, wanted: Callable[[Hints], object]) -> Hints:
        """Wait until all that was heard since the last call is what is wanted."""
        all_hints = Hints()

        def came() -> object:
            hints = self.watcher.take()
            all_hints.written |= hints.written
            all_hints.stirred |= hints.stirred
            all_hints.overflowed |= hints.overflowed
            return wanted(all_hints)

        eventually(came, what="the hint did not come")
        return all_hints


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.watcher.close()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "shipper")
    return lambda: [getattr(record, "code", "") for record in caplog.records if record.name == "shipper"]


def directories(root: Path, *names: str) -> list[Path]:
    made = [root / name for name in names]
    for directory in made:
        directory.mkdir()
    return made


def is_heard_of(listening: Listening, directory: Path) -> bool:
    """Tell by trying whether a new file and a write in it come as hints."""
    listening.watcher.take()
    probe = directory / f"probe-{next(PROBES)}.log"
    with probe.open("x") as file:
        listening.heard(lambda hints: str(directory) in hints.stirred)
        file.write("x")
        file.flush()
        listening.heard(lambda hints: str(probe) in hints.written)
    return True


def test_names_and_writes_are_heard(listening: Listening, tmp_path: Path) -> None:
    """Create, write, move out, chmod and delete come as hints and wake the reader (hazards 2.1, 2.2)."""
    here, there = directories(tmp_path, "here", "there")
    listening.watch(here)
    file = here / "a.log"
    for act in (
        file.touch,
        lambda: file.chmod(0o600),
        lambda: file.rename(there / "a.log"),
        lambda: (there / "a.log").rename(file),
        file.unlink,
    ):
        listening.watcher.take()
        listening.wake.clear()
        act()
        assert listening.heard(lambda hints: hints.stirred).stirred == {str(here)}
        assert listening.wake.is_set()

    assert is_heard_of(listening, here)
    assert not listening.hears(there)


def test_a_directory_is_to_be_looked_at_once_it_is_listened_to(listening: Listening, tmp_path: Path) -> None:
    """What came before is found by the scan that this asks for; the next calls ask for none (hazard 2.1)."""
    listening.watch(tmp_path)

    assert listening.watcher.take().stirred == {str(tmp_path)}
    listening.watch(tmp_path)
    assert listening.watcher.take() == Hints()


def write_too_often(listening: Listening, *names: Path) -> None:
    """Write to a file in each of some directories until all of them are too busy to be heard."""

    def all_busy() -> bool:
        for directory in names:
            with (directory / "busy.log").open("a") as file:
                file.write("x")
        return listening.watcher.busy() == {str(directory) for directory in names}

    eventually(all_busy, what="nothing became too busy")


def test_writes_that_come_too_often_are_not_heard(listening: Listening, tmp_path: Path) -> None:
    """Names still are, and the writes of a quiet neighbour; all of them again after a while (hazards 6.2, 6.7)."""
    busy, quiet = directories(tmp_path, "busy", "quiet")
    file = busy / "a.log"
    file.touch()
    listening.watch(busy, quiet)
    assert is_heard_of(listening, busy)
    write_too_often(listening, busy)
    # what was noticed before it became too busy
    assert is_heard_of(listening, quiet)
    listening.watcher.take()
    listening.watch(busy, quiet)
    file.write_text("written before the name that is heard\n")
    (busy / "new.log").touch()
    hints = listening.heard(lambda hints: hints.stirred)

    assert (hints.written, hints.stirred) == (set(), {str(busy)})
    assert listening.hears(busy)
    listening.clock.now += BUSY_FOR
    listening.watch(busy, quiet)
    assert listening.watcher.busy() == set()
    assert is_heard_of(listening, busy)


def test_many_directories_share_what_may_be_heard(tmp_path: Path) -> None:
    """The more of them are written at once the sooner each is too busy; a single write never is (hazard 6.7)."""
    clock = Clock()
    notebook = Notebook(threading.Event(), monotonic=clock)
    often = [notebook.written("/alone/a.log", "/alone") for _ in range(MOST_NOTICES + 1)]
    assert often == [False] * MOST_NOTICES + [True]
    clock.now += WINDOW
    assert not any(notebook.written(f"/{number}/a.log", f"/{number}") for number in range(MOST_NOTICES))
    assert all(notebook.written(f"/{number}/a.log", f"/{number}") for number in range(MOST_NOTICES))


def test_both_names_of_a_busy_directory_are_too_busy(listening: Listening, tmp_path: Path) -> None:
    """A link and what it leads to are one to the kernel: whose files are to be looked at is known of both (2.1)."""
    (real,) = directories(tmp_path, "real")
    link = tmp_path / "link"
    link.symlink_to(real)
    listening.watch(real)
    for number in range(MOST_NOTICES - 1):
        # not twice the same in a row: that would be one notice
        with (real / f"{number % 2}.log").open("a") as file:
            file.write("x")
    assert is_heard_of(listening, real)
    listening.watch(real, link)
    with (real / "0.log").open("a") as file:
        file.write("the first that is heard under both names\n")

    eventually(lambda: listening.watcher.busy() == {str(real), str(link)})
    listening.watch(real, link)
    listening.clock.now += BUSY_FOR
    listening.watch(real, link)
    assert listening.watcher.busy() == set()
    assert is_heard_of(listening, link)


def test_another_directory_under_the_name_is_not_taken_for_the_one_that_was_heard(tmp_path: Path) -> None:
    """Its path means another one when writes are to be heard again: that is said, and nothing is kept of it (2.4)."""
    directory = tmp_path / "parent/app"
    directory.mkdir(parents=True)
    notebook = Notebook(threading.Event())
    inotify = Inotify(notebook)
    try:
        watch = inotify.listen(str(directory))
        parent_away_and_new(directory)
        with pytest.raises(FileNotFoundError):
            inotify.hear_writes(watch)
        (directory / "a.log").touch()
        (tmp_path / "parent-away/app/a.log").touch()
        eventually(lambda: notebook.take().stirred)
        inotify.forget(watch)
        assert inotify.listen(str(directory)).descriptor != watch.descriptor
    finally:
        inotify.close()


def test_a_link_to_a_directory_is_heard_under_its_own_name(listening: Listening, tmp_path: Path) -> None:
    """The directory is listened to, not the link; both names at once work, too (hazard 1.10)."""
    (real,) = directories(tmp_path, "real")
    link = tmp_path / "link"
    link.symlink_to(real)
    listening.watch(link, real)

    assert is_heard_of(listening, link)
    assert is_heard_of(listening, real)
    listening.watch(link)
    assert is_heard_of(listening, link)


def replaced(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


def away_and_new(directory: Path) -> None:
    directory.rename(directory.with_name("away"))
    directory.mkdir()


def away_and_back(directory: Path) -> None:
    directory.rename(directory.with_name("away"))
    directory.with_name("away").rename(directory)


def parent_away_and_new(directory: Path) -> None:
    directory.parent.rename(directory.parent.with_name("parent-away"))
    directory.mkdir(parents=True)


@pytest.mark.parametrize("change", [replaced, away_and_new, away_and_back, parent_away_and_new])
def test_a_directory_that_comes_back_is_listened_to_again(
    listening: Listening, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """A watch on what the path meant before is worth nothing: the next call makes a new one (hazard 2.4)."""
    directory = tmp_path / "parent/app"
    directory.mkdir(parents=True)
    listening.watch(directory)
    assert is_heard_of(listening, directory)
    change(directory)
    if change is replaced:
        # it may have the inode of the one before: then only the kernel's notice, which may be late, tells them apart
        eventually(lambda: not listening.hears(directory))
    listening.watch(directory)

    assert listening.hears(directory)
    assert is_heard_of(listening, directory)


def test_a_directory_that_is_gone_is_not_relied_on(listening: Listening, tmp_path: Path) -> None:
    """It is said at once, and looked at; it is no reason to warn (hazard 2.4)."""
    (directory,) = directories(tmp_path, "app")
    listening.watch(directory)
    listening.watcher.take()
    directory.rename(tmp_path / "away")

    assert listening.heard(lambda hints: hints.stirred).stirred == {str(directory)}
    eventually(lambda: not listening.hears(directory))
    before = telemetry.counts()
    listening.watch(directory)
    assert not listening.hears(directory)
    assert telemetry.counts() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_mount_over_a_directory_is_noticed(listening: Listening, tmp_path: Path) -> None:
    """Mounting and unmounting change what the path means; each time the new directory is heard (hazard 2.4)."""
    (directory,) = directories(tmp_path, "volume")
    listening.watch(directory)
    if os.system(f"mount -t tmpfs none '{directory}' 2>/dev/null"):
        pytest.skip("this container may not mount")
    try:
        listening.watch(directory)
        assert is_heard_of(listening, directory)
    finally:
        os.system(f"umount '{directory}'")
    eventually(lambda: not listening.hears(directory))
    listening.watch(directory)
    assert is_heard_of(listening, directory)


class StallingWake(threading.Event):
    """Keeps the thread that hears from going on, so that the kernel's queue fills."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def set(self) -> None:
        super().set()
        self.stalled.set()
        self.go_on.wait(60)


def test_overflow_is_known_and_all_files_are_found(
    listening: Listening, tmp_path: Path, told: Callable[[], list[str]]
) -> None:
    """When the kernel drops notices, everything is to be looked at; hints go on afterwards (hazard 2.2)."""
    (directory,) = directories(tmp_path, "app")
    wake = StallingWake()
    watcher = Watcher(wake, monotonic=listening.clock)
    listening.watcher.close()
    listening.watcher = watcher
    listening.watch(directory)
    watcher.take()
    wake.stalled.clear()
    wake.go_on.clear()
    (directory / "first").touch()
    eventually(wake.stalled.is_set)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(most // 2 + 50):
        os.close(os.open(directory / "storm", os.O_CREAT | os.O_WRONLY))
        os.unlink(directory / "storm")
    (directory / "dropped.log").write_text("its notices were dropped\n")
    count = telemetry.counts().get("hints_overflowed", 0)
    wake.go_on.set()

    assert listening.heard(lambda hints: hints.overflowed).overflowed
    assert f"{directory}/dropped.log" in discover([f"{directory}/*.log"], ()).files
    assert is_heard_of(listening, directory)
    assert telemetry.counts()["hints_overflowed"] == count + 1
    assert told().count("hints_overflowed") == 1


def test_overflow_is_told_seldom_and_always_counted(listening: Listening, told: Callable[[], list[str]]) -> None:
    """A storm that lasts fills no log (hazard 6.6)."""
    notebooks: list[Notebook] = []

    def begin(notebook: Notebook) -> Inotify:
        notebooks.append(notebook)
        raise OSError(errno.EMFILE, "no")

    stormy = Listening(begin=begin)
    stormy.watch(Path("/"))
    count = telemetry.counts().get("hints_overflowed", 0)
    for later in (0, 1, RETRY):
        stormy.clock.now += later
        notebooks[0].overflowed()
        assert stormy.watcher.take().overflowed
    assert not stormy.watcher.take().overflowed
    assert telemetry.counts()["hints_overflowed"] == count + 3
    assert told().count("hints_overflowed") == 2


def test_the_number_of_hints_is_bounded() -> None:
    """More written files than anybody follows become one hint to look at all (invariant I4)."""
    notebook = Notebook(threading.Event(), most=2)
    for path in ("/a", "/b", "/a"):
        notebook.written(path, "/")
    assert notebook.take() == Hints({"/a", "/b"})
    for path in ("/a", "/b", "/c"):
        notebook.written(path, "/")
    assert notebook.take() == Hints({"/a", "/b"}, overflowed=True)


def test_without_watches_the_rest_is_polled(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    """ENOSPC is said once with what to do, and tried again later and when the directories change (hazard 2.2)."""
    a, b, c, d = directories(tmp_path, "a", "b", "c", "d")
    made: list[Refusing] = []

    def begin(notebook: Notebook) -> Inotify:
        made.append(Refusing(notebook, room=1))
        return made[-1]

    listening = Listening(begin=begin)
    try:
        listening.watch(a, b, c)
        listening.watch(a, b, c)
        assert [listening.hears(each) for each in (a, b, c)] == [True, False, False]
        listening.watch(a, b, c, d)
        assert told().count("watches_exhausted") == 1
        made[0].room = 2
        listening.watch(a, b, c, d)
        assert not listening.hears(b)
        listening.clock.now += RETRY
        listening.watch(a, b, c, d)
        assert [listening.hears(each) for each in (a, b, c, d)] == [True, True, True, False]
        listening.watch(a, d)
        made[0].room = 1
        listening.watch(d)
        assert listening.hears(d)
        assert is_heard_of(listening, d)
    finally:
        listening.watcher.close()


def test_the_message_about_watches_names_the_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says which limit, what it is, how to raise it, and how many directories it concerns (hazard 2.2)."""
    made = directories(tmp_path, "a", "b")

    def begin(notebook: Notebook) -> Inotify:
        return Refusing(notebook, room=0)

    listening = Listening(begin=begin)
    listening.watch(*made)
    listening.watcher.close()
    limit = Path("/proc/sys/fs/inotify/max_user_watches").read_text().strip()

    assert f"`sysctl fs.inotify.max_user_watches=...`, now {limit}." in caplog.text
    assert f"{made[0]} and 1 more cannot be watched" in caplog.text


def test_without_an_instance_everything_is_polled(
    listening: Listening, tmp_path: Path, told: Callable[[], list[str]]
) -> None:
    """EMFILE at the start stops nothing; it is said once, tried again, and heard when there is room (hazard 2.2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        listening.watch(tmp_path)
        listening.watch(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert not listening.hears(tmp_path)
    assert told() == ["inotify_not_begun"]
    listening.watch(tmp_path)
    assert not listening.hears(tmp_path)
    listening.clock.now += RETRY
    listening.watch(tmp_path)
    assert listening.hears(tmp_path)
    assert is_heard_of(listening, tmp_path)


def test_a_directory_that_refuses_is_told_once_until_it_is_heard(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    """One bad directory is polled and the others are heard (hazards 2.2, 10.1)."""
    good, bad = directories(tmp_path, "good", "bad")
    made: list[Refusing] = []

    def begin(notebook: Notebook) -> Inotify:
        made.append(Refusing(notebook, refused={"bad": errno.EACCES}))
        return made[0]

    listening = Listening(begin=begin)
    try:
        for _ in range(3):
            listening.watch(good, bad)
            assert (listening.hears(good), listening.hears(bad)) == (True, False)
            listening.clock.now += RETRY
        assert told() == ["directory_not_watched"]
        made[0].refused = {}
        listening.watch(good, bad)
        assert listening.hears(bad)
    finally:
        listening.watcher.close()


def open_descriptors() -> set[int]:
    with os.scandir("/proc/self/fd") as entries:
        listed = {int(entry.name) for entry in entries}
    # the listing itself needed one
    return {number for number in listed if os.path.lexists(f"/proc/self/fd/{number}")}


@pytest.mark.parametrize("free", [0, 1, 2])
def test_an_instance_without_room_for_all_its_descriptors_leaks_none(free: int) -> None:
    """It is tried again and again: each failure gives back what it took (hazards 2.2, 6.1)."""
    before = open_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the lowest free numbers are those given next: the limit leaves just so many
    room = next(number for number in itertools.count() if number - len([d for d in before if d < number]) == free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
    try:
        with pytest.raises(OSError, match=r".") as raised:
            Inotify(Notebook(threading.Event()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised.value.errno == errno.EMFILE
    assert open_descriptors() == before


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR])
def test_what_cannot_be_listened_to_raises(tmp_path: Path, number: int) -> None:
    """The instance answers with the system's own error and goes on."""
    (tmp_path / "file").touch()
    path = tmp_path / ("missing" if number == errno.ENOENT else "file")
    inotify = Inotify(Notebook(threading.Event()))
    try:
        with pytest.raises(OSError, match=r".") as raised:
            inotify.listen(str(path))
        assert raised.value.errno == number
        assert inotify.listen(str(tmp_path)).writes
    finally:
        inotify.close()


def test_network_file_systems_are_never_relied_on(tmp_path: Path, told: Callable[[], list[str]]) -> None:
    """They are polled by themselves, told once for a mount; and heard when the path means a local disk (hazard 2.3)."""
    a, b = directories(tmp_path, "a", "b")
    silent: dict[int, str] = {tmp_path.stat().st_dev: "nfs4"}
    asked: list[int] = []

    def devices() -> Mapping[int, str]:
        asked.append(1)
        return silent

    listening = Listening(silent=devices)
    try:
        for _ in range(3):
            listening.watch(a, b)
            assert not listening.hears(a)
            assert not listening.hears(b)
        assert told() == ["file_system_polled"]
        assert len(asked) == 1
        silent.clear()
        listening.clock.now += RETRY
        listening.watch(a, b)
        assert is_heard_of(listening, a)
    finally:
        listening.watcher.close()


def test_one_thread_listens_to_a_thousand_directories(listening: Listening, tmp_path: Path) -> None:
    """Watching costs one thread and one descriptor, however many directories there are (invariant I4, hazard 2.5)."""
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    made = directories(tmp_path, *(f"d{number}" for number in range(1000)))
    listening.watch(*made)
    after = threading.active_count(), len(os.listdir("/proc/self/fd"))

    assert all(listening.hears(directory) for directory in made)
    assert after[0] - before[0] == 1
    # the instance, and the pipe that ends its thread
    assert after[1] - before[1] == 3
    assert is_heard_of(listening, made[500])
    listening.watch(made[0])
    assert not listening.hears(made[500])


def test_names_that_are_no_text_are_heard(listening: Listening, tmp_path: Path) -> None:
    """Paths are bytes (hazard 10.3)."""
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n[*]"))
    directory.mkdir()
    listening.watch(directory)

    assert is_heard_of(listening, directory)
