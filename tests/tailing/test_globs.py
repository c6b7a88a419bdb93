"""What patterns of paths mean: compared with fnmatch and with a plain reference, and a table of cases."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.tailing.globs import excluded, glob_of, literal, name_pattern, path_pattern

NAME_CHARACTERS = "ab.-]![Az\n'\udcff~&|"
NAMES = st.text(NAME_CHARACTERS, min_size=1, max_size=6)
NAME_PATTERNS = st.text(NAME_CHARACTERS + "*?*?", min_size=1, max_size=8)
PATH_NAMES = st.lists(st.text("ab.", min_size=1, max_size=2), min_size=1, max_size=5)
PATH_PARTS = st.one_of(st.just("**"), st.text("ab.*?", min_size=1, max_size=3))
PATH_PATTERNS = st.lists(PATH_PARTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(NAMES, NAME_PATTERNS)
def test_names_match_as_fnmatch_says(name: str, pattern: str) -> None:
    """A name's pattern means what fnmatch means by it, but for hidden names (hazard 10.3: newlines, odd bytes)."""
    hidden = name.startswith(".") and not pattern.startswith(".")
    expected = not hidden and fnmatch.fnmatchcase(name, pattern)

    assert (name_pattern(pattern).match(name) is not None) is expected
    assert excluded(f"/{name}", (pattern,)) is fnmatch.fnmatchcase(name, pattern)


def reference(names: list[str], parts: list[str]) -> bool:
    """Say by trying whether the names, or some of the first of them, are what the parts mean."""
    if not parts:
        return True
    if parts == ["**"]:
        return bool(names)
    if parts[0] == "**":
        return reference(names, parts[1:]) or (bool(names) and reference(names[1:], parts))
    return bool(names) and fnmatch.fnmatchcase(names[0], parts[0]) and reference(names[1:], parts[1:])


@given(PATH_NAMES, PATH_PATTERNS)
def test_paths_match_as_a_plain_reference_says(names: list[str], pattern: str) -> None:
    """Two stars span directories, one stays within a name, and all below a match is matched."""
    path = "/" + "/".join(names)
    expected = reference(names, pattern[1:].split("/"))

    assert (path_pattern(pattern).fullmatch(path) is not None) is expected
    assert excluded(path, (pattern,)) is expected


@given(st.text(NAME_CHARACTERS + "*?/", max_size=12).map("/".__add__))
def test_a_literal_pattern_means_its_path_alone(path: str) -> None:
    """Glob characters in directory names can be said (hazard 10.3)."""
    pattern = literal(path)
    wanted = "/" + "/".join(part for part in path.split("/") if part)
    glob = glob_of(pattern)

    if wanted != "/":
        assert path_pattern(pattern).fullmatch(wanted)
        assert not path_pattern(pattern).fullmatch(wanted + "x")
        names = wanted.split("/")[-len(glob.parts) :]
        assert all(name_pattern(part).match(name) for part, name in zip(glob.parts, names, strict=True))


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("[!a-z]", "A", True),
        ("[!a-z]", "b", False),
        ("[^a-z]", "b", False),
        ("[^a-z]", "A", True),
        ("[a^]", "^", True),
        ("[]x]", "]", True),
        ("[]x]", "x", True),
        ("[!]x]", "]", False),
        ("[a-]", "-", True),
        ("[-a]", "-", True),
        ("[z-a]", "m", False),
        ("[!z-a]", "m", True),
        ("[[]", "[", True),
        ("[&&~~||]", "&", True),
        ("[[:alpha:]]", ":]", True),
        ("[ab", "[ab", True),
        ("[", "[", True),
        ("*.LOG", "a.log", False),
        ("*", ".hidden", False),
        ("?hidden", ".hidden", False),
        ("[.]hidden", ".hidden", False),
        (".*", ".hidden", True),
        ("*.log", "a\n.log", True),
        ("*.log", "a.log\n", False),
        ("*.log", "a\udcff.log", True),
        ("a**b", "axxb", True),
        ("\\*", "\\x", True),
    ],
)
def test_table_of_names(pattern: str, name: str, expected: bool) -> None:
    """Sets, hidden names, case and odd characters mean what the module says."""
    assert (name_pattern(pattern).match(name) is not None) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/a/**/x.log", "/a/x.log", True),
        ("/a/**/x.log", "/a/b/c/x.log", True),
        ("/a/**/x.log", "/ab/x.log", False),
        ("/a/**", "/a/b", True),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/a", False),
        ("/a/**/**/b", "/a/b", True),
        ("**/*.gz", "/x.gz", True),
        ("**/*.gz", "/a/.b/.x.gz", True),
        ("/a/[+-9]b", "/a//b", False),
        ("/a/[!x]b", "/a/b", False),
        ("/a/b", "/a/b/below", True),
        ("/a/b/", "/a/b", True),
        ("/a/b/", "/a/b/below", True),
        ("//a//b", "/a/b", True),
        ("a/*.log", "/x/a/b.log", True),
        ("a/*.log", "/x/ba/b.log", False),
        ("/a/*", "/a/x\ny", True),
        ("/a*", "/a/x\ny", True),
    ],
)
def test_table_of_paths(pattern: str, path: str, expected: bool) -> None:
    """What excludes with a slash mean, also those that end in a slash or do not begin with one (hazard 2.1)."""
    assert (path_pattern(pattern).fullmatch(path) is not None) is expected


def test_a_hostile_name_does_not_make_matching_slow() -> None:
    """Many stars against the longest name there is need no more steps than the name is long, times the stars (10.3)."""
    pattern = "*a" * 30 + "b"

    assert name_pattern(pattern).match("a" * 255) is None
    assert not excluded("/" + "a" * 255, (pattern, f"/{pattern}"))


@pytest.mark.parametrize(
    ("pattern", "fixed", "parts"),
    [
        ("/var/log/app/*.log", "/var/log/app", ("*.log",)),
        ("/var/log/a.log", "/var/log", ("a.log",)),
        ("/var/*/x/**", "/var", ("*", "x", "**", "*")),
        ("/a.log", "/", ("a.log",)),
        ("/**/**/a", "/", ("**", "a")),
        ("/", "/", ("*",)),
    ],
)
def test_patterns_are_taken_apart(pattern: str, fixed: str, parts: tuple[str, ...]) -> None:
    """What is named outright is where the walk begins, so that no directory above it is listed (hazard 2.5)."""
    glob = glob_of(pattern)

    assert (glob.fixed, glob.parts) == (fixed, parts)


def test_patterns_never_warn_or_raise() -> None:
    """Any text is a pattern: a set that Python's `re` would warn about is one, too."""
    for text in ("[a&&b]", "[a--b]", "[[a]b", "[a||b]", "[\\d]", "[\\]"):
        assert isinstance(name_pattern(text), re.Pattern)
        assert isinstance(path_pattern(f"/{text}"), re.Pattern)
