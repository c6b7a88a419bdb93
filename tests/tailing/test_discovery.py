"""Finding the files of a source."""

from __future__ import annotations

import errno
import fnmatch
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.tailing import discovery, links
from shipper.tailing.discovery import Discovery, discover
from shipper.tailing.files import HOST_FILES, Listing, LogFile
from shipper.tailing.globs import literal
from shipper.tailing.skipped import Skip, Why

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of another user can only be made by root")


class WatchedFiles:
    """The host's files; counts what is asked, and does something between two questions when told to."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.listed: list[str] = []
        self.before: dict[tuple[str, str], Callable[[], object]] = {}

    def list(self, directory: str) -> Listing:
        self._note("list", directory)
        self.listed.append(directory)
        return HOST_FILES.list(directory)

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        self._note("follow" if follow else "status", path)
        return HOST_FILES.status(path, follow=follow)

    def open(self, path: str) -> LogFile:
        raise AssertionError("discovery opens nothing")

    def _note(self, question: str, path: str) -> None:
        self.asked[question] += 1
        if act := self.before.pop((question, path), None):
            act()


def fails(number: int) -> Callable[[], object]:
    def act() -> object:
        raise OSError(number, os.strerror(number))

    return act


@contextmanager
def as_nobody() -> Iterator[None]:
    """Go on as a user without rights, so that modes count."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """Give a directory into which every user may go."""
    for above in (tmp_path, *tmp_path.parents):
        if above.owner() == tmp_path.owner() and above.stat().st_mode & 0o077 == 0:
            above.chmod(0o711)
    tmp_path.chmod(0o755)
    return tmp_path


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")


def seen(root: Path, *globs: str, exclude: tuple[str, ...] = (), files: WatchedFiles | None = None) -> Discovery:
    return discover([f"{literal(str(root))}/{glob}" for glob in globs], exclude, files=files or HOST_FILES)


def names(root: Path, *globs: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return sorted(os.path.relpath(path, root) for path in seen(root, *globs, exclude=exclude).files)


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.log", ["a.log"]),
        ("**/*.log", ["a.log", "x/b.log", "x/y/c.log"]),
        ("**/b.log", ["x/b.log"]),
        ("x/**", ["x/b.log", "x/b.log.gz", "x/y/c.log"]),
        ("**/**/c.log", ["x/y/c.log"]),
        ("**/x/**/c.log", ["x/y/c.log"]),
        ("**/y/*", ["x/y/c.log"]),
        ("x/?.log", ["x/b.log"]),
        ("x/[a-b].log", ["x/b.log"]),
        ("x/[!b].log", []),
        ("x/y/c.log", ["x/y/c.log"]),
        ("x/*/c.log", ["x/y/c.log"]),
        ("*/y/c.log", ["x/y/c.log"]),
        (".h*", [".hidden.log"]),
        (".hidden/*.log", [".hidden/d.log"]),
        ("missing/*.log", []),
        ("a.log/*", []),
        ("a.log/b", []),
    ],
)
def test_globs(tmp_path: Path, glob: str, expected: list[str]) -> None:
    """Patterns mean what they mean in a shell, with ** for any depth."""
    make(tmp_path, "a.log", "x/b.log", "x/b.log.gz", "x/y/c.log", ".hidden.log", ".hidden/d.log")

    assert expected == names(tmp_path, glob)
    assert seen(tmp_path, glob).skipped == {}


TREE_PATHS = st.lists(st.sampled_from(["a", "b", "ab", "c.log"]), min_size=1, max_size=4).map("/".join)
TREE = st.lists(TREE_PATHS, max_size=6, unique=True)
PARTS = st.lists(st.sampled_from(["**", "*", "a", "a*", "?", "*.log"]), min_size=1, max_size=4).map("/".join)


class TreeFiles:
    """A file system in memory: paths of empty files below /t."""

    def __init__(self, paths: list[str]) -> None:
        self.directories = {"/t": set[str]()}
        self.files: set[str] = set()
        for path in sorted(paths, key=len):
            directory = "/t"
            *above, name = path.split("/")
            for each in above:
                self.directories[directory].add(each)
                directory += f"/{each}"
                self.directories.setdefault(directory, set())
            if f"{directory}/{name}" not in self.directories:
                self.directories[directory].add(name)
                self.files.add(f"{directory}/{name}")
        self.files -= self.directories.keys()

    def list(self, directory: str) -> Listing:
        if directory not in self.directories:
            raise FileNotFoundError(errno.ENOENT, "no such directory", directory)
        found = sorted(self.directories[directory])
        return Listing(
            {name: hash(name) for name in found}, {name for name in found if f"{directory}/{name}" in self.directories}
        )

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        if path not in self.directories and path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        mode = 0o040755 if path in self.directories else 0o100644
        return os.stat_result((mode, hash(path), 1, 1, 0, 0, 0, 0, 0, 0))

    def open(self, path: str) -> LogFile:
        raise AssertionError("discovery opens nothing")


def means(names: list[str], parts: list[str]) -> bool:
    """Say by trying whether the names below the root are just what the parts mean."""
    if not parts:
        return not names
    if parts[0] == "**":
        below = bool(names) and means(names[1:], parts)
        return below or (means(names, parts[1:]) if parts[1:] else bool(names))
    return bool(names) and fnmatch.fnmatchcase(names[0], parts[0]) and means(names[1:], parts[1:])


@given(TREE, PARTS)
def test_the_walk_finds_just_what_the_pattern_means(tree: list[str], parts: str) -> None:
    """A file is found if and only if its whole path is what the pattern means (hazard 2.1)."""
    files = TreeFiles(tree)
    expected = {path for path in files.files if means(path.split("/")[2:], parts.split("/"))}

    assert set(discover([f"/t/{parts}"], (), files=files).files) == expected


def test_excludes_by_name_path_and_directory(tmp_path: Path) -> None:
    """An excluded directory is not entered; a pattern without a slash judges names (hazard 2.1)."""
    make(tmp_path, "a.log", "debug/b.log", "x/c.log", "x/c.log.gz", "x/old/d.log", "x/e.log~")
    files = WatchedFiles()
    found = seen(tmp_path, "**/*", exclude=("*.gz", f"{tmp_path}/debug*", "old", "*~"), files=files)

    assert sorted(found.files) == [f"{tmp_path}/a.log", f"{tmp_path}/x/c.log"]
    assert sorted(files.listed) == [str(tmp_path), f"{tmp_path}/x"]


def test_what_is_named_outright_is_not_excluded_by_the_name_of_a_directory_above(tmp_path: Path) -> None:
    """`exclude = ["app*"]` means names in /var/log/app, not that directory; one with a slash means it, too."""
    make(tmp_path, "app/a.log", "app/app.log")

    assert names(tmp_path, "app/*.log", exclude=("app*",)) == ["app/a.log"]
    assert names(tmp_path, "app/app.log", exclude=("app*",)) == []
    assert names(tmp_path, "app/*.log", exclude=("**/app",)) == []


def test_only_regular_files_are_found(tmp_path: Path) -> None:
    """A FIFO, a directory and a dangling link in the glob are skipped with a reason and block nothing (hazard 2.6)."""
    make(tmp_path, "a.log")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "dir.log").mkdir()
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device.log").symlink_to("/dev/null")
    found = seen(tmp_path, "*.log")

    assert list(found.files) == [str(tmp_path / "a.log")]
    assert found.skipped == {
        str(tmp_path / "pipe.log"): Skip("not a regular file"),
        str(tmp_path / "gone.log"): Skip("a link to a file that is not there"),
        str(tmp_path / "device.log"): Skip("not a regular file"),
    }


def test_directory_links_are_followed_by_names_but_not_by_two_stars(tmp_path: Path) -> None:
    """A loop of links cannot catch the walk (hazard 1.10)."""
    make(tmp_path, "real/a.log")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert names(tmp_path, "**/*.log") == ["real/a.log"]
    assert names(tmp_path, "link/*.log") == ["link/a.log"]
    assert names(tmp_path, "l*/*.log") == ["link/a.log"]
    assert names(tmp_path, "*/loop/*.log") == ["link/loop/a.log", "real/loop/a.log"]


def test_a_chain_of_links_leads_to_its_file(tmp_path: Path) -> None:
    """The path stays as matched, the identity is the file's; a file under two names is under both (hazard 1.10)."""
    make(tmp_path, "data/x.log")
    (tmp_path / "b.log").symlink_to("data/x.log")
    (tmp_path / "a.log").symlink_to("b.log")
    found = seen(tmp_path, "a.log", "data/*.log").files
    link, file = found[f"{tmp_path}/a.log"], found[f"{tmp_path}/data/x.log"]

    assert link.identity == file.identity


