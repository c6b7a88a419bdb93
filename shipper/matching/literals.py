"""What every match of a pattern must contain: sets of literals, one of each set. Pure.

A scanner that looks for one such set finds every line that may match, and `regex` decides about those lines alone. The
sets are taken from the parse tree of the installed `regex`, which is private: only kinds of nodes that are known are
read, whatever else is there, or is not where it was, is a gap. So an unknown construct costs speed, never a match.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import regex
from regex import _regex_core as core

from shipper.matching.tree import UNKNOWN, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_ALTERNATIVES = 16
"""Alternatives that are written out with what stands around them, as in `(?:ERROR|FATAL) disk`."""

MAX_LITERALS = 64
"""Literals in one set; a longer list is no help to a scanner that has to look for all of them."""

MAX_LENGTH = 64
"""Characters of a literal; more do not make it rarer."""

_UNWRITABLE = regex.compile(r"[\n\ufffd\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Literal:
    """Text that a line must contain.

    Attributes:
        text: never empty; without newlines, surrogates, and what stands for undecodable bytes.
        caseless: whether its ASCII letters stand for both cases. There is no other letter in it then; but a letter that
            folds to ASCII, or to several letters, may stand in its place, see `Spelling`.
    """

    text: str
    caseless: bool = False


LiteralSet = frozenset[Literal]


# a rule set is planned anew for each source and at each reload
@lru_cache(maxsize=4096)
def required_literals(pattern: str) -> tuple[LiteralSet, ...]:
    """Give sets of literals of which every match contains one each, in the order of the pattern.

    Args:
        pattern: that the `regex` module takes, without further flags.

    Returns:
        Nothing when no literal is certain.
    """
    try:
        tree = parse(pattern)
        needs = _Needs(None, []) if tree is None else _needs(tree)
    except UNKNOWN:
        return ()
    return tuple(dict.fromkeys(each for each in needs.closed() if 0 < len(each) <= MAX_LITERALS))


def endless_groups(pattern: str) -> frozenset[str]:
    """Give the numbers and names of the groups that may hold any of more texts than can be written out."""
    try:
        tree = parse(pattern)
        groups = dict(_groups(tree)) if tree is not None else {}
        bounded = {number for number, group in groups.items() if _needs(group.subpattern).exact is not None}
    except UNKNOWN:
        bounded = set()
    compiled = regex.compile(pattern)
    numbers = set(range(1, compiled.groups + 1)) - bounded
    return frozenset({*map(str, numbers), *(name for name, at in compiled.groupindex.items() if at in numbers)})


def _groups(node: Any) -> Iterator[tuple[int, Any]]:
    if type(node) is core.Group and node.group is not None:
        yield node.group, node
    parts = getattr(node, "items", None) if type(node) is core.Sequence else getattr(node, "branches", None)
    for part in parts or ([node.subpattern] if hasattr(node, "subpattern") else []):
        yield from _groups(part)


@dataclass(slots=True)
class _Needs:
    """What a part of a pattern needs.

    Attributes:
        exact: the texts of which it matches one, and nothing else; None when that is not known.
        sets: those that lie wholly inside.
    """

    exact: tuple[Literal, ...] | None
    sets: list[LiteralSet]

    def closed(self) -> list[LiteralSet]:
        """Give the sets, with what it matches exactly as the last."""
        return [*self.sets, *_cut(self.exact or ())]


_NOTHING = Literal("")


def _needs(node: Any) -> _Needs:
    kind = type(node)
    if kind is core.Character:
        return _of_character(node)
    if kind is core.SetUnion:
        return _of_set(node)
    if kind in (core.Group, core.Atomic):
        return _needs(node.subpattern)
    if kind is core.Sequence:
        return _of_sequence(node.items)
    if kind is core.Branch:
        return _of_branches(node.branches)
    if kind in (core.GreedyRepeat, core.LazyRepeat, core.PossessiveRepeat):
        return _of_repeat(node)
    if kind is core.LookAround:
        # what it sees lies in the line too, but not behind what comes before it
        return _Needs((_NOTHING,), _needs(node.subpattern).closed() if node.positive else [])
    if kind in _WIDTHLESS:
        return _Needs((_NOTHING,), [])
    return _Needs(None, [])


_WIDTHLESS = tuple(
    getattr(core, name)
    for name in (
        "Boundary", "DefaultBoundary", "StartOfWord", "EndOfWord", "DefaultStartOfWord", "DefaultEndOfWord",
        "StartOfLine", "StartOfLineU", "StartOfString", "EndOfLine", "EndOfLineU", "EndOfString", "EndOfStringLine",
        "EndOfStringLineU",
    )
    if hasattr(core, name)
)  # fmt: skip


def _of_character(node: Any) -> _Needs:
    if not node.positive or node.zerowidth:
        return _Needs(None, [])
    literal = _letter(chr(node.value), ignoring_case=bool(node.case_flags & core.IGNORECASE))
    return _Needs(None if literal is None else (literal,), [])


def _letter(text: str, *, ignoring_case: bool) -> Literal | None:
    if _UNWRITABLE.search(text) or (ignoring_case and not text.isascii()):
        return None
    return Literal(text, ignoring_case and text.isalpha())


def _of_set(node: Any) -> _Needs:
    """Write out a small set, such as `[Ee]`."""
    if not node.positive or node.zerowidth or not 0 < len(node.items) <= MAX_ALTERNATIVES:
        return _Needs(None, [])
    letters = []
    for item in node.items:
        if type(item) is not core.Character or not item.positive:
            return _Needs(None, [])
        letter = _letter(chr(item.value), ignoring_case=bool((node.case_flags | item.case_flags) & core.IGNORECASE))
        if letter is None:
            return _Needs(None, [])
        letters.append(letter)
    return _Needs(tuple(letters), [])


def _of_sequence(items: Iterable[Any]) -> _Needs:
    run: tuple[Literal, ...] = (_NOTHING,)
    sets: list[LiteralSet] = []
    whole = True
    for item in items:
        needs = _needs(item)
        sets += needs.sets
        if needs.exact is None:
            sets += _cut(run)
            run, whole = (_NOTHING,), False
        elif len(run) * len(needs.exact) > MAX_ALTERNATIVES:
            sets += _cut(run)
            run, whole = needs.exact, False
        else:
            run = tuple(dict.fromkeys(_joined(before, behind) for before in run for behind in needs.exact))
    if whole:
        return _Needs(run, sets)
    return _Needs(None, sets + _cut(run))


def _joined(before: Literal, behind: Literal) -> Literal:
    text = before.text + behind.text
    return Literal(text, before.caseless or behind.caseless)


def _of_branches(branches: Iterable[Any]) -> _Needs:
    """One of the alternatives is there: all are written out, or the best set of each together."""
    each = [_needs(branch) for branch in branches]
    exacts = [needs.exact for needs in each if needs.exact is not None]
    if len(exacts) == len(each) and sum(map(len, exacts)) <= MAX_ALTERNATIVES:
        return _Needs(tuple(dict.fromkeys(itertools.chain.from_iterable(exacts))), [])
    together: set[Literal] = set()
    for needs in each:
        closed = needs.closed()
        if not closed:
            return _Needs(None, [])
        together |= max(closed, key=_promise)
    return _Needs(None, [frozenset(together)])


def _of_repeat(node: Any) -> _Needs:
    """What is repeated is there at least once; how often is a gap in the middle of it."""
    if not node.min_count:
        return _Needs(None, [])
    return _Needs(None, _needs(node.subpattern).closed())


def _promise(literals: Collection[Literal]) -> tuple[int, int]:
    """Order sets by how rare they look: the shortest literal counts, then how few there are."""
    return min(len(literal.text) for literal in literals), -len(literals)


def _cut(run: Iterable[Literal]) -> list[LiteralSet]:
    """Give what a run of alternatives asks for, in writable pieces; none when one of them asks for nothing."""
    pieces = [list(_pieces(literal)) for literal in run]
    if not pieces or not all(pieces):
        return []
    return [frozenset(max(each, key=lambda literal: len(literal.text)) for each in pieces)]


def _pieces(literal: Literal) -> Iterator[Literal]:
    for piece in _UNWRITABLE.split(literal.text):
        if piece:
            yield Literal(piece[:MAX_LENGTH], literal.caseless and any(map(str.isalpha, piece[:MAX_LENGTH])))
