"""Whether other content is surely the beginning of what was read, from the little that is remembered."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.events import FileIdentity
from shipper.tailing.identity import GUARD_BYTES
from shipper.tailing.trail import MARK_BYTES, MOST_MARKS, PROVING_BYTES, RECENT_BYTES, Trail


class Bytes:
    """Content in memory."""

    identity = FileIdentity(1, 1)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def reaches(self, offset: int) -> bool:
        return len(self._data) >= offset


def lines(size: int, salt: str = "") -> bytes:
    return b"".join(b"%08d %s\n" % (n, salt.encode()) for n in range(size // (10 + len(salt)) + 1))[:size]


def read(data: bytes, piece: int) -> Trail:
    trail = Trail()
    for at in range(0, len(data), piece):
        trail.advance(data[at : at + piece])
    return trail


@settings(deadline=None)
@given(st.integers(1, 300_000), st.integers(1, 70_000), st.integers(0, 300_000))
def test_no_other_content_is_taken_for_its_beginning(size: int, piece: int, end: int) -> None:
    """Whatever the sizes: only equal bytes say yes (hazards 1.3 c, 1.8)."""
    trail = read(lines(size), max(piece, size // 200))
    other = lines(max(1, end), "other")

    assert not trail.leads_through(Bytes(other), len(other)) or lines(size).startswith(other)


@settings(deadline=None)
@given(st.integers(2, 500_000), st.integers(1, RECENT_BYTES - PROVING_BYTES))
def test_a_copy_that_ends_in_what_was_read_last_is_known(size: int, back: int) -> None:
    """Byte by byte (hazard 1.3 c)."""
    data = lines(size)
    trail = read(data, 100_000)
    end = max(1, size - back)

    assert trail.leads_through(Bytes(data[:end]), end)


def test_equal_words_at_the_end_prove_nothing() -> None:
    """Little is known of a file that is read on from a checkpoint; another may end in the same words (hazard 1.8)."""
    read_before = b"1" * 100 + b" the end of both\n" + b"3" * 240
    other = b"2" * 100 + b" the end of both\n"
    trail = Trail()
    trail.reset(len(read_before), read_before[-GUARD_BYTES:])

    assert not trail.leads_through(Bytes(other), len(other))


def test_a_copy_is_known_although_much_was_read_after_it_was_made() -> None:
    """A file that is written fast is megabytes ahead of its copy when it is truncated (hazard 1.3 c)."""
    data = lines(40 * MARK_BYTES)
    trail = read(data, MARK_BYTES // 2)

    for end in (5 * MARK_BYTES, 11 * MARK_BYTES + 7, 39 * MARK_BYTES):
        assert trail.leads_through(Bytes(data[:end]), end)
    assert not trail.leads_through(Bytes(data + b"more"), len(data) + 4)


def test_what_is_remembered_is_bounded_and_an_idle_file_remembers_little() -> None:
    """Thousands of files may be open (hazard 6.5)."""
    data = random.Random(1).randbytes(5 * MOST_MARKS * MARK_BYTES)
    trail = read(data, MARK_BYTES)
    assert len(trail._marks) <= MOST_MARKS
    trail.shorten()
    assert len(trail._recent) <= 256
    assert len(trail._marks) <= 1
    assert trail.leads_through(Bytes(data), len(data))