@pytest.mark.parametrize("glob", ["loop.log", "*.log", "loop.log/*.log"])
def test_a_loop_of_links_has_a_reason(tmp_path: Path, glob: str) -> None:
    """ELOOP ends in a sentence, not in an endless walk (hazard 1.10)."""
    (tmp_path / "loop.log").symlink_to("pool.log")
    (tmp_path / "pool.log").symlink_to("loop.log")
    found = seen(tmp_path, glob)

    assert not found.files
    assert "symbolic links form a loop" in found.skipped[f"{tmp_path}/loop.log"].reason


@needs_root
@pytest.mark.parametrize("glob", ["theirs/*.log", "theirs/x.log", "*/x.log", "**/x.log"])
def test_a_link_to_what_is_not_its_owners_is_refused(tmp_path: Path, glob: str) -> None:
    """Nobody gets a file read that is not theirs by a link in their own log directory (spec, 3 "Links"; 10.3)."""
    make(tmp_path, "secret", "theirs/own")
    link, own = tmp_path / "theirs/x.log", tmp_path / "theirs/y.log"
    link.symlink_to(tmp_path / "secret")
    own.symlink_to(tmp_path / "theirs/own")
    for path in (tmp_path / "theirs", link, own, tmp_path / "theirs/own"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    found = seen(tmp_path, glob, "theirs/y.log")

    assert found.skipped == {str(link): Skip(links.REFUSED)}
    assert list(found.files) == [str(own)]


@needs_root
def test_a_link_in_a_directory_of_root_is_followed(tmp_path: Path) -> None:
    """The link's directory decides before its owner does (spec, 3 "Links")."""
    make(tmp_path, "secret")
    (tmp_path / "x.log").symlink_to(tmp_path / "secret")
    os.chown(tmp_path / "x.log", NOBODY, NOBODY, follow_symlinks=False)

    assert names(tmp_path, "x.log") == ["x.log"]


@needs_root
@pytest.mark.parametrize("glob", ["app/*/x.log", "*/current/x.log", "app/*/**"])
def test_a_directory_link_that_a_wildcard_leads_to_obeys_the_same_rule(tmp_path: Path, glob: str) -> None:
    """Nobody leads a wildcard into directories of others; what is named outright is followed (hazard 10.3)."""
    make(tmp_path, "secret/x.log", "app/real/x.log")
    link = tmp_path / "app/current"
    link.symlink_to(tmp_path / "secret")
    for path in (tmp_path / "app", link):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    found = seen(tmp_path, glob)

    assert f"{link}/x.log" not in found.files
    assert found.skipped == {str(link): Skip(links.REFUSED)}
    assert names(tmp_path, "app/current/x.log") == ["app/current/x.log"]
    os.chown(tmp_path / "secret", NOBODY, NOBODY)
    assert f"{link}/x.log" in seen(tmp_path, glob).files


def test_own_directories_are_not_entered(tmp_path: Path) -> None:
    """The agent never reads its state, whatever name leads to it (hazard 6.6)."""
    make(tmp_path, "state/x.log", "state/deep/x.log", "a.log")
    (tmp_path / "link").symlink_to(tmp_path / "state")
    globs = ["**/*.log", "*/*.log", "link/*.log", "state/deep/*", "link/deep/x.log", "*/deep/x.log", "l*/**"]
    own = frozenset({str(tmp_path / "state")})
    found = discover([f"{tmp_path}/{glob}" for glob in globs], (), own)

    assert list(found.files) == [str(tmp_path / "a.log")]
    assert found.skipped == {}


def test_wildcards_stay_out_of_the_kernels_directories() -> None:
    """`/**` does not walk /proc; a directory named outright is read (hazard 2.1)."""
    files = WatchedFiles()
    found = discover(["/*/self/limits", "/proc/self/*"], (), files=files)

    assert not any(path in files.listed for path in ("/proc", "/sys", "/dev"))
    assert {found.files[path].glob for path in found.files if path.startswith("/proc/")} <= {"/proc/self/*"}


def test_each_directory_is_listed_once_and_each_matched_file_looked_at_once(tmp_path: Path) -> None:
    """A scan costs one question a directory and one a matching file, over all globs of a source (hazards 2.5, 6.7)."""
    for directory in range(20):
        make(tmp_path, *(f"d{directory}/{number}.log" for number in range(10)), f"d{directory}/other.txt")
    files = WatchedFiles()
    found = seen(tmp_path, "**/*.log", "*/*.log", "d1/*.log", exclude=("9.log",), files=files)

    assert len(found.files) == 180
    assert files.asked == {"list": 21, "status": 180}
    assert Counter(files.listed).most_common(1)[0][1] == 1


def test_all_names_in_listed_directories_are_told(tmp_path: Path) -> None:
    """New siblings of followed files can be noticed without another look (hazard 1.1)."""
    make(tmp_path, "a.log", "b.txt", "x/c.log")
    found = seen(tmp_path, "**/*.log")

    assert found.entries == {
        str(directory): {entry.name: entry.lstat().st_ino for entry in directory.iterdir()}
        for directory in (tmp_path, tmp_path / "x")
    }


def test_a_file_named_outright_makes_its_directory_worth_watching(tmp_path: Path) -> None:
    """It may come later; a directory that is not there cannot be watched yet (hazard 2.1)."""
    assert seen(tmp_path, "a.log", "missing/b.log").directories == {str(tmp_path)}


def test_depth_is_bounded(tmp_path: Path) -> None:
    """A tree that somebody made very deep ends in a reason; what lies above is found (hazards 2.1, 10.3)."""
    deep = tmp_path.joinpath(*["d"] * (discovery.MAX_DEPTH + 5))
    deep.mkdir(parents=True)
    make(tmp_path, "d/a.log", "d/" * discovery.MAX_DEPTH + "last.log", "d/" * (discovery.MAX_DEPTH + 1) + "deeper.log")
    found = seen(tmp_path, "**/*.log")

    assert sorted(os.path.basename(path) for path in found.files) == ["a.log", "last.log"]
    assert list(found.skipped) == [str(tmp_path.joinpath(*["d"] * (discovery.MAX_DEPTH + 1)))]


def test_the_number_of_directories_is_bounded(tmp_path: Path) -> None:
    """A huge tree ends in a reason, and the directories nearest to the top are the ones that are read (hazard 2.1)."""
    make(tmp_path, "near/a.log", *(f"big/{number}/deep/b.log" for number in range(20)))
    glob = f"{tmp_path}/**/*.log"
    found = discover([glob], (), max_directories=6)

    assert list(found.files) == [f"{tmp_path}/near/a.log"]
    assert "more than 6 directories" in found.skipped[glob].reason
    assert list(discover([glob], (), max_directories=42).skipped) == [glob]
    assert discover([glob], (), max_directories=43).skipped == {}


@pytest.mark.parametrize("question", ["status", "follow"])
@pytest.mark.parametrize("name", ["file.log", "link.log"])
def test_a_name_that_vanishes_during_the_walk_is_not_there(tmp_path: Path, question: str, name: str) -> None:
    """Between list and look everything may go; that is no reason to warn (hazard 2.4)."""
    make(tmp_path, "file.log", "target")
    (tmp_path / "link.log").symlink_to("target")
    files = WatchedFiles()
    files.before[question, f"{tmp_path}/{name}"] = (tmp_path / name).unlink
    found = seen(tmp_path, "*.log", files=files)

    assert found.skipped == {}
    # a plain file is looked at in one way only
    assert (f"{tmp_path}/{name}" in found.files) is ((question, name) == ("follow", "file.log"))


def test_a_directory_that_vanishes_while_its_link_is_judged(tmp_path: Path) -> None:
    """The rule for links meets a directory that is not there any more, and the walk goes on (hazards 1.10, 2.4)."""
    make(tmp_path, "x/target", "y/a.log")
    (tmp_path / "x/link.log").symlink_to("target")
    files = WatchedFiles()
    files.before["follow", f"{tmp_path}/x"] = fails(errno.ENOENT)

    assert [*seen(tmp_path, "*/*.log", files=files).files] == [f"{tmp_path}/y/a.log"]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EIO, Why.FAILING),
        (errno.ESTALE, Why.FAILING),
        (errno.ENAMETOOLONG, Why.OTHER),
        (errno.EPERM, Why.REFUSED),
    ],
)
def test_what_cannot_be_looked_at_has_a_reason_and_stops_nothing(tmp_path: Path, number: int, why: Why) -> None:
    """A failing directory or file is said, the others are found, and it is found again when it is back (2.3, 2.4)."""
    make(tmp_path, "a/1.log", "b/2.log", "b/3.log")
    files = WatchedFiles()
    files.before["list", f"{tmp_path}/a"] = files.before["status", f"{tmp_path}/b/2.log"] = fails(number)
    found = seen(tmp_path, "**/*.log", files=files)

    assert list(found.files) == [f"{tmp_path}/b/3.log"]
    assert set(found.skipped) == {f"{tmp_path}/a", f"{tmp_path}/b/2.log"}
    assert {skip.why for skip in found.skipped.values()} == {why}
    assert found.skipped[f"{tmp_path}/a"].reason.startswith("the directory cannot be listed: ")
    assert len(seen(tmp_path, "**/*.log", files=files).files) == 3


