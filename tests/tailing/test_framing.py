"""Cutting bytes into whole records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipper.tailing.framing import cut_head, first_line, line_is_over, strip_terminator, whole_records

LINES = st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=12)


@given(LINES, st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), st.integers(1, 12))
def test_whole_records_are_the_longest_run_of_short_lines(lines: list[bytes], rest: bytes, limit: int) -> None:
    """Every finished line up to the first one over the limit is taken, and nothing else."""
    data = b"".join(line + b"\n" for line in lines) + rest
    expected = 0
    for line in lines:
        if len(line) > limit:
            break
        expected += len(line) + 1

    assert expected == whole_records(data, limit)


@given(st.binary(max_size=20), st.integers(1, 12))
def test_a_line_is_over_exactly_when_it_is_longer_than_the_limit(data: bytes, limit: int) -> None:
    """The newline itself does not count."""
    assert (len(data.split(b"\n")[0]) > limit) == line_is_over(data, limit)


@given(st.text(min_size=30), st.integers(4, 25))
def test_a_cut_never_goes_through_a_character(text: str, limit: int) -> None:
    """Whatever the text, the kept head is valid UTF-8 and at most three bytes shorter than the limit."""
    data = text.encode("utf-8", "replace")
    kept = cut_head(data, limit)

    assert data[:kept].decode() in text.encode("utf-8", "replace").decode()
    assert limit - 3 <= kept <= limit


def test_bytes_that_are_no_text_are_cut_at_the_limit() -> None:
    """Continuation bytes without a beginning must not make the cut wander."""
    assert cut_head(b"\x80" * 50, 20) == 20


def test_exactly_one_terminator_is_stripped() -> None:
    r"""One \n and then one \r, no more (hazard 3.3)."""
    assert [strip_terminator(b) for b in (b"a\r\n", b"a\n", b"a\r", b"a\r\r\n", b"a\n\n", b"")] == [
        b"a",
        b"a",
        b"a",
        b"a\r",
        b"a\n",
        b"",
    ]


def test_the_first_line_is_final_only_with_its_newline() -> None:
    """A file's first line may still be growing."""
    assert first_line(b"one\r\ntwo\n") == (b"one", True)
    assert first_line(b"on") == (b"on", False)
