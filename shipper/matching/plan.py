"""Which literals the scanner looks for: of each rule the set that is rarest in a sample of the text itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from shipper.matching.literals import required_literals
from shipper.matching.scanner import SCANNER, Needle

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from shipper.matching.rule import Rule
    from shipper.matching.scanner import Scanner
    from shipper.matching.spelling import AnySpelling

SAMPLE_BYTES = 256 * 1024
"""More tells little more: what is in two of ten thousand lines is seen in it."""

SECOND_LOOK = 2e-4
"""Share of the lines from which on a second literal is looked for in a line before it is decoded."""

MOST_SECOND = 4
"""Literals of a set that is looked for in single lines: each costs a search."""

EVERYWHERE = 0.5
"""Places a line from which on finding them, and the lines around them, costs more than searching all lines."""

_MEAN_LINE = 100.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a rule asks of a line.

    Attributes:
        needles: the scanner looks for these; one must be there. Empty: every line is judged.
        second: of these too, if there are some.
        rate: places a line, as the sample has them; a guess where there is none.
    """

    needles: frozenset[Needle]
    second: tuple[bytes, ...]
    rate: float


_EVERY_LINE = Wanted(frozenset(), (), 0.0)


class Plan:
    """Made for some rules, one encoding and a sample.

    Attributes:
        wanted: what each rule asks, in the order of the rules.
        scanner: None when no rule has a literal.
        rules_of: places of the rules by the numbers that the scanner gives.
        always: places of the rules that judge every line.
        rate: lines that are expected to be judged, as a share of all, but for rules that judge every line.
        line_bytes: the mean length of a line.
    """

    def __init__(
        self, wanted: Sequence[Wanted], line_bytes: float, folding: Iterable[bytes] = (), escape: bytes = b""
    ) -> None:
        """Use `plan_for`."""
        self.line_bytes = line_bytes
        self.wanted = tuple(wanted)
        self.always = tuple(place for place, each in enumerate(wanted) if not each.needles)
        self.rate = min(1.0, sum(each.rate for each in wanted if each.needles))
        rules_of: dict[Needle, set[int]] = {}
        for place, each in enumerate(wanted):
            for needle in each.needles:
                rules_of.setdefault(needle, set()).add(place)
        caseless = {place for needle, places in rules_of.items() if needle.caseless for place in places}
        if caseless:
            for data in folding:
                rules_of.setdefault(Needle(data), set()).update(caseless)
        self._escape = len(rules_of)
        if rules_of and escape:
            # what is written behind it may be any literal
            rules_of[Needle(escape)] = {place for place, each in enumerate(wanted) if each.needles}
        self.rules_of = tuple(tuple(sorted(places)) for places in rules_of.values())
        self._is_final = tuple(not any(wanted[place].second for place in places) for places in self.rules_of)
        self.scanner: Scanner | None = _scanner(tuple(rules_of)) if rules_of else None

    def places(self, numbers: Collection[int], raw: bytes) -> Sequence[int]:
        """Give the places of the rules that are to judge a record, in order; without those that judge every one.

        Args:
            numbers: what the scanner found in it.
            raw: its bytes, as the rules see them.
        """
        if self._escape in numbers and self.scanner is not None:
            numbers = {number for _, number in self.scanner.scan(raw)} - {self._escape}
        if len(numbers) == 1:
            (number,) = numbers
            found: Sequence[int] = self.rules_of[number]
            if self._is_final[number]:
                return found
        else:
            found = sorted({place for number in numbers for place in self.rules_of[number]})
        wanted = self.wanted
        return [place for place in found if not (second := wanted[place].second) or any(each in raw for each in second)]


def plan_for(
    rules: Sequence[Rule], spelling: AnySpelling | None, sample: bytes, *, always: Collection[str] = ()
) -> Plan:
    """Plan a scan.

    Args:
        rules: that judge the text.
        spelling: of its encoding; None where bytes do not tell what the text holds: every line is judged.
        sample: some of the text; it may be empty.
        always: ids of rules that judge every line, whatever their literals.
    """
    if spelling is None:
        return Plan([_EVERY_LINE for _ in rules], _MEAN_LINE)
    sets = [[] if rule.id in always else _spelled(rule, spelling) for rule in rules]
    measure = _Sample(sample[:SAMPLE_BYTES], {needle for each in sets for needles in each for needle in needles})
    wanted = [_choose(each, measure) for each in sets]
    return Plan(wanted, measure.line_bytes, spelling.folding, spelling.escape)


class _Sample:
    """Some text, and how often needles are in it. `line_bytes` is the mean length of a line."""

    def __init__(self, data: bytes, needles: Collection[Needle]) -> None:
        lines = max(data.count(b"\n"), 1)
        self.line_bytes = len(data) / lines if data else _MEAN_LINE
        ordered = tuple(needles)
        counts = SCANNER(ordered).count(data) if data and ordered else [0] * len(ordered)
        # what is not in the sample may still come; longer ones seldom
        self._rates = {
            needle: (count + _MEAN_LINE * 0.25 ** min(len(needle.data), 12)) / lines
            for needle, count in zip(ordered, counts, strict=True)
        }

    def rate(self, needles: frozenset[Needle]) -> float:
        """Give the places a line in which one of them is expected."""
        return sum(map(self._rates.__getitem__, needles))


def _choose(sets: Sequence[frozenset[Needle]], sample: _Sample) -> Wanted:
    """Choose the rarest set of a rule, and another one to look for in the lines that it finds."""
    if not sets:
        return _EVERY_LINE
    rates = {each: sample.rate(each) for each in sets}
    best = min(sets, key=lambda each: rates[each])
    second: frozenset[Needle] = frozenset()
    if rates[best] > SECOND_LOOK:
        others = [each for each in sets if each is not best and len(each) <= MOST_SECOND and _is_exact(each)]
        second = min(others, key=lambda each: rates[each], default=second)
    # most lines that the second one is not in cost little
    if rates[best] * (1 if not second else rates[second]) > EVERYWHERE:
        return _EVERY_LINE
    return Wanted(best, tuple(needle.data for needle in second), rates[best])


def _is_exact(needles: frozenset[Needle]) -> bool:
    return not any(needle.caseless for needle in needles)


def _spelled(rule: Rule, spelling: AnySpelling) -> list[frozenset[Needle]]:
    """Give the sets of a rule as needles, without those of which a literal has no spelling."""
    sets = [
        frozenset(Needle(spelling.spell(literal), literal.caseless) for literal in literals)
        for literals in required_literals(rule.match.pattern)
    ]
    return [needles for needles in sets if needles and all(needle.data for needle in needles)]


@lru_cache(maxsize=16)
def _scanner(needles: tuple[Needle, ...]) -> Scanner:
    """Make a scanner; sources whose plans are equal share it."""
    return SCANNER(needles)
