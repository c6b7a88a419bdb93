"""A rule written as TOML is the rule that was meant, and stays readable."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.rule_text import keys_text, rule_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.one_of(
    st.sampled_from(["id", "match", "ignore", "event", "redact", "test", "time", "throttle", "grok"]), TEXTS
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
TABLES = st.dictionaries(TEXTS, st.one_of(SCALARS, st.lists(SCALARS), st.dictionaries(TEXTS, SCALARS)))
VALUES = st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS), TABLES, st.lists(TABLES, min_size=1)))


@given(values=VALUES, grok=st.dictionaries(TEXTS, TEXTS))
def test_what_is_written_reads_back(values: dict[str, object], grok: dict[str, str]) -> None:
    """Whatever keys and texts there are."""
    read = tomllib.loads(rule_text(values, grok))
    assert read["rule"] == [values]
    assert read.get("grok", {}) == grok
    assert tomllib.loads(keys_text(values)) == values


@given(values=VALUES)
def test_nothing_in_it_is_unseen(values: dict[str, object]) -> None:
    """Marks that are not seen or turn text around are written out: people copy what they see."""
    assert rule_text(values).replace("\n", "").isprintable()


def test_it_reads_like_a_rule() -> None:
    """Usual keys first, patterns as they are, tables below."""
    values = {
        "test": [{"line": "a", "expect": {"event": "E"}}],
        "event": "E",
        "throttle": {"max": 3, "per": "1m"},
        "match": r"it's \d+ \"x\"",
        "ignore": [r"\bno\b", "never"],
        "id": "a",
        "final": True,
        "odd key": 1,
    }
    assert rule_text(values, {"N": r"\d+"}) == (
        "[grok]\nN = '\\d+'\n\n[[rule]]\nid = \"a\"\n"
        'match = "it\'s \\\\d+ \\\\\\"x\\\\\\""\n'
        "ignore = ['\\bno\\b', \"never\"]\n"
        'event = "E"\nfinal = true\n"odd key" = 1\n'
        '\n  [rule.throttle]\n  max = 3\n  per = "1m"\n'
        '\n  [[rule.test]]\n  line = "a"\n  expect = { event = "E" }\n'
    )


@pytest.mark.parametrize("value", [None, "\ud800", [None], {"a": None}])
def test_what_toml_cannot_hold_is_said(value: object) -> None:
    """Not written as something else."""
    with pytest.raises(ValueError, match=r"nothing that a rule holds|half a character"):
        rule_text({"id": value})
