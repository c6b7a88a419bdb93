"""Replaces what must not leave the host, before anything reaches the store, a log, a screen or the network. Pure.

Patterns are searched in the whole record, as it was matched. Every character that one of them covers is replaced: in
the record itself, and in whatever part of it a capture or a field of a JSON line holds. A pattern that does not end in
time takes everything away: nobody knows what it would have covered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shipper.matching.rule import Pattern

FAILED = "[redaction failed]"
"""What stands for everything that a record says when a pattern did not end in time."""
CUT = "[not shown: cut at its limit]"
"""What people are shown of a record that its limit cut, where a redaction might need the rest to cover it."""

_STOPPED = (TimeoutError, MemoryError)
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([{}\[\],:])|([^\s"{}\[\],:]+))', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Redaction:
    """`[[redact]]`: what is covered, and what stands there instead."""

    pattern: Pattern
    replace: str


class Redacted:
    """One record without what redactions cover.

    Attributes:
        failed: whether a pattern did not end in time, so that nothing is shown.
    """

    def __init__(self, text: str, redactions: Iterable[Redaction], timeout: float) -> None:
        """Search; `timeout` seconds for each pattern."""
        self._text = text
        self._spans: list[tuple[int, int, str]] = []
        try:
            self._spans = _merged(_covered(text, redactions, timeout))
            self.failed = False
        except _STOPPED:
            self.failed = True

    @property
    def text(self) -> str:
        """The record."""
        return self.part(0, len(self._text))

    def part(self, start: int, end: int) -> str:
        """Give the characters from `start` to `end`; what is covered of them is replaced, once for each stretch."""
        if self.failed:
            return FAILED
        kept: list[str] = []
        at = start
        for first, behind, replacement in self._spans:
            if behind <= start or first >= end or start == end:
                continue
            kept += (self._text[at : max(first, at)], replacement)
            at = min(behind, end)
        kept.append(self._text[at:end])
        return "".join(kept)

    def captures(self, found: Pattern) -> dict[str, str | None]:
        """Give the groups of a match in this record, by number and by name; None for those that took no part."""
        values = {
            str(number): None if (span := found.span(number))[0] < 0 else self.part(*span)
            for number in range(1, found.re.groups + 1)
        }
        return values | {name: values[str(number)] for name, number in found.re.groupindex.items()}

    def fields(self, fields: Mapping[str, str | None]) -> dict[str, str | None]:
        """Give the fields of a JSON line, see `json_fields`, without what is covered of them in the line."""
        if self.failed:
            return dict.fromkeys(fields, FAILED)
        if not self._spans or not fields:
            return dict(fields)
        places: dict[str, list[tuple[int, int]]] = {}
        for name, place in _places(self._text):
            places.setdefault(name, []).append(place)
        return {name: self._field(value, places.get(name, ())) for name, value in fields.items()}

    def _field(self, value: str | None, places: Sequence[tuple[int, int]]) -> str | None:
        if value is None:
            return None
        covered = [place for place in places if self._is_covered(*place)]
        if places and not covered:
            return value
        if len(places) != 1:
            # of those that share a name nobody says which one it is; none, never, if we and `json_fields` read alike
            return FAILED
        start, end = covered[0]
        if self._text[start] != '"':
            return self.part(start, end)
        inner = self.part(start + 1, end - 1)
        try:
            return str(orjson.loads(f'"{inner}"'))
        except orjson.JSONDecodeError:
            # what stands there instead is no JSON
            return inner

    def _is_covered(self, start: int, end: int) -> bool:
        return any(first < end and behind > start for first, behind, _ in self._spans)


def _covered(text: str, redactions: Iterable[Redaction], timeout: float) -> Iterator[tuple[int, int, str]]:
    for redaction in redactions:
        for found in redaction.pattern.finditer(text, timeout=timeout):
            start, end = found.span()
            if start < end:
                yield start, end, redaction.replace


def _merged(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join stretches that overlap; what begins first says what stands there."""
    merged: list[tuple[int, int, str]] = []
    # a stable order: of those that begin together the first pattern counts
    for start, end, replacement in sorted(spans, key=lambda span: span[0]):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = before[0], max(before[1], end), before[2]
        else:
            merged.append((start, end, replacement))
    return merged


def _places(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give where the values of a JSON object lie in its text, by the names of `json_fields`; a later one counts."""
    open_at: list[int] = []
    names: list[str | None] = []
    # of an object the name that was read, of an array the number of its value
    position: list[str | int] = []
    is_name = False
    for found in _TOKEN.finditer(text):
        mark = found[2]
        start, end = found.start(found.lastindex or 0), found.end()
        if mark == "{" or mark == "[":
            open_at.append(start)
            names.append(_named(names, position) if names else None)
            position.append("" if mark == "{" else 0)
            is_name = mark == "{"
        elif mark == "}" or mark == "]":
            start = open_at.pop()
            name = names.pop()
            position.pop()
            is_name = False
            if name is not None:
                yield name, (start, end)
        elif mark == ",":
            here = position[-1]
            is_name = isinstance(here, str)
            position[-1] = here if isinstance(here, str) else here + 1
        elif mark == ":":
            is_name = False
        elif is_name:
            position[-1] = str(orjson.loads(found[1]))
        else:
            yield _named(names, position), (start, end)


def _named(names: Sequence[str | None], position: Sequence[str | int]) -> str:
    """Give the name of the value at hand."""
    return str(position[-1]) if names[-1] is None else f"{names[-1]}.{position[-1]}"
