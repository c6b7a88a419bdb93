"""Redaction: what a pattern covers is nowhere to be seen, whatever a line holds, and nothing else is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from shipper.config.model import SourceTable
from shipper.events import Origin
from shipper.matching.engine import Engine
from shipper.matching.json_fields import json_fields
from shipper.matching.redaction import FAILED, Redacted, Redaction
from tests.matching.test_engine import HOST, block, engine, rule
from tests.matching.writing import errors, load

TEXTS = st.text(alphabet=st.sampled_from('ab "\\{}[],:=1é\u2028\0%中'), max_size=60) | st.text(max_size=60)
PATTERNS = st.lists(
    st.sampled_from(["a", "b+", "(?<==).", "\\d", ".", '"[^"]*"', "(?i)A b", "é|中", "$", "a*"]), max_size=3
)


def redacted(text: str, *patterns: str, replace: str = "***") -> Redacted:
    return Redacted(text, [Redaction(regex.compile(each), replace) for each in patterns], 1.0)


def covered(text: str, patterns: list[str]) -> set[int]:
    return {at for each in patterns for found in regex.finditer(each, text) for at in range(*found.span())}


@given(text=TEXTS, patterns=PATTERNS)
def test_exactly_what_is_covered_is_replaced(text: str, patterns: list[str]) -> None:
    """The characters that no pattern covers stay, in order; each stretch of the others is one replacement."""
    hidden = covered(text, patterns)
    assume("\1" not in text)
    shown = redacted(text, *patterns, replace="\1").text

    assert shown.replace("\1", "") == "".join(sign for at, sign in enumerate(text) if at not in hidden)
    if not hidden:
        assert shown == text


def test_of_what_is_covered_an_empty_part_is_empty() -> None:
    """As the capture of an optional group is."""
    assert redacted("1234", r"\d+").part(2, 2) == ""


@given(text=TEXTS, patterns=PATTERNS, data=st.data())
def test_a_part_shows_what_the_whole_shows(text: str, patterns: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assume("\1" not in text)
    part = redacted(text, *patterns, replace="\1").part(start, end)

    hidden = covered(text, patterns)
    assert part.replace("\1", "") == "".join(text[at] for at in range(start, end) if at not in hidden)
    assert ("\1" in part) == any(at in hidden for at in range(start, end))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "", "0"]), inner),
    max_leaves=12,
)


@given(
    value=st.dictionaries(st.sampled_from(["a", "b", "a.b", "", "c"]), VALUES, max_size=4),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_fields_of_json_hold_what_their_place_in_the_line_holds(
    value: dict[str, object], indent: int | None, ascii_only: bool
) -> None:
    """With nothing covered all are as they were; with everything covered none says anything."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    fields = json_fields(text.encode("utf-8", "surrogatepass"))
    # orjson takes no lone surrogates
    assume(fields is not None)
    assert fields is not None

    assert redacted(text, "\0never").fields(fields) == fields
    everything = redacted(text, r"(?s).+", replace="").fields(fields)
    assert all(not shown or shown == FAILED for shown in everything.values())


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ('{"password":"hunter2","user":"ada"}', r'(?<="password":")[^"]*', {"password": "***", "user": "ada"}),
        ('{"m":"say \\"hunter2\\" twice"}', "hunter2", {"m": 'say "***" twice'}),
        ('{"a":["x","hunter2"]}', "hunter2", {"a": '["x","***"]', "a.0": "x", "a.1": "***"}),
        # which of them the field is nobody says
        ('{"a":{"b":"x"},"a.b":"hunter2","a":{"b":"y"}}', "hunter2", {"a": '{"b":"y"}', "a.b": FAILED}),
        ('{"a":["x"],"a.0":"hunter2"}', "hunter2", {"a": '["x"]', "a.0": FAILED}),
        ('{"card":4111111111111111}', r"\d{16}", {"card": "***"}),
        # the quotes are gone too: what is left of them is shown as it stands there
        ('{"a":"x","b":"hunter2"}', '"hunter2"', {"a": "x", "b": "***"}),
    ],
)  # fmt: skip
def test_a_field_is_redacted_where_it_lies(text: str, pattern: str, expected: dict[str, str]) -> None:
    fields = json_fields(text.encode())
    assert fields is not None
    shown = redacted(text, pattern).fields(fields)
    assert {name: (value or "").strip('"') if name == "b" else value for name, value in shown.items()} == expected


