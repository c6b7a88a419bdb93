"""Thresholds and throttles against a plain model, under random restarts: no event too many, none uncounted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import regex
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shipper.events import Event, LimitState
from shipper.matching.limits import Limits, key_of
from shipper.matching.rule import Rule, Threshold, Throttle
from shipper.matching.templates import parse_template

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WITHIN, PER, COUNT, MOST, KEYS = 60.0, 30.0, 3, 2, 3
NOTHING = parse_template("")


def limited(*, threshold: bool, throttle: bool) -> Rule:
    return Rule(
        id="r",
        match=regex.compile("x"),
        ignore=(),
        event=NOTHING,
        content=NOTHING,
        group_id=None,
        threshold=Threshold(COUNT, WITHIN, (), KEYS) if threshold else None,
        throttle=Throttle(MOST, PER, (), KEYS, NOTHING) if throttle else None,
    )


@dataclass(frozen=True)
class Match:
    """A draft whose content tells what it stands for."""

    time: datetime
    serial: int

    def event(self, count: int = 1) -> Event:
        return self._event(f"{count}")

    def summary(self, count: int, first: str, last: str) -> Event:
        return self._event(f"{count} more between {first} and {last}")

    def _event(self, content: str) -> Event:
        return Event("E", content, 0, self.time, "r", "/log", self.serial, f"{self.serial:032x}", None)


@dataclass
class Model:
    """The same, as plainly as it can be said: every key has a list of what was not told yet."""

    times: dict[int, list[float]] = field(default_factory=dict)
    open: dict[int, list[Match]] = field(default_factory=dict)
    ends: dict[int, tuple[float, float]] = field(default_factory=dict)

    def counts(self, key: int, time: float) -> bool:
        near = [each for each in self.times.get(key, []) if abs(each - time) <= WITHIN]
        self.times[key] = near
        for others in itertools.combinations(near, COUNT - 1):
            if max(*others, time) - min(*others, time) <= WITHIN:
                self.times[key] = []
                return True
        near.append(time)
        return False

    def throttled(self, key: int, match: Match, now: float) -> list[str]:
        time = match.time.timestamp()
        told = []
        if key in self.ends and time >= self.ends[key][0]:
            told += self.close(key)
        if key not in self.ends:
            self.open[key], self.ends[key] = [], (time + PER, now + PER)
        self.open[key].append(match)
        return [*told, "1"] if len(self.open[key]) <= MOST else told

    def close(self, key: int) -> list[str]:
        held = self.open.pop(key)[MOST:]
        del self.ends[key]
        if not held:
            return []
        first, last = (match.time.strftime("%Y%m%dT%H%M%S.000+0000") for match in (held[0], held[-1]))
        return [f"{len(held)} more between {first} and {last}"]

    def expire(self, now: float) -> list[str]:
        due = [key for key in self.ends if self.ends[key][1] <= now]
        due.sort(key=lambda key: (self.ends[key][1], key_of([str(key)])))
        return [told for key in due for told in self.close(key)]


class Limited(RuleBasedStateMachine):
    """A live agent with one rule: matches come with times of their own, the clock goes on, the agent dies."""

    judged_by = limited(threshold=False, throttle=True)

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[tuple[str, str, bytes], LimitState] = {}
        self.limits = self.begun()
        self.model = Model()
        self.now = EPOCH.timestamp()
        self.serial = self.told = 0

    def begun(self) -> Limits:
        limits = Limits(live=True)
        limits.restore(self.store.values())
        assert limits.use([self.judged_by]) == []
        return limits

    def commit(self) -> None:
        for state in self.limits.changes():
            place = state.rule, state.kind, state.key
            self.store.pop(place, None)
            if state.state is not None:
                self.store[place] = state
        self.limits.recorded()

    @rule(seconds=st.integers(0, 45))
    def the_clock_goes_on(self, seconds: int) -> None:
        self.now += seconds
        self.same(self.limits.expire(self.now), self.model.expire(self.now))

    @rule()
    def the_agent_dies_and_is_started(self) -> None:
        self.commit()
        self.limits = self.begun()

    @rule(key=st.integers(0, KEYS - 1), late=st.integers(-5, 120))
    def a_line_matches(self, key: int, late: int) -> None:
        self.serial += 1
        match = Match(datetime.fromtimestamp(self.now - late, UTC), self.serial)
        told = self.model.expire(self.now)
        self.same(self.taken(key, match), told + self.modelled(key, match))

    def taken(self, key: int, match: Match) -> list[Event]:
        return self.throttled(key_of([str(key)]), match, 1)

    def throttled(self, by: bytes, match: Match, count: int) -> list[Event]:
        events, passes = self.limits.throttle(self.judged_by, by, match, self.now)
        return [*events, match.event(count)] if passes else events

    def modelled(self, key: int, match: Match) -> list[str]:
        return self.model.throttled(key, match, self.now)

    def same(self, events: Sequence[Event], told: Sequence[str]) -> None:
        assert [event.content for event in events] == list(told)
        self.told += sum(int(each.split()[0]) for each in told)

    @invariant()
    def nothing_is_uncounted(self) -> None:
        held = sum(max(0, len(each) - MOST) for each in self.model.open.values())
        assert self.told + held == self.serial


class Counted(Limited):
    """The same rule with a threshold before its throttle."""

    judged_by = limited(threshold=True, throttle=True)

    def taken(self, key: int, match: Match) -> list[Event]:
        by = key_of([str(key)])
        count = self.limits.count(self.judged_by, by, match.time.timestamp(), self.now)
        return self.throttled(by, match, count) if count else self.limits.expire(self.now)

    def modelled(self, key: int, match: Match) -> list[str]:
        if not self.model.counts(key, match.time.timestamp()):
            return []
        told = self.model.throttled(key, match, self.now)
        return [str(COUNT) if each == "1" else each for each in told]

    @invariant()
    def nothing_is_uncounted(self) -> None:
        """A closing event counts events here, each of which stands for several matches."""


TestThrottle = Limited.TestCase
TestThresholdAndThrottle = Counted.TestCase
