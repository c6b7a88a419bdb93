"""What rules made of the blocks that `shipper match` gave them: events, and what became of every line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shipper.cli.terminal import one_line, say
from shipper.matching.records import LogRecord, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.events import Block, Event, Loss, Unjudged
    from shipper.matching.engine import Engine
    from shipper.matching.rule import Rule
    from shipper.matching.tally import Tally

EXAMPLE_CHARACTERS = 160


class DryRun:
    """Judges blocks and counts.

    Attributes:
        lines: how many were judged.
        matched: lines that made at least one event.
        ignored: lines that rules matched, but that made no event because of `ignore`.
        events: how many were made.
    """

    def __init__(self, engine: Engine, rules: Sequence[Rule], match_timeout: float, source: str | None) -> None:
        """Prepare.

        Args:
            engine: judges.
            rules: those of the engine, for naming the ones that hit nothing.
            match_timeout: seconds for one search of a rule that names no limit.
            source: the source whose rules apply; None for all rules.
        """
        self.lines = self.matched = self.ignored = self.events = 0
        self._engine = engine
        self._rules = rules
        self._applying = [rule for rule in rules if source is None or rule.applies_to(source)]
        self._match_timeout = match_timeout
        self._hits: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._unjudged: Counter[str] = Counter()
        self._first_unjudged: dict[str, Unjudged] = {}
        self._missed: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def judge(self, block: Block) -> tuple[list[Event], list[LogRecord]]:
        """Give the events of a block, and the records that no rule wanted."""
        ignored_before = self._ignored_by_rules()
        events, wanted = self._engine.match_records(block)
        missed = [record for record in records_of(block) if record.offset not in wanted]
        count = len(missed) + len(wanted)
        if self._ignored_by_rules() != ignored_before:
            missed = [record for record in missed if not self._is_ignored(record)]
        self.lines += count
        self.matched += len(wanted)
        self.ignored += count - len(wanted) - len(missed)
        self._count(events)
        for rule in self._engine.take_missed():
            self._missed[rule.rule] += 1
        for unjudged in self._engine.take_unjudged():
            self._unjudged[unjudged.rule] += 1
            self._first_unjudged.setdefault(unjudged.rule, unjudged)
        return events, missed

    def finish(self) -> list[Event]:
        """Give the events that tell what throttles hold back, for nothing more is read."""
        events = self._engine.finish()
        self._count(events)
        return events

    def _count(self, events: Sequence[Event]) -> None:
        self.events += len(events)
        for event in events:
            self._hits[event.rule] += 1
            self._last[event.rule] = f"{event.path}:{event.line_number}: {event.content}"
            self._examples.setdefault(event.rule, self._last[event.rule])

    def lose(self, losses: Sequence[Loss]) -> None:
        """Count what was not judged at all."""
        for loss in losses:
            self._lost[loss.reason] += loss.amount

    def say_troubles(self) -> None:
        """Say what was not judged, if anything."""
        for rule, amount in self._unjudged.items():
            first = self._first_unjudged[rule]
            say(
                f"warning: rule '{rule}' did not finish within match_timeout on {amount} lines, which count as not "
                f"matched; the first: {first.length} bytes at offset {first.offset} of {first.path}",
                "yellow",
            )
        for rule in self._missed:
            said = (
                "matches a line that the scanner did not find; a fault of this program, please report it with the rule"
            )
            say(f"warning: rule '{rule}' {said}", "yellow")
        if self._lost["line_too_long"]:
            said = "bytes behind the limit of a line (max_line_bytes) were skipped; the heads of these lines are judged"
            say(f"warning: {self._lost['line_too_long']} {said}", "yellow")
        if self._lost["nul"]:
            say(f"warning: {self._lost['nul']} NUL bytes between the lines were skipped", "yellow")

    def say_summary(self) -> None:
        """Say how many lines matched, and for each rule its hits, what they took, what it made first and last."""
        missed = self.lines - self.matched - self.ignored
        say(
            f"{self.lines} lines: {self.matched} matched, {self.ignored} ignored, {missed} missed; {self.events} events"
        )
        tallies = self._engine.tallies
        width = max(map(len, tallies), default=0)
        for rule, amount in self._hits.most_common():
            say(f"{amount:8}  {rule:<{width}}  {_cost(tallies[rule])}")
            say(f"          first {one_line(self._examples[rule], EXAMPLE_CHARACTERS)}")
            if amount > 1:
                say(f"          last  {one_line(self._last[rule], EXAMPLE_CHARACTERS)}")
        silent = [rule.id for rule in self._rules if rule.id not in self._hits]
        for rule in (rule for rule in silent if tallies[rule].judged):
            say(f"       0  {rule:<{width}}  {_cost(tallies[rule])}", "dim")
        if unasked := [rule for rule in silent if not tallies[rule].judged]:
            say(f"       0  {', '.join(unasked)}", "dim")

    def _ignored_by_rules(self) -> int:
        return sum(tally.ignored for tally in self._engine.tallies.values())

    def _is_ignored(self, record: LogRecord) -> bool:
        for rule in self._applying:
            try:
                if rule.match.search(record.text, timeout=rule.timeout or self._match_timeout) is not None:
                    return True
            except TimeoutError:
                continue
        return False


def _cost(tally: Tally) -> str:
    """Say what a rule's searches took; a line without its literals is not searched."""
    kept = {"ignored": tally.ignored, "below the threshold": tally.below, "held back": tally.held}
    rest = "".join(f", {count} {what}" for what, count in kept.items() if count)
    return f"{tally.seconds * 1e3:.3g} ms in {tally.judged} searches{rest}"
