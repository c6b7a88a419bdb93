"""Runs the tests that rules carry: `[[rule.test]]` (spec, section 4 "Tests").

A test judges its rule alone: `sources` and other rules do not apply, and for a single `line` neither do threshold
and throttle. With `lines` they do, on the lines' own times, and what a throttle still holds back at the end is told.
It runs the same engine as the agent, on a host named `host` whose local zone is UTC, so that it passes everywhere or
nowhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.config import kinds
from shipper.config.reader import suggestion
from shipper.events import Block, Origin, Record, wire_time
from shipper.matching.composer import Host
from shipper.matching.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shipper.events import Event
    from shipper.matching.rule import Rule

PROVING_HOST = Host("host", "192.0.2.1")
DEFAULT_NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_PATH = "/var/log/test.log"
NO_MATCH = "no match"
_TIMEOUT_SECONDS = 1.0
_STAR = re.compile(r"(?<!\\)\*")
KEYS = ("event", "content", "group_id", "time")


Expectation = Mapping[str, str]
"""What a test expects of an event: values by key, in which `*` stands for anything; others are not compared."""


@dataclass(frozen=True, slots=True)
class Case:
    """One `[[rule.test]]`.

    Attributes:
        rule: the rule that is judged.
        file: the rule file.
        line_number: where the test stands in it.
        lines: the records.
        expected: the events that are to come of them, in order.
        is_sequence: whether it has `lines`, so that the rule's limits apply.
        path: the records' file.
        source: their source.
        fields: the source's constants.
        now: the time of reading.
    """

    rule: Rule
    file: str
    line_number: int
    lines: tuple[str, ...]
    expected: tuple[Expectation, ...]
    is_sequence: bool = False
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


def parse_expected(value: object) -> Expectation | tuple[Expectation, ...]:
    """Take a table of expected values, an array of them, or `"no match"` (a kind, see `config.kinds`).

    Returns:
        A table alone for a table, else those of the array; none for `"no match"`.
    """
    if value == NO_MATCH:
        return ()
    if isinstance(value, list):
        return tuple(map(_expectation, value))
    return _expectation(value)


def _expectation(value: object) -> Expectation:
    if not isinstance(value, dict):
        raise ValueError(f'must be "{NO_MATCH}" or a table such as {{ event = "DiskFull", content = "*full*" }}')
    values: dict[str, str] = {}
    for name, item in value.items():
        if name not in KEYS:
            raise ValueError(f"holds the unknown key '{name}'{suggestion(name, list(KEYS))}")
        if isinstance(item, bool) or not isinstance(item, (str, int, datetime)):
            raise ValueError(f"holds '{name}', which must be a string, a number or a time")
        if isinstance(item, datetime):
            if item.tzinfo is None:
                raise ValueError("holds a 'time' without zone; write it with one, such as 2026-11-23T10:00:00Z")
            values[name] = item.isoformat()
        else:
            values[name] = str(item)
    return values


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
    rule = case.rule
    if not case.is_sequence:
        rule = dataclasses.replace(rule, threshold=None, throttle=None)
    engine = Engine([rule], PROVING_HOST, _TIMEOUT_SECONDS, for_any_source=True)
    events = [*engine.match(_block(case)), *engine.finish()]
    if len(events) == len(case.expected):
        prefixes = [f"{number}." if case.is_sequence else "" for number in range(1, len(events) + 1)]
        each = zip(prefixes, case.expected, events, strict=True)
        return Outcome(case, tuple(difference for one in each for difference in _compare(*one)))
    got = [f"{event.name}: {event.content}" for event in events]
    if case.is_sequence:
        found = (Difference("events", _listed(map(_wanted, case.expected)), _listed(got)),)
    else:
        found = (Difference("event", *(_wanted(case.expected[0]), NO_MATCH) if case.expected else (NO_MATCH, got[0])),)
    return Outcome(case, found)


def _block(case: Case) -> Block:
    """Give the records; each may hold newlines: it is one, whatever the framing would make of it."""
    data = bytearray()
    records = []
    for line in case.lines:
        start = len(data)
        data += line.encode("utf-8", "replace")
        records.append(Record(start, len(data), start))
        data += b"\n"
    origin = Origin(case.source, "utf-8", UTC, None, case.fields)
    whole = bytes(data)
    return Block(origin, case.path, whole, 0, whole.split(b"\n")[0], case.now, records=tuple(records))


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(texts) or "none"


def _compare(prefix: str, expectation: Expectation, event: Event) -> list[Difference]:
    got = {
        "event": event.name,
        "content": event.content,
        "group_id": str(event.group_id),
        "time": wire_time(event.time),
    }
    return [
        Difference(f"{prefix}{name}", wanted, got[name])
        for name, wanted in expectation.items()
        if not (_fits(wanted, got[name]) or (name == "time" and _same_moment(wanted, event.time)))
    ]


def _wanted(expectation: Expectation) -> str:
    return ", ".join(f"{name} = {value}" for name, value in expectation.items()) or "an event"


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
