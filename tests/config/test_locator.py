"""Where a key stands: compared with what `tomllib` reads, over documents generated with the places of their keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config.locator import KeyPath, Locator, Place

# each with the value it means, so that a document that was written wrongly is noticed
VALUES: tuple[tuple[str, Any], ...] = (
    ("1", 1),
    ("+1_000", 1000),
    ("0xff", 255),
    ("-1.5e3", -1500.0),
    ("true", True),
    ('""', ""),
    ("''", ""),
    ('"a # b"', "a # b"),
    ('"[x]\\n\\"k = 1\\""', '[x]\n"k = 1"'),
    (r"'^\[[^]]+\] \"'", r"^\[[^]]+\] \""),
    (r'"\\"', "\\"),
    ('"""\nk = 1\n[t]\n"""', "k = 1\n[t]\n"),
    ('"""a "quoted" b"""', 'a "quoted" b'),
    ('"""ends in two"""""', 'ends in two""'),
    (r'"""\"""" ', '"'),
    ('"""a \\\n   b"""', "a b"),
    ("'''\nk = 1 # no\n'''", "k = 1 # no\n"),
    ("'''it''s'''''", "it''s''"),
    ("[]", []),
    ("[ 1, 2, ]", [1, 2]),
    ("[ # one\n  'a', # ] two\n\n  [ \"]\" ],\n]", ["a", ["]"]]),
    ("{}", {}),
    ("{ a = 1, 'b c' = [ 2, { d = \"}\" } ] }", {"a": 1, "b c": [2, {"d": "}"}]}),
    ("[ { a = 1 },\n { a = 2 } ]", [{"a": 1}, {"a": 2}]),
)
NAMES = ("a", "b-c", "D_1", "0", "x y", "é", "", "a.b", "q'q", 'q"q', "#", "]", "=", "t\tt", "back\\slash")
GAPS = ("", "", "\n", "# a = 1 [x]\n", "  \n\t\n", "\r\n", "# ''' \"\"\"\n")


@dataclass
class Writer:
    """A document being written, with the place of every key and header."""

    text: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self) -> Place:
        return Place(self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n"))

    def note_header(self, path: KeyPath, place: Place) -> None:
        for depth in range(1, len(path)):
            self.places.setdefault(path[:depth], place)
        self.places[path] = place


@st.composite
def keys(draw: st.DrawFn, name: str) -> str:
    """Write a part of a key in one of the ways that TOML has for it."""
    ways = ['"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"']
    if "'" not in name:
        ways.append(f"'{name}'")
    if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        ways.append(name)
    pad = st.sampled_from(["", " ", "\t "])
    return draw(pad) + draw(st.sampled_from(ways)) + draw(pad)


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    made = Writer()
    table: dict[str, Any] = made.values
    base: KeyPath = ()
    number = 0
    for _ in range(draw(st.integers(1, 5))):
        for _ in range(draw(st.integers(0, 4))):
            made.text += draw(st.sampled_from(GAPS)) + draw(st.sampled_from(["", "  "]))
            number += 1
            names = [f"{draw(st.sampled_from(NAMES))}{number}", *draw(st.lists(st.sampled_from(NAMES), max_size=2))]
            written = ".".join(draw(keys(name)) for name in names).lstrip(" \t")
            start = made.place()
            value, means = draw(st.sampled_from(VALUES))
            end = draw(st.sampled_from(["\n", " # c\n", "\t\n", "\r\n"]))
            made.text += f"{written}={draw(st.sampled_from(['', ' ']))}{value}{end}"
            inner = table
            for name in names[:-1]:
                inner = inner.setdefault(name, {})
            inner[names[-1]] = means
            for depth in range(1, len(names) + 1):
                made.places[*base, *names[:depth]] = start
        made.text += draw(st.sampled_from(GAPS)) + draw(st.sampled_from(["", " "]))
        table, base = _header(draw, made)
    return made


def _header(draw: st.DrawFn, made: Writer) -> tuple[dict[str, Any], KeyPath]:
    """Open a table: a new one, an element of an array, or one below the latest element of an array."""
    arrays = sorted(name for name, value in made.values.items() if name.startswith("array"))
    kind = draw(st.sampled_from(["table", "array", "again", "below"] if arrays else ["table", "array"]))
    count = len(made.places)
    start = made.place()
    if kind == "table":
        names = [f"table{count}", draw(st.sampled_from(NAMES))]
        made.text += "[" + ".".join(draw(keys(name)) for name in names) + "]\n"
        table: dict[str, Any] = {}
        made.values[names[0]] = {names[1]: table}
        path: KeyPath = tuple(names)
    elif kind == "below":
        name, sub = draw(st.sampled_from(arrays)), f"sub{count}"
        made.text += f"[{name}.{draw(keys(sub))}]\n"
        table = {}
        made.values[name][-1][sub] = table
        path = (name, len(made.values[name]) - 1, sub)
    else:
        name = draw(st.sampled_from(arrays)) if kind == "again" else f"array{count}"
        made.text += f"[[{draw(keys(name))}]]\n"
        table = {}
        made.values.setdefault(name, []).append(table)
        path = (name, len(made.values[name]) - 1)
    made.note_header(path, start)
    return table, path


@given(documents())
def test_every_key_is_where_it_was_written(made: Writer) -> None:
    """Whatever stands in values and comments: each key and header of the document is found at its place."""
    assert tomllib.loads(made.text) == made.values

    locator = Locator(made.text)

    for path, place in made.places.items():
        assert locator.find(path) == place, path


@given(documents(), st.lists(st.one_of(st.sampled_from(NAMES), st.integers(0, 3)), max_size=4))
def test_what_is_not_written_is_given_its_closest_written_ancestor(made: Writer, tail: list[str | int]) -> None:
    """A missing key is reported at the table it is missing from."""
    for path in [(), *made.places]:
        full = (*path, *tail)
        while full and full not in made.places:
            full = full[:-1]
        assert Locator(made.text).find((*path, *tail)) == made.places.get(full, Place(1, 1))


def test_a_table_that_only_its_sub_table_names_is_where_that_is() -> None:
    """`[cloudmonitr.credentials]` alone: the wrong word is at that header, until a header of its own comes."""
    text = "a = 1\n[cloudmonitr.credentials]\nb = 1\n[x.y]\n[x]\n"

    assert Locator(text).find(("cloudmonitr",)) == Place(2, 1)
    assert Locator(text).find(("x",)) == Place(5, 1)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("rule", 0, "id"), Place(2, 1)),
        (("rule", 0, "test", 0, "line"), Place(5, 3)),
        (("rule", 0, "test", 1), Place(7, 3)),
        (("rule", 0, "test", 1, "line"), Place(8, 3)),
        (("rule", 1), Place(10, 1)),
        (("rule", 1, "id"), Place(11, 1)),
        (("rule", 1, "time", "zone"), Place(14, 1)),
        (("rule", 1, "test", 0, "expect"), Place(17, 1)),
    ],
)
def test_a_rule_file(path: KeyPath, place: Place) -> None:
    """Arrays of tables within arrays of tables count anew in each element."""
    text = """[[rule]]
id = "a"

  [[rule.test]]
  line = "[[rule]]"

  [[rule.test]]
  line = '''x'''

[[rule]]
id = "b"

[rule.time]
zone = "UTC"

[[rule.test]]
expect = { event = "x" }
"""
    assert Locator(text).find(path) == place


ROOT = Path(__file__).parent.parent.parent
OWN_FILES = [ROOT / "pyproject.toml", *sorted((ROOT / "rules").glob("*.toml")), *(ROOT / "packaging").rglob("*.toml")]


def paths_of(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Give the path of every key, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from paths_of(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths_of(inner, (*path, number))


@pytest.mark.parametrize("file", OWN_FILES, ids=lambda file: file.name)
def test_the_projects_own_files(file: Path) -> None:
    """Each key that `tomllib` finds is located on a line that holds it."""
    text = file.read_text(encoding="utf-8")
    lines, locator = text.split("\n"), Locator(text)

    for path in paths_of(tomllib.loads(text)):
        place = locator.find(path)
        assert str(path[-1]) in lines[place.line - 1], path