def test_a_directory_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """Renamed away and back, or deleted and made anew: each scan says what is there then (hazard 2.4)."""
    make(tmp_path, "app/a.log")
    (tmp_path / "app").rename(tmp_path / "gone")
    away = seen(tmp_path, "app/*.log")
    (tmp_path / "gone").rename(tmp_path / "app")

    assert (away.files, away.skipped, away.directories) == ({}, {}, set())
    assert names(tmp_path, "app/*.log") == ["app/a.log"]


@needs_root
def test_a_refused_directory_says_who_may_do_what_about_it(open_path: Path) -> None:
    """EACCES names the component that refuses, its mode and the remedy; permission that returns is used (10.1, 2.4)."""
    make(open_path, "closed/deep/a.log", "unlisted/b.log")
    (open_path / "closed").chmod(0o700)
    (open_path / "unlisted").chmod(0o711)
    globs = ("closed/deep/*.log", "closed/deep/a.log", "unlisted/*.log", "unlisted/b.log")
    with as_nobody():
        found = seen(open_path, *globs)

    assert list(found.files) == [f"{open_path}/unlisted/b.log"]
    assert set(found.skipped) == {f"{open_path}/{each}" for each in ("closed/deep", "closed/deep/a.log", "unlisted")}
    assert {skip.why for skip in found.skipped.values()} == {Why.REFUSED}
    said = {path.removeprefix(f"{open_path}/"): skip.reason for path, skip in found.skipped.items()}
    assert f"the directory {open_path}/closed (mode 0700, owner root" in said["closed/deep/a.log"]
    assert f"setfacl -m u:nobody:x {open_path}/closed" in said["closed/deep"]
    assert f"setfacl -m u:nobody:rx {open_path}/unlisted" in said["unlisted"]
    (open_path / "closed").chmod(0o755)
    (open_path / "unlisted").chmod(0o755)
    with as_nobody():
        assert len(seen(open_path, *globs).files) == 2


