"""Judges one record by one rule: whether it matches, and is not to be ignored. Pure.

Only `regex` decides, and only here; a search that takes too long is ended, counted, and noted by place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.events import Unjudged
from shipper.matching.composer import Composer
from shipper.matching.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.events import Block, Event, Origin
    from shipper.matching.composer import Draft, Host, TimeBefore
    from shipper.matching.limits import Limits
    from shipper.matching.quarantine import Quarantine
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.sieve import Sieve

MAX_UNJUDGED = 1000
TIMEOUT = "timeout"
# some recursive patterns ask for all memory there is, at once, before their time is up
_STOPPED = (TimeoutError, MemoryError)


class Judge:
    """Not safe for use by two threads.

    Attributes:
        tallies: by rule id.
        unjudged_forgotten: how many unjudged records were not kept because nobody took them.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        host: Host,
        match_timeout: float,
        limits: Limits | None,
        quarantine: Quarantine | None,
        group_id: int = 0,
        clock: Callable[[], float] = float,
        time_before: TimeBefore | None = None,
    ) -> None:
        """Prepare; see `Engine`. Without limits, what they would judge is given as drafts, for `settle`."""
        self._limits = limits
        self._quarantine = quarantine
        self.unjudged_forgotten = 0
        self._clock = clock
        self._prepared = {rule.id: _Prepared(rule, host, match_timeout, group_id, time_before) for rule in rules}
        self.tallies = {name: prepared.tally for name, prepared in self._prepared.items()}
        self._unjudged: list[Unjudged] = []

    def judge(
        self, rule: Rule, record: LogRecord, block: Block, origin: Origin, found: Pattern | None = None
    ) -> Sequence[Event | Draft] | None:
        """Give what comes of a record; None when the rule does not match, or ignores it.

        That is its event as a rule; none when the rule's limits keep it back, and perhaps some that tell of others.

        Args:
            rule: the rule.
            record: the record.
            block: in which it lies.
            origin: the one that the rule applies to.
            found: the match, from `sift`; it is searched for when there is none.
        """
        prepared = self._prepared[rule.id]
        tally = prepared.tally
        if self._is_aside(rule):
            return None
        began = self._clock()
        if found is None:
            tally.judged += 1
            found = self._find(rule.match, prepared, record, block)
        ignored = False
        if found is not None:
            for pattern in rule.ignore:
                if self._find(pattern, prepared, record, block) is not None:
                    ignored = True
                    break
        tally.seconds += self._clock() - began
        if found is None:
            return None
        if ignored:
            tally.ignored += 1
            return None
        tally.matched += 1
        if rule.threshold is None and rule.throttle is None:
            event = prepared.composer.compose(found, record, block, origin)
            tally.last = event.time
            return (event,)
        draft = prepared.composer.draft(found, record, block, origin)
        tally.last = draft.time
        if self._limits is None:
            return (draft,)
        return _limited(rule, self._limits, draft, block.read_at.timestamp(), tally)

    def settle(self, draft: Draft, limits: Limits) -> Sequence[Event]:
        """Give what comes of a draft, perhaps another process's, as a rule with limits; on its own time."""
        prepared = self._prepared[draft.rule]
        draft.adopt(prepared.composer)
        return _limited(prepared.rule, limits, draft, draft.time.timestamp(), prepared.tally)

    def sift(self, rule: Rule, sieve: Sieve, block: Block) -> list[tuple[int, Pattern]]:
        """Search every record of a block; gives the numbers of those that the rule matches, with their matches."""
        if self._is_aside(rule):
            return []
        prepared = self._prepared[rule.id]
        search, timeout, texts = rule.match.search, prepared.timeout, sieve.texts
        began = self._clock()
        try:
            # a loop of its own for each rule, with nothing else in it
            found = [(n, match) for n, text in enumerate(texts) if (match := search(text, timeout=timeout)) is not None]
        except _STOPPED:
            found = []
            for n in range(len(texts)):
                if self._is_aside(rule):
                    break
                if (match := self._find(rule.match, prepared, sieve.record(n), block)) is not None:
                    found.append((n, match))
        prepared.tally.judged += len(texts)
        prepared.tally.seconds += self._clock() - began
        return found

    def _is_aside(self, rule: Rule) -> bool:
        return self._quarantine is not None and rule.id in self._quarantine.aside

    def _find(self, pattern: Pattern, prepared: _Prepared, record: LogRecord, block: Block) -> Pattern | None:
        try:
            return pattern.search(record.text, timeout=prepared.timeout)
        except _STOPPED:
            prepared.tally.timed_out += 1
            if self._quarantine is not None:
                self._quarantine.strike(prepared.rule.id)
            if len(self._unjudged) < MAX_UNJUDGED:
                self._unjudged.append(Unjudged(prepared.rule.id, block.path, record.offset, len(record.raw), TIMEOUT))
            else:
                self.unjudged_forgotten += 1
            return None

    def matches(self, rule: Rule, record: LogRecord) -> bool:
        """Tell whether a rule matches, ignored or not, and count nothing; False when that takes too long."""
        try:
            return rule.match.search(record.text, timeout=self._prepared[rule.id].timeout) is not None
        except _STOPPED:
            return False

    def take_unjudged(self) -> list[Unjudged]:
        """Give the records on which rules ran out of time since the last call, at most `MAX_UNJUDGED`."""
        taken, self._unjudged = self._unjudged, []
        return taken


def _limited(rule: Rule, limits: Limits, draft: Draft, now: float, tally: Tally) -> Sequence[Event]:
    count = 1
    if rule.threshold is not None:
        count = limits.count(rule, draft.key(rule.threshold.by), draft.time.timestamp(), now)
        if not count:
            tally.below += 1
            return ()
    if rule.throttle is None:
        return (draft.event(count),)
    events, passes = limits.throttle(rule, draft.key(rule.throttle.by), draft, now)
    if passes:
        events.append(draft.event(count))
    else:
        tally.held += 1
    return events


class _Prepared:
    """A rule with what judges by it."""

    def __init__(
        self, rule: Rule, host: Host, match_timeout: float, group_id: int, time_before: TimeBefore | None
    ) -> None:
        self.rule = rule
        self.tally = Tally()
        self.timeout = rule.timeout or match_timeout
        self.composer = Composer(rule, host, self.tally, self.timeout, group_id, time_before)
