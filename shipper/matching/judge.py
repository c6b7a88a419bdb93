"""Judges one record by one rule: whether it matches, and the event that it is then. Pure.

Only `regex` decides, and only here; a search that takes too long is ended, counted, and noted by place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.events import Event, wire_time
from shipper.matching.identifiers import event_id
from shipper.matching.json_fields import json_fields
from shipper.matching.templates import Template
from shipper.matching.timestamps import find_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, tzinfo

    from shipper.events import Block, Origin
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule

MAX_UNJUDGED = 1000
_LONG = 2**63
# some recursive patterns ask for all memory there is, at once, before their time is up
_STOPPED = (TimeoutError, MemoryError)


@dataclass(frozen=True, slots=True)
class Host:
    """What templates know of the machine."""

    hostname: str
    ip: str


@dataclass(slots=True)
class Tally:
    """What became of a rule's records.

    Attributes:
        matched: records that matched and were not ignored.
        ignored: records that matched and were ignored.
        timed_out: searches that took longer than allowed, or more memory; the record counts as not matched.
        time_fallbacks: events whose `[rule.time]` found no time, so that they carry the time of reading.
        group_id_fallbacks: events whose `group_id` template gave no number.
        name_fallbacks: events whose `event` template gave nothing.
        json_invalid: matched records of a JSON source that are no JSON object, so that they have no fields.
    """

    matched: int = 0
    ignored: int = 0
    timed_out: int = 0
    time_fallbacks: int = 0
    group_id_fallbacks: int = 0
    name_fallbacks: int = 0
    json_invalid: int = 0


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A record on which a rule did not finish in time, by place and never by text (spec, section 4 "Time limits")."""

    rule: str
    path: str
    offset: int
    length: int


class Judge:
    """Not safe for use by two threads.

    Attributes:
        tallies: by rule id.
        unjudged_forgotten: how many unjudged records were not kept because nobody took them.
    """

    def __init__(self, rules: Iterable[Rule], host: Host, match_timeout: float, group_id: int = 0) -> None:
        """Prepare; see `Engine`."""
        self.tallies = {rule.id: Tally() for rule in rules}
        self.unjudged_forgotten = 0
        self._host = host
        self._match_timeout = match_timeout
        self._group_id = group_id
        self._unjudged: list[Unjudged] = []

    def judge(self, rule: Rule, record: LogRecord, block: Block, origin: Origin) -> Event | None:
        """Give the event of a record; None when the rule does not match, or ignores it."""
        found = self._search(rule, rule.match, record, block)
        if found is None:
            return None
        tally = self.tallies[rule.id]
        if any(self._search(rule, pattern, record, block) for pattern in rule.ignore):
            tally.ignored += 1
            return None
        tally.matched += 1
        return self._event(rule, found, record, block, origin)

    def _search(self, rule: Rule, pattern: Pattern, record: LogRecord, block: Block) -> Pattern | None:
        try:
            return self._ask(rule, pattern, record)
        except _STOPPED:
            self.tallies[rule.id].timed_out += 1
            if len(self._unjudged) < MAX_UNJUDGED:
                self._unjudged.append(Unjudged(rule.id, block.path, record.offset, len(record.raw)))
            else:
                self.unjudged_forgotten += 1
            return None

    def _ask(self, rule: Rule, pattern: Pattern, record: LogRecord) -> Pattern | None:
        """Search a record; raises one of `_STOPPED`."""
        return pattern.search(record.text, timeout=rule.timeout or self._match_timeout)

    def _event(self, rule: Rule, found: Pattern, record: LogRecord, block: Block, origin: Origin) -> Event:
        captures = found.groupdict()
        fields = self._fields(rule, record) if origin.json else {}
        time = self._time(rule, {**fields, **captures}, record, block, origin)
        identifier = event_id(self._host.hostname, block.head, record.offset, record.raw, rule.id)
        # later ones win: nothing from the log replaces a built-in (spec, section 4)
        values: dict[str, str | None] = {**fields, **origin.fields}
        values |= {str(place): value for place, value in enumerate(found.groups(), start=1)}
        values |= captures
        values |= {
            "line": record.text,
            "path": block.path,
            "file": block.path.rsplit("/", 1)[-1],
            "hostname": self._host.hostname,
            "ip": self._host.ip,
            "source": origin.source or "",
            "rule": rule.id,
            "time": wire_time(time),
            "count": "1",
            "id": identifier,
        }
        name = rule.event.fill(values)
        if not name.strip():
            self.tallies[rule.id].name_fallbacks += 1
            name = rule.id
        return Event(
            name=name,
            content=rule.content.fill(values),
            group_id=self._find_group_id(rule, values, origin),
            time=time,
            rule=rule.id,
            path=block.path,
            offset=record.offset,
            id=identifier,
            line_number=None if block.first_line is None else block.first_line + record.number,
        )

    def _fields(self, rule: Rule, record: LogRecord) -> dict[str, str | None]:
        """Give the fields of a record that is a JSON object; none of one that is something else, which is counted."""
        fields = json_fields(record.raw)
        if fields is None:
            self.tallies[rule.id].json_invalid += 1
            return {}
        return fields

    def _time(
        self, rule: Rule, captures: dict[str, str | None], record: LogRecord, block: Block, origin: Origin
    ) -> datetime:
        how, text, taken = rule.time, record.text, record.time or block.read_at
        zone = (how.zone if how else None) or origin.zone
        if how is None:
            return find_time(text, taken, zone) or _local(taken, zone)
        where = text if how.field is None else captures.get(how.field) or ""
        found = find_time(where, taken, zone) if how.format is None else how.format.read(where, taken, zone)
        if found is None:
            self.tallies[rule.id].time_fallbacks += 1
            return _local(taken, zone)
        return found

    def _find_group_id(self, rule: Rule, values: dict[str, str | None], origin: Origin) -> int:
        fallback = self._group_id if origin.group_id is None else origin.group_id
        if rule.group_id is None:
            return fallback
        if not isinstance(rule.group_id, Template):
            return rule.group_id
        text = rule.group_id.fill(values).strip()
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _LONG:
            return int(text)
        self.tallies[rule.id].group_id_fallbacks += 1
        return fallback

    def matches(self, rule: Rule, record: LogRecord) -> bool:
        """Tell whether a rule matches, ignored or not, and count nothing; False when that takes too long."""
        try:
            return self._ask(rule, rule.match, record) is not None
        except _STOPPED:
            return False

    def take_unjudged(self) -> list[Unjudged]:
        """Give the records on which rules ran out of time since the last call, at most `MAX_UNJUDGED`."""
        taken, self._unjudged = self._unjudged, []
        return taken


def _local(moment: datetime, zone: tzinfo | None) -> datetime:
    """Give the time of reading as people of that zone write it."""
    return moment.astimezone(zone)