@pytest.mark.parametrize(
    "name", ["new\nline.log", "quo'te\".log", "\udcff\udcfe.log", "st*r[?].log", " .log", "-x.log"]
)
def test_any_name_is_found_in_any_directory(tmp_path: Path, name: str) -> None:
    """Names are bytes; nothing in them steers the walk (hazard 10.3)."""
    directory = f"d{name}"
    os.makedirs(os.fsencode(tmp_path / directory))
    Path(os.fsdecode(os.fsencode(tmp_path / directory / name))).write_text("x\n")

    for glob in ("**/*.log", f"{literal(directory)}/*.log", f"*/{literal(name)}", literal(f"{directory}/{name}")):
        assert names(tmp_path, glob) == [f"{directory}/{name}"]


def append(file: Path) -> None:
    with file.open("a") as log:
        log.write("more\n")


def touch(file: Path) -> None:
    os.utime(file, ns=(0, 1))


def append_within_a_stamp(file: Path) -> None:
    """Let it grow, and its time be the same: stamps are coarse."""
    status = file.stat()
    append(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(file: Path) -> None:
    """Put another file there, of the same size and time."""
    status = file.stat()
    new = file.with_name("new")
    new.write_bytes(b"X" * status.st_size)
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(file)


@pytest.mark.parametrize("change", [append, append_within_a_stamp, touch, replace])
def test_what_is_as_the_last_scan_found_it_is_not_made_anew(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Thousands of idle files cost little and are held once; one that changed in anything is told as it is (6.7)."""
    for name in ("idle.log", "changed.log"):
        (tmp_path / name).write_text("a line\n")
    globs = [f"{literal(str(tmp_path))}/*.log"]
    before = discover(globs, ()).files
    change(tmp_path / "changed.log")
    after = discover(globs, (), before=before).files

    assert after == discover(globs, ()).files
    idle, changed = (f"{tmp_path}/{name}" for name in ("idle.log", "changed.log"))
    assert after[idle] is before[idle]
    assert after[changed] != before[changed]
    assert discover([f"{literal(str(tmp_path))}/idle.*"], (), before=before).files[idle].glob.endswith("/idle.*")
