"""Which captures may be absent: said before an event has an empty place in it."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.captures import optional_captures


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("(?<a>x)", ""),
        ("(?P<a>x)+", ""),
        ("(?<a>x)?", "a"),
        ("(?P<a>x)*", "a"),
        ("(?<a>x)??", "a"),
        ("(?<a>x){0,3}", "a"),
        ("(?<a>x){00,3}", "a"),
        ("(?<a>x){,3}", "a"),
        ("(?<a>x){0}", "a"),
        ("(?<a>x){1,3}", ""),
        ("(?<a>x)|(?<b>y)", "a b"),
        ("(?:(?<a>x)|y)(?<b>z)", "a"),
        ("(?<a>(?<b>x)|y)", "b"),
        ("(?:k=(?<a>x))?", "a"),
        ("(?!(?<a>x))y", "a"),
        ("(?<!(?<a>x))y", "a"),
        ("(?=(?<a>x))x", ""),
        (r"\((?<a>x)\)?", ""),
        ("[(](?<a>x)[)]?", ""),
        ("[]|(](?<a>x)", ""),
        ("[^]|(](?<a>x)", ""),
        ("[[:alpha:]|](?<a>x)", ""),
        (r"[\]|](?<a>x)", ""),
        ("(?V1)[[|](](?<a>x)", ""),
        ("(?V1)[a[(]](?<a>x)|y", "a"),
        ("(?<a>x)(?#|)", ""),
        ("(?#()(?<a>x)|y", "a"),
        (r"(?#\)()(?<a>x)|y", "a"),
        ("(?<a>x)(?#why)?", "a"),
        ("(?x)(?<a>x) ?", "a"),
        ("(?x)(?<a>x) # ( one\n | y", "a"),
        ("(?x)(?<a>x) # |", ""),
        ("(?ix)(?<a>x) { 0 , 3 }", "a"),
        ("(?<a>x)(?x: y)", "a"),
        ("(?<k>x)?(?(k)(?<a>y))", "a k"),
        ("(?(DEFINE)(?<a>x))y", "a"),
        ("(?|(?<a>x)|(?<b>y))", "a b"),
        ("(?<原因>x)?", "原因"),
        (r"\(?x(?<a>y)", ""),
        ("", ""),
    ],
)
def test_optional_captures(pattern: str, names: str) -> None:
    """Repetition zero times, alternatives and negative look-around make a group optional; nothing else does."""
    regex.compile(pattern)

    assert optional_captures(pattern) == frozenset(names.split())


LEAVES = st.sampled_from(
    ["x", "y", ".", r"\(", r"\)", r"\|", "[(|]", "[)]", "[]x]", "[^]x]", "[[:alpha:](]", "(?#(|)", r"\b", "^", "$", ""]
)
QUANTIFIERS = st.sampled_from(["", "", "?", "*", "+", "??", "*+", "{0}", "{0,2}", "{,2}", "{1,2}", "{2}", "(?#c)?"])


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(["(?<@>", "(?P<@>", "(", "(?:", "(?=", "(?!", "(?<!", "(?<=", "(?>", "(?i:"])
    group = st.builds("{}{}){}".format, opening, inner, QUANTIFIERS)
    # a doubled quantifier does not compile, an alternative needs its brackets only for the variety of it
    return st.one_of(group, st.builds("{}{}".format, inner, inner), st.builds("{}|{}".format, inner, inner))


@given(
    st.recursive(LEAVES, _wrapped, max_leaves=12),
    st.sampled_from(["", "(?x) ", "(?i)", "(?V1)"]),
    st.lists(st.text("xy()|z", max_size=6), min_size=1, max_size=5),
)
def test_a_group_that_takes_no_part_was_named(pattern: str, flags: str, lines: list[str]) -> None:
    """Whatever pattern the real engine runs: where it leaves a named group out, the group was announced."""
    parts = pattern.split("@")
    numbered = flags + "".join(f"{part}g{number}" for number, part in enumerate(parts[:-1])) + parts[-1]
    try:
        compiled = regex.compile(numbered)
    except regex.error:
        return
    optional = optional_captures(numbered)
    assert optional <= set(compiled.groupindex)
    for line in lines:
        for found in compiled.finditer(line, timeout=5):
            absent = {name for name, value in found.groupdict().items() if value is None}
            assert absent <= optional


@given(st.text("(?<a>x)|[]^:\\#!=P*+{0,}Vi1 \n", max_size=30))
def test_any_text_is_read_to_its_end(pattern: str) -> None:
    """A warning's reading never fails, not even on what is no pattern."""
    assert optional_captures(pattern) is not None
