"""Many events of one rule as one that tells how many they were, for `storm = "fold"`. Pure.

They are told apart by name and group id, which is what alarm rules count by; beyond `MOST_APART` of a rule, further
ones share one closing event. What is remembered is given out as it changes, so that it is committed with the offsets
that caused it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.events import LimitState, wire_time
from shipper.matching.limits import encoded, key_of, listed, unlisted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.events import Event

FOLD = "fold"
MOST_APART = 100
_REST = b"rest"


@dataclass(slots=True)
class _Fold:
    """How many were folded, the time of the first as the service has it, and the last."""

    count: int
    first: str
    last: Event


class Folds:
    """What was folded and not told yet, by rule. Not safe for use by two threads."""

    def __init__(self, saved: Iterable[LimitState] = ()) -> None:
        """Go on with what was remembered at the last commit."""
        self._folds: dict[str, dict[bytes, _Fold]] = {}
        self._changed: dict[tuple[str, bytes], None] = {}
        for state in saved:
            count, first, last = json.loads(state.state or b"")
            self._folds.setdefault(state.rule, {})[state.key] = _Fold(count, first, unlisted(last))

    @property
    def rules(self) -> frozenset[str]:
        """Ids of the rules of which something was folded."""
        return frozenset(self._folds)

    def add(self, event: Event) -> None:
        """Fold an event."""
        folds = self._folds.setdefault(event.rule, {})
        key = key_of((event.name, str(event.group_id)))
        if key not in folds and len(folds) >= MOST_APART:
            key = _REST
        fold = folds.get(key)
        if fold is None:
            folds[key] = _Fold(1, wire_time(event.time), event)
        else:
            fold.count += 1
            fold.last = event
        self._changed[event.rule, key] = None

    def close(self, rule: str) -> list[Event]:
        """Give the events that tell of what was folded of a rule; it is forgotten."""
        folds = self._folds.pop(rule, {})
        self._changed.update(dict.fromkeys((rule, key) for key in folds))
        return [
            fold.last._replace(
                content=f"{fold.count} more between {fold.first} and {wire_time(fold.last.time)}: {fold.last.content}"
            )
            for fold in folds.values()
        ]

    def changes(self) -> list[LimitState]:
        """Give what is other than it was at the last `recorded`."""
        return [LimitState(rule, FOLD, key, self._packed(rule, key)) for rule, key in self._changed]

    def recorded(self) -> None:
        """Note that what `changes` gave is durable."""
        self._changed.clear()

    def _packed(self, rule: str, key: bytes) -> bytes | None:
        fold = self._folds.get(rule, {}).get(key)
        return None if fold is None else encoded([fold.count, fold.first, listed(fold.last)])


def folded(state: LimitState) -> int:
    """Give how many events a state tells of."""
    return int(json.loads(state.state or b"")[0])
