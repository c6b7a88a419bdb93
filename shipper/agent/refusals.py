"""Tells events that are refused for themselves from an account that refuses all of them (spec, section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.outbox.dead_letters import Refusal

IN_A_ROW = 20
RULES = 2


@dataclass(slots=True)
class Refusals:
    """Events that were refused alone in a row, with the same words.

    Attributes:
        letters: their numbers among the dead letters.
    """

    letters: list[int] = field(default_factory=list)
    _words: tuple[str, str] | None = None
    _rules: set[str] = field(default_factory=set)

    def refused(self, letter: int, rule: str, refusal: Refusal) -> bool:
        """Note one; tells whether the account is meant: so many, of several rules, and none accepted between."""
        words = refusal.code, refusal.message
        if words != self._words:
            self.end()
            self._words = words
        self.letters.append(letter)
        self._rules.add(rule)
        if len(self._rules) < RULES:
            # of one rule alone only the last ones can still be a part of it
            del self.letters[:-IN_A_ROW]
        return len(self.letters) >= IN_A_ROW and len(self._rules) >= RULES

    def end(self) -> None:
        """Begin anew: something was accepted, or refused with other words."""
        self.letters, self._words, self._rules = [], None, set()
