"""Templates: parsed once, filled without ever looking at what is filled in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.templates import Hole, parse_template

HOSTILE = (
    "{0.__class__}",
    "{line}",
    "{line.__class__.__mro__}",
    "{{",
    "}}",
    "{",
    "}",
    "%s %(line)s %n",
    "${HOME} $(id) `id`",
    "\\1 \\g<0>",
    "a\x00b\x1b[31m",
    "{a|b}",
)


def test_holes_and_texts_come_in_order() -> None:
    """A template is its literal texts and its holes, with or without default."""
    template = parse_template("{hostname} {path}: {reason|unknown}{x|}")

    assert template.parts == (
        Hole("hostname"),
        " ",
        Hole("path"),
        ": ",
        Hole("reason", "unknown"),
        Hole("x", ""),
    )
    assert [hole.name for hole in template.holes] == ["hostname", "path", "reason", "x"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{a}", "A"),
        ("{ a }", "A"),
        ("{{a}}", "{a}"),
        ("{{{a}}}", "{A}"),
        ("{{}}", "{}"),
        ("}}{{", "}{"),
        ("{a}{a}", "AA"),
        ("{b}", ""),
        ("{b|none}", "none"),
        ("{b|}", ""),
        ("{b|x|y}", "x|y"),
        ("{b| spaced }", " spaced "),
        ("{missing}", ""),
        ("{missing|d}", "d"),
        ("{empty|d}", ""),
        ("{a.b}", "nested"),
        ("{因}", "果"),
    ],
)
def test_what_is_filled_in(text: str, filled: str) -> None:
    """Names, defaults for captures that took no part, and doubled braces (spec, section 4 "Templates")."""
    values = {"a": "A", "b": None, "empty": "", "a.b": "nested", "因": "果"}

    assert parse_template(text).fill(values) == filled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("}", "has a single '}' at column 1; write }} for a brace"),
        ("a } b", "has a single '}' at column 3; write }} for a brace"),
        ("{a}}", "has a single '}' at column 4; write }} for a brace"),
        ("{", "has a single '{' at column 1; write {{ for a brace, or close it with '}'"),
        ("50 {a", "has a single '{' at column 4; write {{ for a brace, or close it with '}'"),
        ("{a{b}", "has a single '{' at column 1; write {{ for a brace, or close it with '}'"),
        ("{a|{b}}", "has a single '{' at column 1; write {{ for a brace, or close it with '}'"),
        ("x{{{", "has a single '{' at column 4; write {{ for a brace, or close it with '}'"),
        ("{}", "has an empty {} at column 1; write the name of what goes there"),
        ("a {  }", "has an empty {} at column 3; write the name of what goes there"),
        ("{|d}", "has an empty {} at column 1; write the name of what goes there"),
    ],
)
def test_a_broken_template_is_said_with_its_column(text: str, said: str) -> None:
    """A single brace or a hole without a name is an error that names the column."""
    with pytest.raises(ValueError, match=r"column") as caught:
        parse_template(text)

    assert str(caught.value) == said


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_just_text(value: str) -> None:
    """What a log line holds is copied, never interpreted (hazard 8.5)."""
    template = parse_template("<{a}> {line} {{{a}}}")

    assert template.fill({"a": value, "line": "L"}) == f"<{value}> L {{{value}}}"


@pytest.mark.parametrize("text", ["{0.__class__}", "{a!r}", "{a:>10}", "{a[0]}", "{__class__}"])
def test_format_syntax_means_nothing(text: str) -> None:
    """The language of `str.format` is no part of templates: such a name names nothing."""
    assert parse_template(text).fill({"a": "A", "0": "B"}) == ""


PIECES = st.sampled_from(["{", "}", "{{", "}}", "|", "%s", "a", "b", " ", "{a}", "{b|x}", "因", "\n", "\\"])


@given(
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=12),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(st.none(), st.text(), st.sampled_from(HOSTILE))),
)
def test_any_text_is_a_template_or_one_clear_error(pieces: list[str], values: dict[str, str | None]) -> None:
    """Parsing raises nothing but ValueError, and what it took is filled with any values."""
    text = "".join(pieces)
    try:
        template = parse_template(text)
    except ValueError:
        return
    expected = ""
    for part in template.parts:
        if isinstance(part, str):
            expected += part
        else:
            value = values.get(part.name)
            expected += (part.default or "") if value is None else value
    assert template.fill(values) == expected


@given(st.text(), st.text(), st.one_of(st.text(), st.sampled_from(HOSTILE)))
def test_literal_text_comes_back(before: str, after: str, value: str) -> None:
    """Any text with its braces doubled fills to itself, around any value."""

    def escaped(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    template = parse_template(f"{escaped(before)}{{hole}}{escaped(after)}")

    assert template.fill({"hole": value}) == before + value + after
    assert parse_template(escaped(before)).fill({}) == before


@given(st.lists(st.one_of(st.text(), st.sampled_from(HOSTILE)), min_size=2, max_size=2))
def test_values_do_not_reach_each_other(values: list[str]) -> None:
    """A value that spells another hole is not filled again."""
    first, second = values
    assert parse_template("{a}\x00{b}").fill({"a": first, "b": second}) == f"{first}\x00{second}"
