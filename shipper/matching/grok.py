"""`%{NAME}` and `%{NAME:capture}` in patterns: replaced by what the name stands for (spec, section 4). Pure.

A name stands for a pattern of the library, or of `[grok]` in the rule file, which comes first; patterns may use other
names in turn. Only what has the form of such a name is replaced: `%` and braces mean what they mean elsewhere.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from shipper.matching.grok_library import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LENGTH = 100_000
"""Characters of an expanded pattern: names that use each other several times grow without any bound."""

# an escape, which is passed over, or a name; a number in braces says how many per cent signs there are
_NAME = re.compile(r"\\.|%\{(?![0-9]*,?[0-9]*\})([^{}]*)\}", re.DOTALL)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CAPTURE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def expand(text: str, own: Mapping[str, str]) -> str:
    """Replace all names in a pattern.

    Args:
        text: the pattern.
        own: further names, each with its pattern.

    Raises:
        ValueError: a name is not known or leads to itself, or is not written as one; says which, and what to do.
    """
    return _expand(text, own, ())


def _expand(text: str, own: Mapping[str, str], inside: tuple[str, ...]) -> str:
    parts = []
    at = 0
    for found in _NAME.finditer(text):
        if found[1] is not None:
            parts += [text[at : found.start()], _replaced(found[1], own, inside)]
            at = found.end()
    parts.append(text[at:])
    whole = "".join(parts)
    if len(whole) > MAX_LENGTH:
        raise ValueError(f"is over {MAX_LENGTH:,} characters long with all its %{{NAMES}} replaced")
    return whole


def _replaced(inner: str, own: Mapping[str, str], inside: tuple[str, ...]) -> str:
    name, colon, capture = inner.partition(":")
    if not WORD.fullmatch(name):
        raise ValueError(
            f"has %{{{inner}}}, which is no name; write %{{NAME}} or %{{NAME:capture}}, or \\%{{ for the characters"
        )
    pattern = own.get(name, LIBRARY.get(name))
    if pattern is None:
        close = get_close_matches(name.upper(), [*own, *LIBRARY], 1)
        hint = f"; did you mean %{{{close[0]}}}?" if close else "; add it to [grok]"
        raise ValueError(f"uses %{{{name}}}, which is not known{hint}")
    if name in inside:
        way = " → ".join((*inside[inside.index(name) :], name))
        raise ValueError(f"uses %{{{name}}}, which leads to itself: {way}")
    if colon and not _CAPTURE.fullmatch(capture):
        raise ValueError(
            f"has %{{{inner}}}: a capture is named with letters, digits and _, such as %{{{name}:client_ip}}; "
            "everything is text, so there are no types"
        )
    expanded = _expand(pattern, own, (*inside, name))
    return f"(?<{capture}>{expanded})" if colon else f"(?:{expanded})"
