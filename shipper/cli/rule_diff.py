"""What an edit of rules would change on some logs: `shipper match -r NEW... --diff OLD...`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from rich.text import Text

from shipper.agent.shown import uploaded
from shipper.cli.terminal import one_line, safe, say
from shipper.events import wire_time
from shipper.matching.records import records_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shipper.events import Block, Event
    from shipper.matching.engine import Engine

GAINED, LOST, ALTERED, SAME = "gained", "lost", "altered", "same"
_Place = tuple[str, int, str]
_MARKS = {GAINED: ("+", "green"), LOST: ("-", "red"), ALTERED: ("~", "yellow")}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one event: of one rule and one record.

    Attributes:
        kind: gained, lost or altered.
        event: the one that is there, the new one if both are.
        old: as it is with the old rules; None when they make none.
        new: likewise with the new ones.
    """

    kind: str
    event: Event
    old: Event | None
    new: Event | None


class RuleDiff:
    """Judges blocks by two sets of rules, and counts."""

    def __init__(self, old: Engine, new: Engine) -> None:
        """Prepare."""
        self._old = old
        self._new = new
        self._lines = 0
        self._counts: dict[str, Counter[str]] = {}

    def judge(self, block: Block) -> list[Change]:
        """Give what is different in a block, in the order of its records."""
        self._lines += sum(1 for _ in records_of(block))
        return self._compare(self._old.match(block), self._new.match(block))

    def finish(self) -> list[Change]:
        """Give what is different in the events that tell what throttles hold back, for nothing more is read."""
        return self._compare(self._old.finish(), self._new.finish())

    def say_summary(self) -> None:
        """Say how many events come, go and change, by rule, and what the searches took."""
        total = sum(self._counts.values(), Counter())
        say(
            f"{self._lines} lines: {total[GAINED]} events gained, {total[LOST]} lost, {total[ALTERED]} altered, "
            f"{total[SAME]} the same"
        )
        width = max(map(len, self._counts), default=0)
        for rule, counts in sorted(self._counts.items()):
            if any(counts[kind] for kind in _MARKS):
                shown = "  ".join(f"{mark}{counts[kind]}" for kind, (mark, _) in _MARKS.items())
                say(f"  {rule:<{width}}  {shown}  ={counts[SAME]}")
        spent = [sum(tally.seconds for tally in engine.tallies.values()) for engine in (self._old, self._new)]
        before, after = (f"{seconds * 1e6 / max(self._lines, 1):.3g} µs" for seconds in spent)
        say(f"searching takes {before} a line with the old rules, {after} with the new")

    def _compare(self, old: Sequence[Event], new: Sequence[Event]) -> list[Change]:
        before, after = ({(e.path, e.offset, e.rule): e for e in events} for events in (old, new))
        changes = []
        for place in sorted(before.keys() | after.keys(), key=lambda place: place[1]):
            change = _change(before, after, place)
            self._counts.setdefault(place[2], Counter())[change.kind] += 1
            if change.kind != SAME:
                changes.append(change)
        return changes


def _change(before: Mapping[_Place, Event], after: Mapping[_Place, Event], place: _Place) -> Change:
    if place not in before:
        return Change(GAINED, after[place], None, after[place])
    if place not in after:
        return Change(LOST, before[place], before[place], None)
    old, new = before[place], after[place]
    return Change(ALTERED if dict(_differing(old, new)) else SAME, new, old, new)


def _differing(old: Event, new: Event) -> Iterator[tuple[str, tuple[str, str]]]:
    """Give what differs, by key, before and after."""
    for key, before, after in (
        ("event", old.name, new.name),
        ("content", old.content, new.content),
        ("group_id", str(old.group_id), str(new.group_id)),
        ("time", wire_time(old.time), wire_time(new.time)),
        ("shadow", str(old.shadow).lower(), str(new.shadow).lower()),
    ):
        if before != after:
            yield key, (before, after)


def shown(change: Change) -> Text:
    """Show a change to a person: a line, and one for each key that differs."""
    mark, style = _MARKS[change.kind]
    event = change.event
    place = event.path if event.line_number is None else f"{event.path}:{event.line_number}"
    text = Text(f"{mark} {safe(place)} {safe(event.rule)}", style=style)
    if change.old is None or change.new is None:
        text.append(one_line(f": {safe(event.name)}: {safe(event.content)}"))
        return text
    for key, (before, after) in _differing(change.old, change.new):
        text.append("\n" + one_line(f"    {key}: {safe(before)} → {safe(after)}"))
    return text


def as_json(change: Change) -> bytes:
    """Give a change as a line of JSON."""
    event = change.event
    line: dict[str, Any] = {
        "change": change.kind,
        "rule": event.rule,
        "path": event.path,
        "line_number": event.line_number,
        "offset": event.offset,
        "old": None if change.old is None else uploaded(change.old),
        "new": None if change.new is None else uploaded(change.new),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
