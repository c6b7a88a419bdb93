"""What values may be, and what is said of those that may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config import kinds

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("5s", 5.0), ("1m", 60.0), ("2h", 7200.0), ("7d", 604800.0), ("0s", 0.0), ("1.5s", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    """Durations are numbers with a unit, in seconds once read (spec, section 3)."""
    assert kinds.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [("64KiB", 65536), ("10MB", 10_000_000), ("512MiB", 536870912), (17, 17), ("17", 17), ("1gb", 10**9), ("0", 0)],
)
def test_sizes(value: object, size: int) -> None:
    """Sizes are bytes, or a number with a unit of 1000 or of 1024."""
    assert kinds.parse_size(value) == size


@pytest.mark.parametrize(
    ("parse", "value", "said"),
    [
        (kinds.parse_text, 1, "must be a string, not a number"),
        (kinds.parse_name, "  ", "must not be empty"),
        (kinds.parse_boolean, "yes", "must be true or false, not a string"),
        (kinds.parse_boolean, 1, "must be true or false, not a number"),
        (kinds.parse_integer, True, "must be a whole number, not a boolean"),
        (kinds.parse_integer, 1.5, "must be a whole number, not a number"),
        (kinds.parse_texts, "a", "must be an array of strings, not a string"),
        (kinds.parse_texts, ["a", 1], "must be an array of strings"),
        (kinds.parse_some_texts, [], "must hold at least one string"),
        (kinds.parse_duration, "5", 'must be a duration such as "200ms", "5s"'),
        (kinds.parse_duration, "5 years", "not '5 years'"),
        (kinds.parse_duration, "-5s", "not '-5s'"),
        (kinds.parse_duration, 5, "must be a duration"),
        (kinds.parse_duration, "5 S", "not '5 S'"),
        (kinds.parse_duration, "", "must be a duration"),
        (kinds.parse_duration, "99999d", 'must be at most "36500d"'),
        (kinds.parse_duration, "9" * 400 + "d", "must be a duration"),
        (kinds.parse_positive_duration, "0s", "must be longer than 0"),
        (kinds.parse_size, "10XB", 'must be a size such as "64KiB"'),
        (kinds.parse_size, -1, "must not be negative"),
        (kinds.parse_size, 1.5, "must be a size such as"),
        (kinds.parse_size, "-1B", "must be a size such as"),
        (kinds.parse_size, "9" * 400, "must be a size such as"),
        (kinds.parse_size, "9999999999TiB", "must be below 2^63"),
        (kinds.parse_size, 2**63, "must be below 2^63"),
        (kinds.parse_count, -1, "must not be negative"),
        (kinds.parse_count, 2**63, "must be below 2^63"),
        (kinds.parse_count, "1", "must be a whole number, not a string"),
        (kinds.parse_line_limit, "17MiB", "must be between 1KiB and 16MiB"),
        (kinds.parse_line_limit, "1B", "must be between 1KiB and 16MiB"),
        (kinds.parse_group_id, 2**63, "must be below 2^63"),
        (kinds.parse_group_id, -1, "must not be negative"),
        (kinds.parse_rate, -1, "must not be negative; 0 means no pacing"),
        (kinds.parse_rate, float("inf"), "must be a number such as 20, not inf"),
        (kinds.parse_rate, float("nan"), "must be a number such as 20, not nan"),
        (kinds.parse_rate, "20", "must be a number, not a string"),
        (kinds.parse_fields, [1], "must be a table such as"),
        (kinds.parse_fields, {"a": [1]}, "holds an array under 'a'"),
        (kinds.parse_zone, "Asia/Shanghay", "'Asia/Shanghay' is not known here"),
        (kinds.parse_zone, "../etc/passwd", "is not known here"),
        (kinds.parse_encoding, "utf-9", "'utf-9' is none"),
        (kinds.parse_encoding, "rot13", "'rot13' is none"),
        (kinds.parse_encoding, "base64", "'base64' is none"),
        (kinds.parse_encoding, "cp037", "writes a newline as"),
        (kinds.parse_endpoint, "metrichub.example", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://host/path", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://host:port", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://[::1", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://host?a=b", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://host#x", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://ho st", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://ho\nst", 'must look like "https://host"'),
        (kinds.parse_endpoint, "ftp://host", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://", 'must look like "https://host"'),
        (kinds.parse_endpoint, "https://user:pw@host", "must not hold a user name or a password"),
        (kinds.choice("auto", "poll"), 1, 'must be one of "auto", "poll", not a number'),
        (kinds.choice("auto", "poll"), "pol", 'must be one of "auto", "poll", not \'pol\''),
    ],
)
def test_a_wrong_value_is_said_with_what_was_expected(parse: Callable[[Any], Any], value: object, said: str) -> None:
    """Every kind completes the sentence that names the key."""
    with pytest.raises(ValueError, match=r"^(must|holds|'|\w)") as caught:
        parse(value)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("parse", "value", "result"),
    [
        (kinds.parse_zone, "local", None),
        (kinds.parse_zone, "Asia/Shanghai", ZoneInfo("Asia/Shanghai")),
        (kinds.parse_encoding, "UTF8", "utf-8"),
        (kinds.parse_encoding, "gbk", "gb18030"),
        (kinds.parse_encoding, "latin-1", "iso8859-1"),
        (kinds.parse_fields, {"a": 1, "b": True, "c": "x"}, {"a": "1", "b": "true", "c": "x"}),
        (kinds.parse_endpoint, "http://127.0.0.1:8686/", "http://127.0.0.1:8686"),
        (kinds.parse_endpoint, "HTTPS://Host:443/", "https://Host:443"),
        (kinds.parse_endpoint, "https://[::1]:8686", "https://[::1]:8686"),
        (kinds.parse_size, "9007199254740993", 9007199254740993),
        (kinds.parse_line_limit, "1KiB", 1024),
        (kinds.parse_group_id, 2**63 - 1, 2**63 - 1),
        (kinds.parse_rate, 0, 0.0),
        (kinds.parse_rate, 2.5, 2.5),
        (kinds.choice("auto", "poll"), "poll", "poll"),
    ],
)
def test_right_values(parse: Callable[[Any], Any], value: object, result: object) -> None:
    """What the product works with is what was meant."""
    assert parse(value) == result


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
PARSERS = [getattr(kinds, name) for name in dir(kinds) if name.startswith("parse_")]


@given(st.sampled_from(PARSERS), ANYTHING)
def test_any_value_is_taken_or_refused_with_words(parse: Callable[[Any], Any], value: object) -> None:
    """Whatever TOML can hold: a kind gives its result or a ValueError, never another error."""
    said = "taken"
    try:
        parse(value)
    except ValueError as error:
        said = str(error)
    assert said
