"""Judges blocks: every record against every rule that applies, in the order offset, then rule. Pure.

The result is that of the plain loop, which searches each record once for each rule. Most records are never looked at:
a scanner finds in one go the places that hold a literal of some rule, and only the records around those are decoded
and judged, by the rules that they may match. A few are judged by other rules too, to prove that nothing is missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.events import Event
from shipper.matching.judge import Judge
from shipper.matching.lane import Lane
from shipper.matching.limits import Limits
from shipper.matching.records import is_escaped, records_at, records_of
from shipper.matching.sieve import Sieve
from shipper.matching.spelling import spelling_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shipper.events import Block, Origin, Unjudged
    from shipper.matching.composer import Draft, Host, TimeBefore
    from shipper.matching.plan import Plan
    from shipper.matching.quarantine import Quarantine
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.tally import Tally

AUDIT_BYTES = 4 * 1024 * 1024
AUDIT_RULES = 8
"""Rules that an audit asks about one record: about a hundredth of the time that scanning so many bytes takes."""

_GOLDEN = 0.6180339887498949
_NOTHING: Mapping[int, Pattern] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Missed:
    """A record that a rule matches and for which the scan did not propose it; from then on it judges every record."""

    rule: str
    path: str
    offset: int


class Engine:
    """The rules at work on one host. Not safe for use by two threads.

    Attributes:
        rules: in the order in which they judge a record.
        limits: what their thresholds and throttles remember.
        quarantine: which of them are set aside; None where none ever is.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        host: Host,
        match_timeout: float,
        group_id: int = 0,
        *,
        for_any_source: bool = False,
        clock: Callable[[], float] = float,
        limits: Limits | None = None,
        quarantine: Quarantine | None = None,
        drafting: bool = False,
        time_before: TimeBefore | None = None,
    ) -> None:
        """Prepare.

        Args:
            rules: in the order in which they judge a record.
            host: for templates and ids.
            match_timeout: seconds for one search of a rule that names no limit.
            group_id: application group where neither rule nor source names one.
            for_any_source: whether the rules' `sources` are left out of account (`match`, `explain`).
            clock: seconds, by which the rules' time is told in their tallies; by default it stands still.
            limits: what thresholds and throttles remember, to be told of these rules; None begins with nothing.
            quarantine: sets rules aside whose searches take too long again and again; None lets them judge on.
            drafting: whether what limits would judge is left to the engine that `settle` is called of; see `draft`.
            time_before: gives the time of a record that carries none; None takes the time of reading.
        """
        self.rules = tuple(rules)
        self.limits = Limits() if limits is None else limits
        self.quarantine = quarantine
        counted = None if drafting else self.limits
        self._judge = Judge(rules, host, match_timeout, counted, quarantine, group_id, clock, time_before)
        self._for_any_source = for_any_source
        self._lanes: dict[tuple[bool | str | None, ...], Lane] = {}
        self._missed: list[Missed] = []
        self._distrusted: set[str] = set()
        self._unaudited = AUDIT_BYTES
        self._audits = 0

    @property
    def tallies(self) -> dict[str, Tally]:
        """What became of each rule's records, by rule id."""
        return self._judge.tallies

    @property
    def unscanned(self) -> frozenset[str]:
        """Ids of the rules that judge every line of some source: no text is certain, and rare, in what they find."""
        plans = [(lane.rules, lane.plan) for lane in tuple(self._lanes.values())]
        return frozenset(rules[place][0].id for rules, plan in plans if plan is not None for place in plan.always)

    @property
    def unjudged_forgotten(self) -> int:
        """How many unjudged records were not kept because nobody took them."""
        return self._judge.unjudged_forgotten

    def take_unjudged(self) -> list[Unjudged]:
        """Give the records on which rules ran out of time since the last call; see `Judge.take_unjudged`."""
        return self._judge.take_unjudged()

    def take_missed(self) -> list[Missed]:
        """Give what the scan had missed since the last call: nothing, if literals are what this package believes."""
        taken, self._missed = self._missed, []
        return taken

    def match(self, block: Block) -> list[Event]:
        """Give the events of a block, in the order offset, then rule; those of rules in the shadow are among them."""
        return self.match_records(block)[0]

    def draft(self, block: Block) -> list[Event | Draft]:
        """Give what comes of a block before rules with limits have had their say, in the order offset, then rule."""
        return self._match(block)[0]

    def settle(self, draft: Draft) -> Sequence[Event]:
        """Give what limits make of a draft, which another engine of the same rules may have made."""
        return self._judge.settle(draft, self.limits)

    def finish(self) -> list[Event]:
        """Give the events that tell what throttles hold back, when nothing more is matched."""
        return self.limits.finish()

    def match_records(self, block: Block) -> tuple[list[Event], set[int]]:
        """Give the events of a block, see `match`, and the offsets of the records that made some or were counted."""
        made, wanted = self._match(block)
        return [each for each in made if isinstance(each, Event)], wanted

    def _match(self, block: Block) -> tuple[list[Event | Draft], set[int]]:
        origins = (block.origin, *block.others)
        lane = self._lane_of(origins, escaped=is_escaped(block))
        if not lane.rules:
            return [], set()
        plan = lane.see(block.data)
        if self._misses(lane, plan, block):
            plan = lane.see(block.data)
        if self.quarantine is not None:
            self.quarantine.release()
        events: list[Event | Draft] = []
        wanted: set[int] = set()
        judged = 0
        for record, places, found in self._proposed(lane, plan, block):
            judged += 1
            for place in places:
                rule, origin = lane.rules[place]
                made = self._judge.judge(rule, record, block, origins[origin], found.get(place))
                if made is not None:
                    events += made
                    wanted.add(record.offset)
                    if rule.final and not rule.shadow:
                        break
        if self.quarantine is not None and self.quarantine.aside:
            for rule, _ in lane.rules:
                if rule.id in self.quarantine.aside:
                    self.quarantine.pass_by(rule.id, block)
        lane.note(len(block.data), 0 if plan.always else judged - len(wanted))
        return events, wanted

    def _proposed(
        self, lane: Lane, plan: Plan, block: Block
    ) -> Iterator[tuple[LogRecord, Sequence[int], Mapping[int, Pattern]]]:
        """Give the records that some rule may match, each with the places of those rules, in order.

        And the matches that are known already: of rules that have to see every record, each goes through all of them
        by itself, unless one that is final may keep a record from those behind it.
        """
        hits = sorted(plan.scanner.scan(block.data)) if plan.scanner is not None else []
        scanned = records_at(block, hits)
        if not plan.always:
            for record, numbers in scanned:
                yield record, plan.places(numbers, record.raw), _NOTHING
            return
        proposed = {record.offset: (record, plan.places(numbers, record.raw)) for record, numbers in scanned}
        if lane.has_final:
            for record in records_of(block):
                _, places = proposed.get(record.offset, (record, ()))
                yield record, sorted((*places, *plan.always)), _NOTHING
            return
        sieve = Sieve(block)
        found: dict[int, dict[int, Pattern]] = {}
        for place in plan.always:
            for number, match in self._judge.sift(lane.rules[place][0], sieve, block):
                found.setdefault(number, {})[place] = match
        sifted = {(record := sieve.record(number)).offset: (record, matches) for number, matches in found.items()}
        for offset in sorted(proposed.keys() | sifted.keys()):
            record, matches = sifted.get(offset) or (proposed[offset][0], _NOTHING)
            _, places = proposed.get(offset, (record, ()))
            yield record, sorted((*places, *matches)), matches

    def _lane_of(self, origins: tuple[Origin, ...], *, escaped: bool) -> Lane:
        """Give the rules that apply, each with the first origin that it applies to (hazard 1.11)."""
        names = tuple(origin.source for origin in origins)
        key = (escaped, origins[0].encoding, *names)
        lane = self._lanes.get(key)
        if lane is None:
            places = [(rule, place) for rule in self.rules if (place := self._place(rule, names)) is not None]
            spelling = spelling_of(origins[0].encoding, escaped=escaped)
            lane = self._lanes[key] = Lane(places, spelling, self._distrusted)
        return lane

    def _place(self, rule: Rule, names: tuple[str | None, ...]) -> int | None:
        if self._for_any_source:
            return 0
        return next((place for place, name in enumerate(names) if rule.applies_to(name)), None)

    def _misses(self, lane: Lane, plan: Plan, block: Block) -> bool:
        """Ask some rules about a record for which the plan does not propose them; tells whether one matches."""
        self._unaudited += len(block.data)
        if self._unaudited < AUDIT_BYTES or plan.scanner is None:
            return False
        self._unaudited = 0
        self._audits += 1
        # quasi-random, so that the result of a block depends on nothing but what was judged before
        place = int(len(block.data) * (self._audits * _GOLDEN % 1))
        record = next((record for record, _ in records_at(block, [(place + 1, 0)])), None)
        if record is None:
            return False
        at = plan.places({number for _, number in plan.scanner.scan(record.scanned)}, record.raw)
        first = self._audits * AUDIT_RULES
        asked = {(first + each) % len(lane.rules) for each in range(AUDIT_RULES)}.difference(at, plan.always)
        missed = [rule for rule, _ in map(lane.rules.__getitem__, asked) if self._judge.matches(rule, record)]
        if missed:
            self._missed += [Missed(rule.id, block.path, record.offset) for rule in missed]
            self._distrusted.update(rule.id for rule in missed)
            for each in self._lanes.values():
                each.plan_anew()
        return bool(missed)