SECRET = "hunter2"


def test_match_ignore_and_time_see_what_events_do_not(tmp_path: Path) -> None:
    """They judge the line as it is; nothing that is made of it shows what is covered."""
    text = """
[[redact]]
pattern = '(?<=password=)\\S+'

[[rule]]
id = "r"
match = 'login (?<user>\\S+) password=(?<password>hunter\\d) at (?<at>.*)'
ignore = ['password=hunter9']
event = "Login {user}"
content = "{line}|{password}|{2}"

  [[rule.redact]]
  pattern = '2026-\\d\\d-\\d\\d'
  replace = "[day]"

  [rule.time]
  field = "at"
  format = "iso8601"
"""
    judging = engine(tmp_path, text)
    line = b"login ada password=hunter2 at 2026-11-23T10:00:00Z\nlogin eve password=hunter9 at 2026-11-23T10:00:00Z\n"
    (event,) = judging.match(block(line))

    assert event.content == "login ada password=*** at [day]T10:00:00Z|***|***"
    assert event.time.isoformat() == "2026-11-23T10:00:00+00:00"
    assert judging.tallies["r"].ignored == 1


def test_a_redaction_that_takes_too_long_takes_everything(tmp_path: Path) -> None:
    """The event is still made, for the line did match; what the pattern would have covered is not known."""
    text = """
[[rule]]
id = "r"
match = 'seen (?<what>\\S+)'
event = "Seen {what}"
content = "{line} {1}"
match_timeout = "20ms"

  [[rule.redact]]
  pattern = '(a|a?)+$'
"""
    judging = engine(tmp_path, text)
    (event,) = judging.match(block(b"seen " + b"a" * 200 + b"!\n"))

    assert (event.name, event.content) == (f"Seen {FAILED}", f"{FAILED} {FAILED}")
    assert judging.tallies["r"].redaction_failed == 1


@given(line=st.text(max_size=80), user=st.text(max_size=20))
def test_templates_never_leak_run_or_crash_on_hostile_lines(
    tmp_path_factory: pytest.TempPathFactory, line: str, user: str
) -> None:
    """Braces, format strings and what looks like a template are text; the secret is nowhere, wherever it stood."""
    text = """
[[rule]]
id = "r"
match = '(?s)login (?<user>.*)'
event = "{user|nobody}"
content = "{line}{user}{1}{path}"

  [[rule.redact]]
  pattern = '(?i)hunter2'
  replace = "{line}"
"""
    hostile = f"{line} login {user} {SECRET} {{hostname}} {{0.__class__}} %s ${{HOME}}".replace("\n", " ")
    judging = engine(tmp_path_factory.getbasetemp(), text)
    (event,) = judging.match(block(hostile.encode("utf-8", "replace") + b"\n"))

    assert SECRET not in event.name + event.content
    assert "{line} {hostname} {0.__class__} %s ${HOME}" in event.content


def test_json_lines_are_redacted_before_their_fields_are_used(tmp_path: Path) -> None:
    text = """
[[rule]]
id = "r"
match = 'refused'
event = "Refused"
content = "{user} {card}"

  [[rule.redact]]
  pattern = '\\d{12}(?=\\d{4})'
  replace = "…"
"""
    source = SourceTable(name="app", paths=("/var/log/app.log",), format="json")
    judging = Engine(load(tmp_path, text, [source]).rules, HOST, 1.0)
    line = b'{"m":"refused","user":"ada","card":"4111111111111111"}\n'
    (event,) = judging.match(block(line, origin=Origin("app", json=True)))
    assert event.content == "ada …1111"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[[rule.redact]]\npattern = '('", "is not a valid pattern"),
        ("[[rule.redact]]\nreplace = 'x'", "the key 'pattern' is missing"),
        ("[rule.redact]\npattern = 'x'", "must be an array of tables: write [[rule.redact]]"),
        ("redact = 'x'", "must be an array of tables: write [[rule.redact]]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, written: str, said: str) -> None:
    (problem,) = errors(tmp_path, rule("a", "x") + written + "\n")
    assert said in problem
