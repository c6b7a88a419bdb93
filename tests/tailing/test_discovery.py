"""Finding the files of a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipper.tailing.discovery import discover
from shipper.tailing.globs import excluded


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")


def names(root: Path, *globs: str, exclude: tuple[str, ...] = ()) -> list[str]:
    found = discover([f"{root}/{glob}" for glob in globs], exclude)
    return sorted(os.path.relpath(path, root) for path in found.files)


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.log", ["a.log"]),
        ("**/*.log", ["a.log", "x/b.log", "x/y/c.log"]),
        ("**/b.log", ["x/b.log"]),
        ("x/**", ["x/b.log", "x/b.log.gz", "x/y/c.log"]),
        ("x/?.log", ["x/b.log"]),
        ("x/[a-b].log", ["x/b.log"]),
        ("x/[!b].log", []),
        ("x/y/c.log", ["x/y/c.log"]),
        ("x/*/c.log", ["x/y/c.log"]),
        (".h*", [".hidden.log"]),
        ("missing/*.log", []),
    ],
)
def test_globs(tmp_path: Path, glob: str, expected: list[str]) -> None:
    """Patterns mean what they mean in a shell, with ** for any depth."""
    make(tmp_path, "a.log", "x/b.log", "x/b.log.gz", "x/y/c.log", ".hidden.log")

    assert expected == names(tmp_path, glob)


def test_excludes_by_name_path_and_directory(tmp_path: Path) -> None:
    """An excluded directory is not entered; a pattern without a slash judges names."""
    make(tmp_path, "a.log", "debug/b.log", "x/c.log", "x/c.log.gz")

    assert names(tmp_path, "**/*", exclude=("*.gz", f"{tmp_path}/debug*")) == ["a.log", "x/c.log"]


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/var/log/app/x.gz", "**/*.gz", True),
        ("/var/log/app/x.log", "**/*.gz", False),
        ("/var/log/app/debug.log", "/var/log/app/debug*", True),
        ("/var/log/app/debug/x.log", "/var/log/app/debug*", True),
        ("/var/log/app/x/debug.log", "/var/log/app/debug*", False),
        ("/var/log/app/x.log", "x.*", True),
        ("/var/log/a.b/x", "/var/log/a?b/x", True),
        ("/var/log/a/b", "/var/log/a?b", False),
    ],
)
def test_exclude_patterns(path: str, pattern: str, expected: bool) -> None:
    """A star stays within a name, two span directories."""
    assert excluded(path, (pattern,)) is expected


def test_only_regular_files_are_found(tmp_path: Path) -> None:
    """A FIFO, a directory and a dangling link in the glob are skipped with a reason and block nothing (hazard 2.6)."""
    make(tmp_path, "a.log")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "dir.log").mkdir()
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")
    found = discover([f"{tmp_path}/*.log"], ())

    assert [str(tmp_path / "a.log")] == list(found.files)
    assert found.skipped == {
        str(tmp_path / "pipe.log"): "not a regular file",
        str(tmp_path / "gone.log"): "a link to a file that is not there",
    }


def test_directory_links_are_followed_by_names_but_not_by_two_stars(tmp_path: Path) -> None:
    """A loop of links cannot catch the walk (hazard 1.10)."""
    make(tmp_path, "real/a.log")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert names(tmp_path, "**/*.log") == ["real/a.log"]
    assert names(tmp_path, "link/*.log") == ["link/a.log"]


def test_own_directories_are_not_entered(tmp_path: Path) -> None:
    """The agent never reads its state (hazard 6.6)."""
    make(tmp_path, "state/x.log", "a.log")
    found = discover([f"{tmp_path}/**/*.log"], (), frozenset({str(tmp_path / "state")}))

    assert [str(tmp_path / "a.log")] == list(found.files)
