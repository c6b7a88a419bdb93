"""`[rule.threshold]` and `[rule.throttle]`: how often a rule has to match for an event, and how many it may make. Pure.

Both count for each rule and each value of `by`, over all files, on the events' own times (spec, section 4). What
they remember is given out as it changes, so that it is committed with the offsets that caused it.

- A threshold remembers the times of matches that made no event yet, and forgets those that lie farther than `within`
  from the match at hand. The `count`-th makes an event, and counting starts anew.
- A throttle's window opens with an event and lasts `per`. The first `max` pass, the rest is held back, and told by one
  closing event once an event of the same key lies behind the window's end, or the clock has passed it.

By the clock a window lasts `per` from the reading of its first event, however old the log is. Where no clock runs
(`live` is false) the latest time seen in the logs stands for it.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol, TypeVar

from shipper.events import Event, LimitState, wire_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shipper.matching.rule import Rule

THRESHOLD = "threshold"
THROTTLE = "throttle"
_REST = b"rest"
"""The key that all values share beyond `max_keys`."""

_KEY_BYTES = 16
_StateT = TypeVar("_StateT")


class Draft(Protocol):
    """A match that may become an event."""

    @property
    def time(self) -> datetime:
        """The time of the event."""

    def event(self, count: int = 1) -> Event:
        """Give the event; `count` matches led to it."""

    def summary(self, count: int, first: str, last: str) -> Event:
        """Give the closing event that tells of so many, this one the last; first and last as the service has times."""


@dataclass(slots=True)
class _Matches:
    """What a threshold remembers of one key: when it was last asked, and the times, sorted."""

    touched: float = 0.0
    times: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Window:
    """A throttle's window.

    Attributes:
        ends: by the events' times.
        closes: by the clock.
        passed: events that went through.
        held: events that did not.
        first: time of the first of those, as the service has it.
        closing: what tells of them, as it would be now.
    """

    ends: float
    closes: float
    passed: int = 0
    held: int = 0
    first: str = ""
    closing: Event | None = None


_NO_WINDOWS: OrderedDict[bytes, _Window] = OrderedDict()


class Limits:
    """What the limits of all rules remember. Times are seconds since the epoch. Not safe for use by two threads."""

    def __init__(self, *, live: bool = False) -> None:
        """Begin with nothing; call `restore`, if something was saved, and then `use` before the first match."""
        self._live = live
        self._latest = float("-inf")
        self._matches: dict[str, OrderedDict[bytes, _Matches]] = {}
        self._windows: dict[str, OrderedDict[bytes, _Window]] = {}
        self._changed: dict[tuple[str, str, bytes], None] = {}

    def restore(self, saved: Iterable[LimitState]) -> None:
        """Go on with what was remembered at the last commit."""
        for rule, kind, key, state in saved:
            values = json.loads(state or b"null")
            if kind == THRESHOLD:
                self._matches.setdefault(rule, OrderedDict())[key] = _Matches(*values)
            elif kind == THROTTLE:
                window = _Window(*values[:-1])
                window.closing = None if values[-1] is None else unlisted(values[-1])
                self._windows.setdefault(rule, OrderedDict())[key] = window
        for matches in self._matches.values():
            _sort(matches, {key: each.touched for key, each in matches.items()})
        for windows in self._windows.values():
            _sort(windows, {key: each.closes for key, each in windows.items()})

    def use(self, rules: Iterable[Rule]) -> list[Event]:
        """Take these rules as the ones in force; gives the closing events of windows that none of them keeps open."""
        counted, throttled = set(), set()
        for rule in rules:
            if rule.threshold is not None:
                counted.add(rule.id)
            if rule.throttle is not None:
                throttled.add(rule.id)
        for name in [name for name in self._matches if name not in counted]:
            self._changed.update(dict.fromkeys((name, THRESHOLD, key) for key in self._matches.pop(name)))
        return [
            event
            for name in list(self._windows)
            if name not in throttled
            for key in list(self._windows[name])
            for event in self._close(name, key)
        ]

    def count(self, rule: Rule, by: bytes, time: float, now: float) -> int:
        """Count a match; gives how many there are when they are enough for an event, else 0.

        Args:
            rule: has a threshold.
            by: the key, see `key_of`.
            time: of the match.
            now: the clock.
        """
        limit = rule.threshold
        if limit is None:
            return 1
        now = self._moment(time, now)
        table = self._matches.setdefault(rule.id, OrderedDict())
        while by not in table and len(table) >= limit.max_keys and _first(table).touched + limit.within < now:
            # of no use any more
            stale, _ = table.popitem(last=False)
            self._changed[rule.id, THRESHOLD, stale] = None
        key = by if by in table or len(table) < limit.max_keys else _REST
        self._changed[rule.id, THRESHOLD, key] = None
        matches = table.setdefault(key, _Matches())
        times = matches.times
        del times[: bisect_left(times, time - limit.within)]
        del times[bisect_right(times, time + limit.within) :]
        at = bisect_right(times, time)
        times.insert(at, time)
        for first in range(max(0, at - limit.count + 1), min(at, len(times) - limit.count) + 1):
            if times[first + limit.count - 1] - times[first] <= limit.within:
                del table[key]
                return limit.count
        matches.touched = now
        table.move_to_end(key)
        return 0

    def throttle(self, rule: Rule, by: bytes, draft: Draft, now: float) -> tuple[list[Event], bool]:
        """Tell whether an event may go; what may not is counted, and told of by the window's closing event.

        Args:
            rule: has a throttle.
            by: the key, see `key_of`.
            draft: of the event.
            now: the clock.

        Returns:
            The closing events of windows that have ended, which come before it; and whether it may go.
        """
        limit = rule.throttle
        if limit is None:
            return [], True
        time = draft.time.timestamp()
        now = self._moment(time, now)
        events = list(self._expired(rule.id, now))
        windows = self._windows.setdefault(rule.id, OrderedDict())
        key = by if by in windows or len(windows) < limit.max_keys else _REST
        if key in windows and time >= windows[key].ends:
            events += self._close(rule.id, key)
        if key not in windows:
            latest = next(reversed(windows.values())).closes if windows else now
            windows[key] = _Window(time + limit.per, now + limit.per)
            if windows[key].closes < latest:
                # `per` is shorter than it was, or the clock was set back
                _sort(windows, {each: window.closes for each, window in windows.items()})
        self._changed[rule.id, THROTTLE, key] = None
        window = windows[key]
        if window.passed < limit.max:
            window.passed += 1
            return events, True
        window.held += 1
        last = wire_time(draft.time)
        window.first = window.first or last
        window.closing = draft.summary(window.held, window.first, last)
        return events, False

    @property
    def due_at(self) -> float:
        """When `expire` next has something to do, by the clock; infinity when no window is open."""
        first = (_first(windows).closes for windows in self._windows.values() if windows)
        return min(first, default=float("inf"))

    def expire(self, now: float) -> list[Event]:
        """Close the windows whose end the clock has passed; gives the events that tell of what was held back."""
        return [event for name in list(self._windows) for event in self._expired(name, now)]

    def finish(self) -> list[Event]:
        """Close all windows, for nothing comes any more."""
        return self.expire(float("inf"))

    def changes(self) -> list[LimitState]:
        """Give what is other than it was at the last `recorded`; a state that is None is there no more."""
        return [LimitState(*place, self._packed(*place)) for place in self._changed]

    def recorded(self) -> None:
        """Note that what `changes` gave is durable."""
        self._changed.clear()

    def _moment(self, time: float, now: float) -> float:
        self._latest = max(self._latest, time)
        return now if self._live else self._latest

    def _expired(self, name: str, now: float) -> Iterator[Event]:
        # all windows of a rule last equally long by the clock, so the first is the next to close
        due = takewhile(lambda item: item[1].closes <= now, self._windows.get(name, _NO_WINDOWS).items())
        # in an order that a restart does not change
        for key, _ in sorted(due, key=lambda item: (item[1].closes, item[0])):
            yield from self._close(name, key)

    def _close(self, name: str, key: bytes) -> Sequence[Event]:
        window = self._windows[name].pop(key)
        self._changed[name, THROTTLE, key] = None
        return () if window.closing is None else (window.closing,)

    def _packed(self, name: str, kind: str, key: bytes) -> bytes | None:
        if kind == THRESHOLD:
            counted = self._matches.get(name)
            matches = None if counted is None else counted.get(key)
            return None if matches is None else encoded([matches.touched, matches.times])
        windows = self._windows.get(name)
        window = None if windows is None else windows.get(key)
        if window is None:
            return None
        closing = None if window.closing is None else listed(window.closing)
        return encoded([window.ends, window.closes, window.passed, window.held, window.first, closing])


def key_of(values: Iterable[str | None]) -> bytes:
    """Give the key of some values of `by`, hashed, for it is kept; None for a capture that took no part."""
    digest = blake2b(digest_size=_KEY_BYTES)
    for value in values:
        data = b"" if value is None else value.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % (-1 if value is None else len(data)) + data)
    return digest.digest()


def _first(table: OrderedDict[bytes, _StateT]) -> _StateT:
    return next(iter(table.values()))


def _sort(table: OrderedDict[bytes, _StateT], by: dict[bytes, float]) -> None:
    for key in sorted(table, key=by.__getitem__):
        table.move_to_end(key)


def encoded(values: Sequence[object]) -> bytes:
    """Give what is remembered as it is kept, see `LimitState`."""
    # a path may hold bytes that are no UTF-8, which `orjson` refuses
    return json.dumps(values, separators=(",", ":")).encode()


def listed(event: Event) -> list[object]:
    """Give an event as values that JSON has."""
    return [*event._replace(time=event.time.isoformat())]  # type: ignore[arg-type]


def unlisted(values: Sequence[object]) -> Event:
    """Give the event of what `listed` gave."""
    event = Event(*values)  # type: ignore[arg-type]
    return event._replace(time=datetime.fromisoformat(str(event.time)))
