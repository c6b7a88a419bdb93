"""Runs the tests that rules carry: `[[rule.test]]` (spec, section 4 "Tests").

A test judges its rule alone: `sources` and other rules do not apply. It runs the same engine as the agent, on a
host named `host` whose local zone is UTC, so that it passes everywhere or nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.config import kinds
from shipper.config.reader import suggestion
from shipper.events import Block, Origin, wire_time
from shipper.matching.composer import Host
from shipper.matching.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shipper.events import Event
    from shipper.matching.rule import Rule

PROVING_HOST = Host("host", "192.0.2.1")
DEFAULT_NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_PATH = "/var/log/test.log"
NO_MATCH = "no match"
_TIMEOUT_SECONDS = 1.0
_STAR = re.compile(r"(?<!\\)\*")
_KEYS = ("event", "content", "group_id", "time")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects.

    Attributes:
        matches: whether there is to be an event at all.
        values: expected values by key, as patterns in which `*` stands for anything; keys not there are not compared.
    """

    matches: bool
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One `[[rule.test]]`.

    Attributes:
        rule: the rule that is judged.
        file: the rule file.
        line_number: where the test stands in it.
        line: the record.
        expectation: what is to come of it.
        path: the record's file.
        source: the record's source.
        fields: the source's constants.
        now: the time of reading.
    """

    rule: Rule
    file: str
    line_number: int
    line: str
    expectation: Expectation
    path: str = DEFAULT_PATH
    source: str = "test"
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    now: datetime = DEFAULT_NOW


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs: a key, what was expected and what was made."""

    key: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went; it passed when there are no differences."""

    case: Case
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def parse_expectation(value: object) -> Expectation:
    """Take `"no match"` or a table of expected values (a kind, see `config.kinds`)."""
    if value == NO_MATCH:
        return Expectation(matches=False, values={})
    if not isinstance(value, dict):
        raise ValueError(f'must be "{NO_MATCH}" or a table such as {{ event = "DiskFull", content = "*full*" }}')
    values: dict[str, str] = {}
    for name, item in value.items():
        if name not in _KEYS:
            raise ValueError(f"holds the unknown key '{name}'{suggestion(name, list(_KEYS))}")
        if isinstance(item, bool) or not isinstance(item, (str, int, datetime)):
            raise ValueError(f"holds '{name}', which must be a string, a number or a time")
        if isinstance(item, datetime):
            if item.tzinfo is None:
                raise ValueError("holds a 'time' without zone; write it with one, such as 2026-11-23T10:00:00Z")
            values[name] = item.isoformat()
        else:
            values[name] = str(item)
    return Expectation(matches=True, values=values)


def parse_now(value: object) -> datetime:
    """Take an aware time, as TOML writes it or as text (a kind, see `config.kinds`)."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(kinds.parse_name(value))
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("must be a time with a zone, such as 2026-01-01T00:00:00Z")
    return moment


def prove(cases: Sequence[Case]) -> list[Outcome]:
    """Run tests; one outcome for each."""
    return [_run(case) for case in cases]


def _run(case: Case) -> Outcome:
    origin = Origin(case.source, "utf-8", UTC, None, case.fields)
    data = case.line.encode("utf-8", "replace")
    engine = Engine([case.rule], PROVING_HOST, _TIMEOUT_SECONDS, for_any_source=True)
    # a `line` may hold newlines: it is one record, whatever the framing would make of it
    event = engine.judge(case.rule, Block(origin, case.path, data, 0, data.split(b"\n")[0], case.now))
    return Outcome(case, tuple(_compare(case.expectation, event)))


def _compare(expectation: Expectation, event: Event | None) -> list[Difference]:
    if event is None:
        return [Difference("event", _wanted(expectation), NO_MATCH)] if expectation.matches else []
    if not expectation.matches:
        return [Difference("event", NO_MATCH, f"{event.name}: {event.content}")]
    got = {
        "event": event.name,
        "content": event.content,
        "group_id": str(event.group_id),
        "time": wire_time(event.time),
    }
    return [
        Difference(name, wanted, got[name])
        for name, wanted in expectation.values.items()
        if not (_fits(wanted, got[name]) or (name == "time" and _same_moment(wanted, event.time)))
    ]


def _wanted(expectation: Expectation) -> str:
    return ", ".join(f"{name} = {value}" for name, value in expectation.values.items()) or "an event"


def _fits(wanted: str, got: str) -> bool:
    """Compare with `*` for anything and `\\*` for a star, in time that does not explode with the number of stars."""
    head, *rest = [piece.replace("\\*", "*") for piece in _STAR.split(wanted)]
    if not rest:
        return got == head
    *middle, tail = rest
    if not got.startswith(head):
        return False
    at = len(head)
    for piece in middle:
        # the first place that fits leaves the most room for the rest
        found = got.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(got) - len(tail) >= at and got.endswith(tail)


def _same_moment(wanted: str, got: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(wanted)
    except ValueError:
        return False
    return moment.tzinfo is not None and moment == got
