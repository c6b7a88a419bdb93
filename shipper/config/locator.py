"""Finds the line and column of a key in TOML text, which the standard library's parser does not tell.

It reads text that `tomllib` has already accepted, so it only has to recognise, never to judge: headers,
keys (bare, quoted, dotted), and where values end. Keys inside arrays and inline tables are given the place of the
key that holds them. `tests/config/test_locator.py` compares it with `tomllib` over generated documents.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]

_KEY_PART = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
_SKIP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_STRING = re.compile(
    r"""
      "{3} (?:[^\\]|\\.)*? "{3} (?:"{1,2}(?!"))?
    | '{3} .*? '{3} (?:'{1,2}(?!'))?
    | " (?:[^"\\\n]|\\.)* "
    | ' [^'\n]* '
    """,
    re.DOTALL | re.VERBOSE,
)
_PLAIN = re.compile(r"[^\s\"'\[\]{},#]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int


class Locator:
    """The places of all keys and table headers of one TOML text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        self._scan()

    def find(self, path: KeyPath) -> Place:
        """Give the place of a key; of its closest written ancestor where the key itself is not written."""
        while path and path not in self._places:
            path = path[:-1]
        at = self._places.get(path, 0)
        start = self._text.rfind("\n", 0, at) + 1
        return Place(self._text.count("\n", 0, at) + 1, at - start + 1)

    def _scan(self) -> None:
        text, at = self._text, 0
        base: KeyPath = ()
        while True:
            at = self._skip(at)
            if at >= len(text):
                return
            if text.startswith("[[", at):
                names, end = self._key(at + 2)
                base = self._open(names, array=True)
                self._note_header(base, at)
                at = end + 2
            elif text[at] == "[":
                names, end = self._key(at + 1)
                base = self._open(names, array=False)
                self._note_header(base, at)
                at = end + 1
            else:
                names, end = self._key(at)
                for depth in range(1, len(names) + 1):
                    self._places.setdefault((*base, *names[:depth]), at)
                at = self._value(end + 1)

    def _note_header(self, path: KeyPath, at: int) -> None:
        """Note a header's place, also for the tables around it that no header of their own has named yet."""
        for depth in range(1, len(path)):
            self._places.setdefault(path[:depth], at)
        self._places[path] = at

    def _open(self, names: tuple[str, ...], *, array: bool) -> KeyPath:
        """Resolve a header: every array of tables on the way means its latest element."""
        path: KeyPath = ()
        for depth, name in enumerate(names):
            path = (*path, name)
            if array and depth == len(names) - 1:
                count = self._counts.get(path, 0)
                self._counts[path] = count + 1
                path = (*path, count)
            elif path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _skip(self, at: int) -> int:
        found = _SKIP.match(self._text, at)
        return found.end() if found else at

    def _key(self, at: int) -> tuple[tuple[str, ...], int]:
        """Read a dotted key; gives its parts and where it ends (at `=` or `]`)."""
        parts: list[str] = []
        while found := _KEY_PART.match(self._text, at):
            raw = found[1]
            parts.append(next(iter(tomllib.loads(f"{raw} = 0"))) if raw[0] in "\"'" else raw)
            at = found.end()
            if self._text[at : at + 1] != ".":
                break
            at += 1
        return tuple(parts), at

    def _value(self, at: int) -> int:
        """Skip one value; gives where it ends. Brackets nest; strings and comments hide theirs."""
        depth = 0
        while at < len(self._text):
            at = self._skip(at) if depth else self._skip_blanks(at)
            if at >= len(self._text):
                break
            here = self._text[at]
            if here in "[{":
                depth += 1
                at += 1
            elif here in "]}":
                depth -= 1
                at += 1
            elif here == ",":
                at += 1
            elif here in "#\n\r":
                break
            else:
                found = _STRING.match(self._text, at) if here in "\"'" else _PLAIN.match(self._text, at)
                if found is None:
                    break
                at = found.end()
        return at

    def _skip_blanks(self, at: int) -> int:
        while at < len(self._text) and self._text[at] in " \t":
            at += 1
        return at
