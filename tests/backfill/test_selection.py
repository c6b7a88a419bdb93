"""Which files a backfill reads, and as files of which source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipper.backfill.selection import families, select, source_of
from shipper.config.model import SourceTable

APP = SourceTable(name="app", paths=("/var/log/app/*.log",), exclude=("debug*",))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/var/log/app/a.log", "app"),
        ("/var/log/app/a.log.1", "app"),
        ("/var/log/app/a.log.12.gz", "app"),
        ("/var/log/app/a.log-20261123", "app"),
        ("/var/log/app/a.log-20261123.gz", "app"),
        ("/var/log/app/a.log.2026-11-23.gz", "app"),
        ("/var/log/app/a.log.3.bz2", "app"),
        ("/var/log/app/a.log-20261123.xz", "app"),
        ("/var/log/app/a.log.zst", "app"),
        ("/var/log/app/debug.log", None),
        ("/var/log/app/a.log.backup", None),
        ("/var/log/other/a.log", None),
    ],
)
def test_rotated_names_belong_to_their_source(path: str, source: str | None) -> None:
    """A path, or its name without rotation and compression suffixes, under a source's globs (spec, section 2)."""
    found = source_of(path, [APP])

    assert (found.name if found else None) == source


def test_directories_globs_and_files_are_taken_once_the_oldest_first(tmp_path: Path) -> None:
    """However often a file is named."""
    for age, name in enumerate(["new.log", "sub/old.log.1", "sub/oldest.log.2"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        os.utime(path, (1000 - age, 1000 - age))
    found = select([str(tmp_path), f"{tmp_path}/*.log", str(tmp_path / "new.log")], [], None)

    names = [Path(each.path).name for family in families(found) for each in family]
    assert names == ["oldest.log.2", "old.log.1", "new.log"]
    assert [Path(each.path).name for each in found if each.is_named] == ["new.log"]


def test_a_link_to_nowhere_is_left_out_of_a_directory(tmp_path: Path) -> None:
    """It is an error only where somebody named it."""
    (tmp_path / "a.log").write_text("x")
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")

    assert [each.path for each in select([f"{tmp_path}/*.log"], [], None)] == [str(tmp_path / "a.log")]
    with pytest.raises(FileNotFoundError):
        select([str(tmp_path / "gone.log")], [], None)


def test_a_path_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    """A mistyped name is not silently nothing."""
    with pytest.raises(FileNotFoundError):
        select([f"{tmp_path}/*.log"], [], None)
    with pytest.raises(FileNotFoundError):
        select([str(tmp_path / "missing.log")], [], None)
