"""Finds texts on which a pattern takes very long, by trying. Pure.

For each part of a pattern that may be repeated without end, a text is made in which it is repeated and after which
nothing fits any more: what has two ways to read that text tries both at each step. Only what was seen to take long is
told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regex import _regex_core as core

from shipper.matching.tree import UNKNOWN, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.matching.rule import Pattern

TIMES = 100
"""How often a part is repeated: what grows with the square or the cube of the length stays quick."""

LIMIT = 0.05
"""Seconds after which a text counts as one that takes very long."""

_MOST_TEXTS = 64
_ENDLESS = 16
_CANDIDATES = "a0 xA_-./:=,;\"'([{<>)]}\\@#%&*+?!|~^$`é中\t\x01"
_NOTHING_FITS = "\x02\x02"


def slow_text(pattern: Pattern) -> str | None:
    """Give a text on which a search takes longer than `LIMIT`; None when none was found."""
    try:
        tree = parse(pattern.pattern)
        # behind it what does match: a text that lacks something certain would not be searched at all
        behind = "" if tree is None else _sample(tree, 1)
        texts = [] if tree is None else [text + behind for text in dict.fromkeys(_texts(tree, ""))][:_MOST_TEXTS]
    except UNKNOWN:
        return None
    for text in texts:
        try:
            pattern.search(text, timeout=LIMIT)
        except (TimeoutError, MemoryError):
            return text
    return None


def _texts(node: Any, before: str) -> Iterator[str]:
    """Give texts in which a part of a node is repeated, behind what comes before it."""
    kind = type(node)
    if kind is core.Sequence:
        for item in node.items:
            yield from _texts(item, before)
            before += _sample(item, 1)
    elif kind is core.Branch:
        for branch in node.branches:
            yield from _texts(branch, before)
    elif kind in (core.GreedyRepeat, core.LazyRepeat):
        if node.max_count is None or node.max_count >= _ENDLESS:
            for least in (0, 1):
                yield before + _sample(node.subpattern, least) * TIMES + _NOTHING_FITS
        yield from _texts(node.subpattern, before)
    elif hasattr(node, "subpattern"):
        yield from _texts(node.subpattern, before)


def _sample(node: Any, least: int) -> str:
    """Give a text that a node matches, as far as is known; what may be left out is there `least` times."""
    kind = type(node)
    if kind is core.Sequence:
        return "".join(_sample(item, least) for item in node.items)
    if kind is core.Branch:
        return _sample(node.branches[0], least)
    if kind is core.LookAround:
        return ""
    if kind in (core.GreedyRepeat, core.LazyRepeat, core.PossessiveRepeat):
        times: int = min(max(node.min_count, least), _ENDLESS)
        return _sample(node.subpattern, least) * times
    if hasattr(node, "subpattern"):
        return _sample(node.subpattern, least)
    if getattr(node, "zerowidth", False):
        return ""
    if kind is core.Character and node.positive:
        return chr(node.value)
    if hasattr(node, "matches"):
        return next((sign for sign in _CANDIDATES if node.matches(ord(sign))), "")
    return "a" if kind in (core.Any, core.AnyAll, core.AnyU) else ""
