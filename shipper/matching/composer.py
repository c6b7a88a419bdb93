"""Makes the event of a record that a rule matched: its name, content, group id, time and id. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.events import Event, wire_time
from shipper.matching.identifiers import EventIds
from shipper.matching.json_fields import json_fields
from shipper.matching.templates import BUILT_IN, Template
from shipper.matching.timestamps import find_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from shipper.events import Block, Origin
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.tally import Tally

_LONG = 2**63


@dataclass(frozen=True, slots=True)
class Host:
    """What templates know of the machine."""

    hostname: str
    ip: str


class Composer:
    """Composes the events of one rule; what its templates do not name is not worked out. Not for use by two threads."""

    def __init__(self, rule: Rule, host: Host, tally: Tally, group_id: int = 0) -> None:
        """Prepare.

        Args:
            rule: the rule.
            host: for templates and ids.
            tally: where fallbacks are counted.
            group_id: application group where neither rule nor source names one.
        """
        self._rule = rule
        self._host = host
        self._tally = tally
        self._group_id = group_id
        templates = (rule.event, rule.content, rule.group_id)
        names = {hole.name for each in templates if isinstance(each, Template) for hole in each.holes}
        self._ids = EventIds(host.hostname, rule.id)
        self._names_time = "time" in names
        self._names_file = "file" in names
        self._names_captures = bool(names - BUILT_IN) or (rule.time is not None and rule.time.field is not None)

    def compose(self, found: Pattern, record: LogRecord, block: Block, origin: Origin) -> Event:
        """Give the event of a record.

        Args:
            found: the match.
            record: the record.
            block: in which it lies.
            origin: the one that the rule applies to.
        """
        rule, text = self._rule, record.text
        fields = self._fields(record) if origin.json else None
        captures = self._captures(found, fields, origin) if self._names_captures else {}
        time = self._time(captures, record, block, origin)
        identifier = self._ids.of(block.head, record.offset, record.raw)
        # nothing from the log replaces a built-in (spec, section 4)
        values = {
            **captures,
            "line": text,
            "path": block.path,
            "hostname": self._host.hostname,
            "ip": self._host.ip,
            "source": origin.source or "",
            "rule": rule.id,
            "count": "1",
            "id": identifier,
        }
        if self._names_file:
            values["file"] = block.path.rsplit("/", 1)[-1]
        if self._names_time:
            values["time"] = wire_time(time)
        name = rule.event.fill(values)
        if not name.strip():
            self._tally.name_fallbacks += 1
            name = rule.id
        content, group_id = rule.content.fill(values), self._find_group_id(values, origin)
        number = None if block.first_line is None else block.first_line + record.number
        return Event(name, content, group_id, time, rule.id, block.path, record.offset, identifier, number)

    def _fields(self, record: LogRecord) -> Mapping[str, str | None] | None:
        """Give the fields of a record that is a JSON object; None of one that is something else, which is counted."""
        fields = json_fields(record.raw)
        if fields is None:
            self._tally.json_invalid += 1
        return fields

    def _captures(
        self, found: Pattern, fields: Mapping[str, str | None] | None, origin: Origin
    ) -> dict[str, str | None]:
        """Give what a template may name besides the built-ins; later ones win (spec, section 4)."""
        captures: dict[str, str | None] = {**(fields or {}), **origin.fields}
        captures |= {str(place): value for place, value in enumerate(found.groups(), start=1)}
        captures |= found.groupdict()
        return captures

    def _time(self, captures: Mapping[str, str | None], record: LogRecord, block: Block, origin: Origin) -> datetime:
        how, text, taken = self._rule.time, record.text, record.time or block.read_at
        zone = (how.zone if how else None) or origin.zone
        if how is None:
            return find_time(text, taken, zone) or _local(taken, zone)
        where = text if how.field is None else captures.get(how.field) or ""
        found = find_time(where, taken, zone) if how.format is None else how.format.read(where, taken, zone)
        if found is None:
            self._tally.time_fallbacks += 1
            return _local(taken, zone)
        return found

    def _find_group_id(self, values: Mapping[str, str | None], origin: Origin) -> int:
        fallback = self._group_id if origin.group_id is None else origin.group_id
        wanted = self._rule.group_id
        if wanted is None:
            return fallback
        if not isinstance(wanted, Template):
            return wanted
        text = wanted.fill(values).strip()
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _LONG:
            return int(text)
        self._tally.group_id_fallbacks += 1
        return fallback


def _local(moment: datetime, zone: tzinfo | None) -> datetime:
    """Give the time of reading as people of that zone write it."""
    return moment.astimezone(zone)
