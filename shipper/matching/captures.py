"""Which named groups of a pattern may take no part in a match, so that templates should name a default.

A reading of the pattern's brackets, for a warning only: it never decides a match. A group is optional when it,
or one around it, may be repeated zero times, stands in one of several alternatives, or in a negative look-around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"\(\?P?<\s*([^\W\d]\w*)\s*>")
_ZERO_TIMES = re.compile(r"[?*]|\{[0\s]*,|\{\s*0[0\s]*\}")
_COMMENT = re.compile(r"\(\?#(?:[^\\)]|\\.)*\)", re.DOTALL)
_BLANK = re.compile(r"\s+|#[^\n]*")
_VERBOSE = re.compile(r"(?<!\\)\(\?[A-Za-z0-9-]*x")
_VERBOSE_THROUGHOUT = re.compile(r"\(\?[A-Za-z0-9]*x[A-Za-z0-9]*\)")


@dataclass(slots=True)
class _Group:
    name: str | None
    names: set[str]
    optional: bool
    negative: bool


def optional_captures(pattern: str) -> frozenset[str]:
    """Give the names of the groups that may be absent from a match.

    Args:
        pattern: a pattern that the `regex` module takes.
    """
    throughout = _VERBOSE_THROUGHOUT.match(pattern)
    if _VERBOSE.search(pattern, throughout.end() if throughout else 0):
        # blanks and `#` mean different things in parts of this pattern: say too much rather than too little
        return frozenset(_NAME.findall(pattern))
    found: set[str] = set()
    stack = [_Group(None, set(), optional=False, negative=False)]
    nested = "V1" in pattern
    at = 0
    while (at := _skip(pattern, at, verbose=throughout is not None)) < len(pattern):
        here = pattern[at]
        if here == "\\":
            at += 2
            continue
        if here == "[":
            at = _end_of_set(pattern, at, nested=nested)
            continue
        if here == "(":
            stack.append(_open(pattern, at))
        elif here == "|":
            stack[-1].optional = True
        elif here == ")" and len(stack) > 1:
            behind = _skip(pattern, at + 1, verbose=throughout is not None)
            _close(stack, found, repeated_zero_times=_ZERO_TIMES.match(pattern, behind) is not None)
        at += 1
    if stack[0].optional:
        found |= stack[0].names
    return frozenset(found)


def _open(pattern: str, at: int) -> _Group:
    """Begin a group; the parts of a condition, `(?(1)yes|no)`, are optional as alternatives are."""
    named = _NAME.match(pattern, at)
    return _Group(
        named[1] if named else None,
        set(),
        optional=pattern.startswith("(?(", at),
        negative=pattern.startswith(("(?!", "(?<!"), at),
    )


def _close(stack: list[_Group], found: set[str], *, repeated_zero_times: bool) -> None:
    """End the innermost group: alternatives make its inner groups optional, a zero repetition also itself."""
    group = stack.pop()
    if group.optional:
        found |= group.names
    if group.name is not None:
        group.names.add(group.name)
    if group.negative or repeated_zero_times:
        found |= group.names
    stack[-1].names |= group.names


def _skip(pattern: str, at: int, *, verbose: bool) -> int:
    """Give where the next thing stands that means something: comments do not, nor blanks in a verbose pattern."""
    while skipped := _COMMENT.match(pattern, at) or (verbose and _BLANK.match(pattern, at)):
        at = skipped.end()
    return at


def _end_of_set(pattern: str, at: int, *, nested: bool) -> int:
    """Give where a set such as `[^]\\w]` ends; in version 1 of the syntax sets may hold sets."""
    at += 1
    at += pattern[at : at + 1] == "^"
    at += pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            at = end + 2
        elif nested and pattern[at] == "[":
            at = _end_of_set(pattern, at, nested=nested)
        else:
            at += 2 if pattern[at] == "\\" else 1
    return at + 1
