"""What deserves a look in rules that work: for `shipper check`, which has the time that a start does not have. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shipper.matching.backtracking import LIMIT, TIMES, slow_text
from shipper.matching.literals import endless_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.config.model import SourceTable
    from shipper.errors import Problem
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.rulebook import Rulebook

_ENDLESS = frozenset({"line", "time", "id", "path", "file", "count"})
"""Built-ins that make another name of nearly every event, or of every file."""

_BOUNDED = frozenset({"hostname", "ip", "source", "rule"})
"""Built-ins that are the same for all events of a host, a source or a rule."""

_CALLED = re.compile(r"\(\?P=(\w+)\)|\\g<(\w+)>|\(\?(?:P>|&)(\w+)\)|\(\?\((\w+)\)")
_SHOWN = 40


def advise(rulebook: Rulebook, sources: Sequence[SourceTable] | None) -> list[Problem]:
    """Give warnings, each with its place.

    Args:
        rulebook: all rules of the files.
        sources: those of the configuration; None when there is none at hand.
    """
    return [problem for number in range(len(rulebook.rules)) for problem in _advise(rulebook, number, sources)]


def unused_sources(rulebook: Rulebook, sources: Sequence[SourceTable]) -> list[int]:
    """Give the places of the sources whose lines no rule judges."""
    return [
        number
        for number, source in enumerate(sources)
        if not any(rule.applies_to(source.name) for rule in rulebook.rules)
    ]


def _advise(rulebook: Rulebook, number: int, sources: Sequence[SourceTable] | None) -> Iterator[Problem]:
    rule, (document, place) = rulebook.rules[number], rulebook.places[number]

    def warning(key: str, message: str) -> Problem:
        return document.problem(("rule", place, *key.split(".")), message, rule=rule.id, warning=True)

    for key, pattern in (("match", rule.match), *(("ignore", each) for each in rule.ignore)):
        if (text := slow_text(pattern)) is not None:
            yield warning(key, _slow(key, text))
    for name in _endless_names(rule, sources):
        said = (
            f"the event's name is made of {{{name}}}, which may be any text: an alarm matches exact names, "
            "so give each thing worth a call a name of its own and put the text into 'content'"
        )
        yield warning("event", said)
    for name in sorted(_unused_captures(rule)):
        yield warning("match", f"the capture '{name}' is used nowhere; (?:...) groups without capturing")
    before = next((other for other in rulebook.rules[:number] if _keeps_all_from(other, rule, rulebook)), None)
    if before is not None:
        said = f"it is never reached: rule '{before.id}' before it is final and matches whatever this one does"
        yield warning("id", said)


def _slow(key: str, text: str) -> str:
    return (
        f"'{key}' may take very long: a text with {TIMES} times the same part, {text[:_SHOWN]!r}…, took more than "
        f"{LIMIT * 1000:g} ms; let no text be read in two ways, or make repeats possessive (a++)"
    )


def _endless_names(rule: Rule, sources: Sequence[SourceTable] | None) -> list[str]:
    """Give what in the event's name may be any text."""
    holes = [hole.name for hole in rule.event.holes]
    constants = {name for source in sources or () for name in source.fields or ()}
    endless = endless_groups(rule.match.pattern) if holes else frozenset[str]()
    captures = {*map(str, range(1, rule.match.groups + 1)), *rule.match.groupindex}
    json = any(source.format == "json" and rule.applies_to(source.name) for source in sources or ())
    return [
        name
        for name in dict.fromkeys(holes)
        if name in _ENDLESS or name in endless or (json and name not in captures | constants | _BOUNDED)
    ]


def _unused_captures(rule: Rule) -> set[str]:
    """Give the named captures that nothing names: no template, no limit, no time, nor the pattern itself."""
    used = set(rule.names())
    if rule.time is not None and rule.time.field is not None:
        used.add(rule.time.field)
    for found in _CALLED.finditer(rule.match.pattern):
        used.update(filter(None, found.groups()))
    return {name for name, at in rule.match.groupindex.items() if name not in used and str(at) not in used}


def _keeps_all_from(first: Rule, second: Rule, rulebook: Rulebook) -> bool:
    """Tell whether nothing is left of what a rule would match, as far as patterns and tests tell."""
    if not first.final or first.shadow or not _covers(first.sources, second.sources):
        return False
    if not first.ignore and (first.match.pattern == second.match.pattern or _matches(first.match, "")):
        return True
    lines = [case.lines[0] for case in rulebook.cases if case.rule.id == second.id and case.expected]
    return bool(lines) and all(
        _matches(first.match, line) and not any(_matches(ignored, line) for ignored in first.ignore) for line in lines
    )


def _covers(first: Sequence[str], second: Sequence[str]) -> bool:
    return not first or (bool(second) and set(second) <= set(first))


def _matches(pattern: Pattern, text: str) -> bool:
    try:
        return pattern.search(text, timeout=LIMIT) is not None
    except (TimeoutError, MemoryError):
        return False
