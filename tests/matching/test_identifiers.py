"""`{id}`: its layout never changes, or receivers could no longer drop duplicates."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.identifiers import EventIds


def event_id(hostname: str, head: bytes, offset: int, record: bytes, rule: str) -> str:
    return EventIds(hostname, rule).of(head, offset, record)


def independent(hostname: str, head: bytes, offset: int, record: bytes, rule: str) -> str:
    """Do what the contract says, written a second time: all fields framed, hashed at once."""
    fields = [hostname.encode(), head, str(offset).encode("ascii"), record, rule.encode()]
    framed = b"".join(struct.pack(">Q", len(field)) + field for field in fields)
    return hashlib.blake2b(framed, digest_size=16).digest().hex()


def test_a_known_answer_stays() -> None:
    """This id was computed once by hand and may never change (spec, section 4 "{id}")."""
    assert event_id("web-1", b"first line", 4096, b"an error", "java-oom") == PINNED
    assert independent("web-1", b"first line", 4096, b"an error", "java-oom") == PINNED


PINNED = "bf389cde9b93f96910075e7195c273b6"
HOSTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(HOSTS, st.binary(max_size=20), st.integers(0, 2**63), st.binary(max_size=20), HOSTS)
def test_it_is_what_the_contract_says(hostname: str, head: bytes, offset: int, record: bytes, rule: str) -> None:
    """Length and bytes of each field, in BLAKE2b with 16 bytes, in hex: any receiver can compute it."""
    made = event_id(hostname, head, offset, record, rule)

    assert made == independent(hostname, head, offset, record, rule)
    assert len(made) == 32
    assert made == made.lower()


@pytest.mark.parametrize(
    "other",
    [
        ("web-2", b"first", 10, b"record", "rule"),
        ("web-1", b"First", 10, b"record", "rule"),
        ("web-1", b"first", 11, b"record", "rule"),
        ("web-1", b"first", 10, b"record ", "rule"),
        ("web-1", b"first", 10, b"record", "rule2"),
    ],
)
def test_every_field_counts(other: tuple[str, bytes, int, bytes, str]) -> None:
    """Another host, file, place, record or rule is another id."""
    assert event_id(*other) != event_id("web-1", b"first", 10, b"record", "rule")


def test_fields_do_not_run_into_each_other() -> None:
    """Where one field ends and the next begins is part of what is hashed."""
    ids = {
        event_id("ab", b"c", 1, b"", "r"),
        event_id("a", b"bc", 1, b"", "r"),
        event_id("a", b"b", 1, b"c", "r"),
        event_id("", b"abc", 1, b"", "r"),
        event_id("", b"abc1", 0, b"", "r"),
        event_id("ab", b"", 1, b"c", "r"),
        event_id("ab", b"", 1, b"", "cr"),
        event_id("ab", b"", 1, b"cr", ""),
        event_id("", b"", 11, b"", ""),
        event_id("", b"", 1, b"1", ""),
    }
    assert len(ids) == 10


def test_a_host_name_that_is_no_text_has_an_id() -> None:
    """A lone surrogate (an undecodable byte of a host name) is no reason to fail."""
    assert len(event_id("h\udcff", b"", 0, b"", "r\udcff")) == 32


def test_one_file_after_the_other() -> None:
    """Each id has its own file's first line in it, in whatever order files are read."""
    ids = EventIds("web-1", "rule")
    heads = [b"first", b"second", b"first", b"second"]

    assert [ids.of(head, 7, b"record") for head in heads] == [
        independent("web-1", head, 7, b"record", "rule") for head in heads
    ]
