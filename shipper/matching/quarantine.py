"""Rules that are set aside because their searches take too long again and again (spec, section 4 "Time limits"). Pure.

`STRIKES` searches over the limit within `STRIKES_WITHIN` seconds set a rule aside for `FIRST_ASIDE` seconds, twice as
long each further time. What passes meanwhile is noted by file and offsets, so that it can be made good.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipper.events import Unjudged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.events import Block

STRIKES = 5
STRIKES_WITHIN = 60.0
SET_ASIDE = "set_aside"
FIRST_ASIDE = 600.0
LONGEST_ASIDE = 24 * 3600.0
MOST_PLACES = 100
"""Files of which one rule's unseen stretches are told apart; of the rest only the number is known."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A rule that judges nothing for so many seconds."""

    rule: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Released:
    """A rule that judges again.

    Attributes:
        rule: its id.
        unseen: by file from which offset to which it judged nothing.
        more: further files of which that is true.
    """

    rule: str
    unseen: Mapping[str, tuple[int, int]]
    more: int


@dataclass(slots=True)
class _Rule:
    strikes: deque[float] = field(default_factory=deque)
    aside: float = FIRST_ASIDE
    until: float = 0.0
    unseen: dict[str, tuple[int, int]] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)


class Quarantine:
    """Knows the rules of one engine. Not safe for use by two threads, but for `aside`.

    Attributes:
        aside: ids of the rules that are set aside; replaced, never changed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Prepare; the clock gives seconds and never goes back."""
        self.aside: frozenset[str] = frozenset()
        self._clock = clock
        self._rules: dict[str, _Rule] = {}
        self._news: list[SetAside | Released] = []
        self._passed: set[tuple[str, str]] = set()

    def strike(self, rule: str) -> None:
        """Note that a search took too long."""
        now = self._clock()
        known = self._rules.setdefault(rule, _Rule())
        known.strikes.append(now)
        while known.strikes[0] < now - STRIKES_WITHIN:
            known.strikes.popleft()
        if len(known.strikes) >= STRIKES and rule not in self.aside:
            known.strikes.clear()
            known.until = now + known.aside
            self._news.append(SetAside(rule, known.aside))
            known.aside = min(2 * known.aside, LONGEST_ASIDE)
            self.aside |= {rule}

    def release(self) -> None:
        """Let those judge again whose time is over."""
        if self.aside and (over := {rule for rule in self.aside if self._rules[rule].until <= self._clock()}):
            self.aside -= over
            for rule in sorted(over):
                self._release(rule)

    def release_all(self) -> None:
        """Let all judge again, for other rules come into force."""
        over, self.aside = self.aside, frozenset()
        for rule in sorted(over):
            self._release(rule)

    def pass_by(self, rule: str, block: Block) -> None:
        """Note a block that a rule did not judge from its beginning, or from somewhere in it, on."""
        known = self._rules[rule]
        end = block.offset + len(block.data)
        if block.path in known.unseen:
            known.unseen[block.path] = known.unseen[block.path][0], end
        elif len(known.unseen) < MOST_PLACES:
            known.unseen[block.path] = block.offset, end
        else:
            known.more.add(block.path)
            return
        self._passed.add((rule, block.path))

    def take_passed(self) -> list[Unjudged]:
        """Give the stretches that grew since the last call, each from its beginning."""
        passed, self._passed = self._passed, set()
        stretches = [(rule, path, *self._rules[rule].unseen[path]) for rule, path in sorted(passed)]
        return [Unjudged(rule, path, first, behind - first, SET_ASIDE) for rule, path, first, behind in stretches]

    def take_news(self) -> list[SetAside | Released]:
        """Give what happened since the last call, in order."""
        news, self._news = self._news, []
        return news

    def _release(self, rule: str) -> None:
        known = self._rules[rule]
        self._news.append(Released(rule, known.unseen, len(known.more)))
        known.unseen, known.more = {}, set()
