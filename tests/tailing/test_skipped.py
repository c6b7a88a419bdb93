"""What a scan leaves out, by the kind of its reason."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from shipper.config.model import SourceTable
from shipper.tailing.condition import FileState, conditions
from shipper.tailing.files import HostFiles, LogFile, UnreadableError
from shipper.tailing.following import Following
from shipper.tailing.skipped import Skip, Skipped, Why

REFUSED, UNDECIDED, ARCHIVE = Skip("permission denied", Why.REFUSED), Skip("a copy?", Why.UNDECIDED), Skip("compressed")


def test_a_source_is_shut_when_nothing_of_it_is_or_will_be_read() -> None:
    """A copy that is looked at for a few seconds is no reason to alarm; an archive that is left out is no comfort."""
    skipped = Skipped(lambda: 0.0)
    for others, is_any_read, is_all in (
        ({}, False, True),
        ({"/c": ARCHIVE}, False, True),
        ({"/c": UNDECIDED}, False, False),
        ({}, True, False),
    ):
        skipped.note("app", {"/b": REFUSED, "/a": REFUSED, **others}, is_any_read=is_any_read)
        told = skipped.unreadable["app"]
        assert (told.path, told.more, told.is_all) == ("/a", 1, is_all)
    skipped.note("app", {"/c": ARCHIVE}, is_any_read=False)
    assert skipped.unreadable == {}


def test_it_is_known_since_when() -> None:
    """As long as it is as bad as that; what another thread was given stays as it was."""
    now = 100.0
    skipped = Skipped(lambda: now)
    skipped.note("app", {"/a": REFUSED}, is_any_read=True)
    before = skipped.unreadable
    now = 200.0
    skipped.note("app", {"/a": REFUSED, "/b": REFUSED}, is_any_read=True)
    assert (skipped.unreadable["app"].since, skipped.unreadable["app"].more) == (100.0, 1)
    skipped.note("app", {"/a": REFUSED, "/b": REFUSED}, is_any_read=False)
    assert skipped.unreadable["app"].since == 200.0
    skipped.forget("app")
    assert skipped.unreadable == {}
    assert (before["app"].since, before["app"].more) == (100.0, 0)


class FailingFiles(HostFiles):
    """The host's files, none of which can be opened."""

    def __init__(self, number: int) -> None:
        self.number = number

    def open(self, path: str) -> LogFile:
        raise UnreadableError(os.strerror(self.number), self.number)


@pytest.mark.parametrize(
    ("number", "state", "are_unreadable"),
    [
        (errno.EIO, FileState.FAILING, False),
        (errno.ESTALE, FileState.FAILING, False),
        (errno.EPERM, FileState.SKIPPED, True),
    ],
)
def test_a_file_that_fails_is_not_one_that_may_not_be_read(
    tmp_path: Path, number: int, state: FileState, are_unreadable: bool
) -> None:
    """A disk or a mount passes, and is tried again; permission needs a person."""
    log = tmp_path / "a.log"
    log.write_text("1\n")
    source = SourceTable(name="app", paths=(str(log),))
    following = Following([source], (), {}, files=FailingFiles(number))
    following.scan(source, 0.0)
    (told,) = conditions(following, 0.0)
    following.close()

    assert (told.path, told.state) == (str(log), state)
    assert bool(following.unreadable) is are_unreadable
