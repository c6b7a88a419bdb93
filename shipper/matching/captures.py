"""Which named groups of a pattern may take no part in a match, so that templates should name a default.

A reading of the pattern's brackets, for a warning only: it never decides a match. A group is optional when it,
or one around it, may be repeated zero times, stands in one of several alternatives, or in a negative look-around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")
_ZERO_TIMES = re.compile(r"[?*]|\{0?,|\{0\}")


@dataclass(slots=True)
class _Group:
    name: str | None
    names: set[str]
    optional: bool
    negative: bool


def optional_captures(pattern: str) -> frozenset[str]:
    """Give the names of the groups that may be absent from a match."""
    found: set[str] = set()
    stack = [_Group(None, set(), optional=False, negative=False)]
    at = 0
    while at < len(pattern):
        here = pattern[at]
        if here == "\\":
            at += 2
            continue
        if here == "[":
            at = _end_of_set(pattern, at)
            continue
        if here == "(":
            named = _NAME.match(pattern, at)
            negative = pattern.startswith(("(?!", "(?<!"), at)
            stack.append(_Group(named[1] if named else None, set(), optional=False, negative=negative))
        elif here == "|":
            stack[-1].optional = True
        elif here == ")" and len(stack) > 1:
            group = stack.pop()
            # alternatives inside a group make its inner groups optional, a zero repetition also itself
            if group.optional or group.negative:
                found |= group.names
            if group.name is not None:
                group.names.add(group.name)
            if group.negative or _ZERO_TIMES.match(pattern, at + 1):
                found |= group.names
            stack[-1].names |= group.names
        at += 1
    if stack[0].optional:
        found |= stack[0].names
    return frozenset(found)


def _end_of_set(pattern: str, at: int) -> int:
    """Give where a set such as `[^]\\w]` ends."""
    at += 1
    at += pattern[at : at + 1] == "^"
    at += pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            at = end + 2
        else:
            at += 2 if pattern[at] == "\\" else 1
    return at + 1
