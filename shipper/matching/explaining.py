"""Explains what rules make of one record: for each whether it matched, why not, and what it took.

Pure but for the clock.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipper.matching.composer import Composer
from shipper.matching.literals import required_literals
from shipper.matching.redaction import Redacted
from shipper.matching.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shipper.events import Block, Event
    from shipper.matching.composer import Host
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule

_AGAIN_BELOW = 1e-3
_TRIES = 3
_MOST_NAMED = 4


class Outcome(enum.Enum):
    """What a rule made of a record."""

    MATCHED = "matched"
    NO_MATCH = "no match"
    IGNORED = "ignored"
    NOT_ASKED = "not asked"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule made of a record.

    Attributes:
        rule: its id.
        outcome: in a word.
        reason: why it is no event; of one that is, what may keep it back.
        captures: by name or number; None for one that took no part.
        event: when it matched.
        seconds: that the searches took; None when there were none.
    """

    rule: str
    outcome: Outcome
    reason: str = ""
    captures: Mapping[str, str | None] = field(default_factory=dict)
    event: Event | None = None
    seconds: float | None = None


def explain(
    rules: Sequence[Rule],
    record: LogRecord,
    block: Block,
    host: Host,
    match_timeout: float,
    group_id: int = 0,
    *,
    for_any_source: bool,
) -> Iterator[Explanation]:
    """Explain each rule in turn.

    Args:
        rules: in the order in which they judge.
        record: the record.
        block: in which it lies; its origin is the record's.
        host: for templates and ids.
        match_timeout: seconds for one search of a rule that names no limit.
        group_id: application group where neither rule nor source names one.
        for_any_source: whether the rules' `sources` are left out of account.
    """
    final: str | None = None
    for rule in rules:
        if not for_any_source and not rule.applies_to(block.origin.source):
            said = f"its sources ({', '.join(rule.sources)}) do not name the source '{block.origin.source or ''}'"
            yield Explanation(rule.id, Outcome.NOT_ASKED, said)
            continue
        if final is not None:
            yield Explanation(rule.id, Outcome.NOT_ASKED, f"rule '{final}' before it is final")
            continue
        explained = _explain(rule, record, block, host, rule.timeout or match_timeout, group_id)
        if explained.outcome is Outcome.MATCHED and rule.final and not rule.shadow:
            final = rule.id
        yield explained


def _explain(rule: Rule, record: LogRecord, block: Block, host: Host, timeout: float, group_id: int) -> Explanation:
    text = record.text
    spent = 0.0
    for place, pattern in enumerate((rule.match, *rule.ignore)):
        try:
            found, seconds = _timed(pattern, text, timeout)
        except (TimeoutError, MemoryError):
            what = "'match'" if place == 0 else f"number {place} of 'ignore'"
            said = f"{what} did not end within {timeout:g} s and counts as not matched"
            return Explanation(rule.id, Outcome.TIMED_OUT, said, seconds=spent + timeout)
        spent += seconds
        if place == 0:
            match = found
            if match is None:
                return Explanation(rule.id, Outcome.NO_MATCH, _why_not(rule, text), seconds=spent)
        elif found is not None:
            said = f"number {place} of 'ignore' matches, too: {pattern.pattern}"
            return Explanation(rule.id, Outcome.IGNORED, said, _captures(rule, match, timeout), seconds=spent)
    event = Composer(rule, host, Tally(), timeout, group_id).compose(match, record, block, block.origin)
    return Explanation(rule.id, Outcome.MATCHED, _but(rule), _captures(rule, match, timeout), event, spent)


def _timed(pattern: Pattern, text: str, timeout: float) -> tuple[Pattern | None, float]:
    """Search, again if it was quick: the first time is often the slowest."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.perf_counter()
        found = pattern.search(text, timeout=timeout)
        best = min(best, time.perf_counter() - began)
        if best > _AGAIN_BELOW:
            break
    return found, best


def _but(rule: Rule) -> str:
    """Say what keeps the event back, or may."""
    said = []
    if rule.shadow:
        said.append("in the shadow: nothing is sent")
    if rule.threshold is not None:
        said.append(f"an event only at {rule.threshold.count} matches within {rule.threshold.within:g} s")
    if rule.throttle is not None:
        said.append(f"at most {rule.throttle.max} events in {rule.throttle.per:g} s")
    return "; ".join(said)


def _captures(rule: Rule, match: Pattern, timeout: float) -> dict[str, str | None]:
    """Give the groups, by name or number, without what is redacted."""
    names = {str(number): name for name, number in match.re.groupindex.items()}
    values = Redacted(match.string, rule.redact, timeout).captures(match)
    return {names.get(number, number): values[number] for number in map(str, range(1, match.re.groups + 1))}


def _why_not(rule: Rule, text: str) -> str:
    """Name text that a match needs and that is not there, if that is why."""
    lower = text.lower()
    missing = [
        literals
        for literals in required_literals(rule.match.pattern)
        if not any(each.text.lower() in lower if each.caseless else each.text in text for each in literals)
    ]
    if not missing:
        return "'match' is found nowhere in it"
    # the longest says most
    named = sorted(each.text for each in max(missing, key=lambda literals: min(len(each.text) for each in literals)))
    shown = " or ".join(f"'{each}'" for each in named[:_MOST_NAMED])
    more = f" or {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"it needs {shown}{more}, which is not there"
