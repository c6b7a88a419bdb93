"""Tables become dataclasses, or all of their problems, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config import kinds
from shipper.config.reader import REQUIRED, Document, TableReader, key, parse_document, suggestion, table, tables
from shipper.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    size: int = key("1KiB", kinds.parse_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    name: str = key(REQUIRED, kinds.parse_name)
    pattern: str | None = key(None, kinds.parse_text, expand=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    title: str = key("none", kinds.parse_text)
    words: tuple[str, ...] = key([], kinds.parse_texts)
    inner: Inner = table(Inner)
    item: tuple[Item, ...] = tables(Item)
    made_by_code: Path | None = None


ENVIRONMENT = {"HOST": "web1", "EMPTY": "", "ODD": "${HOST}"}


def read(text: str, environment: dict[str, str] | None = None) -> tuple[Whole | None, list[str]]:
    document = parse_document("f.toml", text)
    assert isinstance(document, Document)
    reader = TableReader(document, environment)
    made = reader.read(Whole, document.values)
    return made, [str(problem) for problem in reader.problems]


def test_what_is_left_out_has_its_default() -> None:
    """An empty file is the defaults, parsed as if they were written."""
    assert read("") == (Whole(), [])
    assert Whole().inner.size == 1024


def test_what_is_written_is_read() -> None:
    """Keys, sub-tables and arrays of tables."""
    made, problems = read("title = 't'\nwords = ['a']\n[inner]\nsize = 5\n[[item]]\nname = 'x'\n[[item]]\nname = 'y'\n")

    assert problems == []
    assert made == Whole(title="t", words=("a",), inner=Inner(size=5), item=(Item(name="x"), Item(name="y")))


def test_all_problems_are_said_each_with_its_place() -> None:
    """Not only the first one: a person mends them all in one go."""
    text = (
        "titel = 'x'\nwords = 'a'\nmade_by_code = 1\n[inner]\nsize = 'big'\n[[item]]\nnmae = 'x'\n[[item]]\nname = ''\n"
    )

    made, problems = read(text)

    assert made is None
    assert problems == [
        "f.toml:1:1: unknown key 'titel'; did you mean 'title'?",
        "f.toml:3:1: unknown key 'made_by_code'",
        "f.toml:2:1: 'words' must be an array of strings, not a string",
        "f.toml:5:1: 'size' must be a size such as \"64KiB\", \"10MB\", or a number of bytes, not 'big'",
        "f.toml:7:1: unknown key 'nmae' in [item]; did you mean 'name'?",
        "f.toml:6:1: the key 'name' is missing",
        "f.toml:9:1: 'name' must not be empty",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inner = 1", "'inner' must be a table: write [inner]"),
        ("[[inner]]", "'inner' must be a table: write [inner]"),
        ("item = 1", "'item' must be an array of tables: write [[item]]"),
        ("[item]\nname = 'x'", "'item' must be an array of tables: write [[item]]"),
        ("item = [1]", "'item' must be a table: write [[item]]"),
    ],
)
def test_wrong_shapes_and_keys_to_come(text: str, said: str) -> None:
    """A table that is none, and a key whose effect this version does not have: refused, never without effect."""
    made, problems = read(text)

    assert made is None
    assert len(problems) == 1
    assert said in problems[0]


def test_the_default_of_a_key_to_come_may_be_written() -> None:
    """It changes nothing, so there is nothing to refuse."""


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("${HOST}", "web1"),
        ("a-${HOST}-${EMPTY}b", "a-web1-b"),
        ("${NONE:-x y}", "x y"),
        ("${NONE:-}", ""),
        ("${EMPTY:-x}", ""),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$HOST", "$HOST"),
        ("${ODD}", "${HOST}"),
        ("${not a name}", "${not a name}"),
    ],
)
def test_the_environment_is_expanded_once(written: str, means: str) -> None:
    """`${NAME}`, `${NAME:-default}` and `$$` in strings, in arrays too; what is put in is not looked at again."""
    made, problems = read(f"title = '{written}'\nwords = ['{written}']", ENVIRONMENT)

    assert problems == []
    assert made is not None
    assert (made.title, made.words) == (means, (means,))


def test_a_variable_that_is_not_set_is_named_with_its_key() -> None:
    """Once for each name; the error shows the text before expansion, and no follow-on error about that text."""
    _, problems = read("title = 'a ${NONE} ${HOST} ${NONE}'\n[inner]\nsize = '${SIZE}'", ENVIRONMENT)

    advice = "is not set; set it or give a default:"
    assert problems == [
        f"f.toml:1:1: 'title' holds '${{NONE}}', but the environment variable NONE {advice} ${{NONE:-...}}",
        f"f.toml:3:1: 'size' holds '${{SIZE}}', but the environment variable SIZE {advice} ${{SIZE:-...}}",
    ]


def test_patterns_and_rule_files_are_not_expanded() -> None:
    """A dollar in a pattern is its own."""
    text = "title = '$$'\n[[item]]\nname = 'x'\npattern = '${HOST}$$'"
    made, _ = read(text, ENVIRONMENT)
    plain, _ = read(text)

    assert made is not None
    assert plain is not None
    assert made.item[0].pattern == plain.item[0].pattern == "${HOST}$$"
    assert plain.title == "$$"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = \n", 1, 5), ("a = 1\nb = [\n1,", 3, None), ("a = 1\na = 2\n", 2, 6), ("[x\n", 1, 3)],
)
def test_a_syntax_error_has_its_place(text: str, line: int, column: int | None) -> None:
    """TOML's own errors are one problem, with line and column."""
    found = parse_document("f.toml", text)

    assert isinstance(found, Problem)
    assert found.message.startswith("not valid TOML: ")
    assert "(at" not in found.message
    assert (found.line, found.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "9" * 5000, "too many digits"),
        ("a = " + "[" * 5000, "nested too deeply"),
        (".".join("a" * 100) + " = 1", "nested too deeply"),
    ],
)
def test_a_document_beyond_all_measure_is_one_problem(text: str, said: str) -> None:
    """Python's own limits for numbers and nesting are told like any other mistake."""
    found = parse_document("f.toml", text)

    assert isinstance(found, Problem)
    assert said in found.message


def test_suggestions() -> None:
    """Only a name that is close is suggested."""
    assert suggestion("pahts", ["paths", "name"]) == "; did you mean 'paths'?"
    assert suggestion("zzz", ["paths", "name"]) == ""


@given(st.text(max_size=60), st.text("ab=[]{}\"'\n #.,1", max_size=60))
def test_any_text_is_a_document_or_one_problem(wild: str, close: str) -> None:
    """No text makes reading fail in another way, and every key of a document can be looked up."""
    for text in (wild, close):
        found = parse_document("f.toml", text)
        if isinstance(found, Document):
            for name in found.values:
                assert found.problem((name,), "x").line is not None
