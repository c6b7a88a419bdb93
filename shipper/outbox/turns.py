"""Whose event is sent next: rules take turns, so that a storm of one does not delay the others (spec, section 6). Pure.

The numbers of all waiting events are kept in memory, by rule, for a search in the database would go through the storm:
eight bytes an event, and a run of consecutive numbers, which is what a storm makes, as its two ends.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set

_UNPACKED = 128
_COMPACTED = 4096


class Line:
    """Numbers in ascending order: one joins at the end, those near the front are looked at and leave."""

    __slots__ = ("_at", "_far", "_near")

    def __init__(self) -> None:
        self._near: list[int] = []
        # a negative number is the end of the run that the number before it begins
        self._far = array("q")
        self._at = 0

    def __bool__(self) -> bool:
        """Tell whether somebody waits."""
        return bool(self._near) or self._at < len(self._far)

    def join(self, numbers: Iterable[int]) -> None:
        """Let numbers join at the end, in their order; they are higher than all that ever did."""
        far = self._far
        end = far[-1] if self._at < len(far) else 0
        for number in numbers:
            if not end or abs(end) != number - 1:
                end = number
                far.append(end)
            elif end < 0:
                far[-1] = end = -number
            else:
                end = -number
                far.append(end)

    def at(self, place: int) -> int | None:
        """Give the number at a place, from 0; None behind the end."""
        near = self._near
        while len(near) <= place:
            if self._at >= len(self._far):
                return None
            near += self._unpack()
        return near[place]

    def leave(self, numbers: Set[int]) -> None:
        """Let numbers leave; those that are not there any more are passed over."""
        self._near = [number for number in self._through(max(numbers)) if number not in numbers]

    def leave_through(self, last: int, stay: Set[int]) -> None:
        """Let all numbers up to one leave, but for some that stay."""
        self._near = [number for number in self._through(last) if number > last or number in stay]

    def _through(self, last: int) -> Iterator[int]:
        """Give those that are near, and unpack further ones up to a number."""
        yield from self._near
        while self._at < len(self._far) and self._far[self._at] <= last:
            yield from self._unpack()

    def _unpack(self) -> Sequence[int]:
        """Give the next of those that are far, of whom there are some; they are not far any more."""
        far, at = self._far, self._at
        first = upto = far[at]
        if at + 1 < len(far) and far[at + 1] < 0:
            last = -far[at + 1]
            upto = min(last, first + _UNPACKED - 1)
            if upto < last:
                far[at] = upto + 1
            else:
                self._at += 2
        else:
            self._at += 1
        if self._at == len(far) or self._at > _COMPACTED:
            del far[: self._at]
            self._at = 0
        return range(first, upto + 1)


class Turns:
    """The lines of all rules. In the order of the dict their next turns come: who was served goes to its end."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    def join(self, rule: str, numbers: Iterable[int]) -> None:
        """Let events of a rule wait, by their numbers, ascending and higher than all before."""
        self._lines.setdefault(rule, Line()).join(numbers)

    def next(self, limit: int) -> list[int]:
        """Give the numbers of those whose turn it is, at most `limit`: one of each rule, then the second of each."""
        found: list[int] = []
        lines = list(self._lines.values())
        place = 0
        while lines and len(found) < limit:
            longer = []
            for line in lines:
                number = line.at(place)
                if number is not None:
                    found.append(number)
                    longer.append(line)
                    if len(found) == limit:
                        break
            lines = longer
            place += 1
        return found

    def serve(self, served: Iterable[tuple[str, int]]) -> None:
        """Let events leave, by rule and number, in the order in which they were given."""
        numbers: dict[str, set[int]] = {}
        for rule, number in served:
            # in the order of their last turns: who had the last one waits longest
            gone = numbers.pop(rule, None) or set()
            gone.add(number)
            numbers[rule] = gone
        for rule, gone in numbers.items():
            line = self._lines.pop(rule, None)
            if line is not None:
                line.leave(gone)
                if line:
                    self._lines[rule] = line

    def drop_through(self, last: int, stay: Set[int]) -> None:
        """Let all events up to a number leave, but for some that stay."""
        for rule, line in list(self._lines.items()):
            line.leave_through(last, stay)
            if not line:
                del self._lines[rule]
