"""Makes the event of a record that a rule matched: its name, content, group id, time and id. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shipper.events import Event, wire_time
from shipper.matching.identifiers import EventIds
from shipper.matching.json_fields import json_fields
from shipper.matching.limits import key_of
from shipper.matching.redaction import Redacted
from shipper.matching.templates import BUILT_IN, Template
from shipper.matching.timestamps import find_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shipper.events import Block, Origin
    from shipper.matching.records import LogRecord
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.tally import Tally

_LONG = 2**63


ReadTime = Callable[[str, datetime, tzinfo | None], datetime | None]
"""Finds a time in a text, as `find_time` does."""


class TimeBefore(Protocol):
    """Tells when the record before one that carries no time happened."""

    def __call__(self, record: LogRecord, block: Block, zone: tzinfo | None, read: ReadTime) -> datetime | None:
        """Give that time, read by `read` from the text before the record; None when there is none."""


@dataclass(frozen=True, slots=True)
class Host:
    """What templates know of the machine."""

    hostname: str
    ip: str


class Place(NamedTuple):
    """Where a record was found.

    Attributes:
        path: file it came from.
        offset: where it begins in the file.
        line_number: in the file, from 1; None when nobody counts.
        group_id: application group of its source; None where that names none.
    """

    path: str
    offset: int
    line_number: int | None
    group_id: int | None


class Draft:
    """A match of a rule that has limits, so that it may become an event, be counted, or be told of later.

    It can be pickled; `adopt` before anything else is asked of one that was.

    Attributes:
        rule: id of the rule.
        time: of the event.
    """

    __slots__ = ("_composer", "_place", "_values", "rule", "time")

    def __init__(self, composer: Composer, values: dict[str, str | None], time: datetime, place: Place) -> None:
        """Keep what a template may name."""
        self.rule = composer.rule.id
        self.time = time
        self._composer: Composer | None = composer
        self._values = values
        self._place = place

    def __getstate__(self) -> tuple[str, datetime, dict[str, str | None], Place]:
        """Give what other processes need: of the values those that the rule names."""
        return self.rule, self.time, self._composing.named(self._values), self._place

    def __setstate__(self, state: tuple[str, datetime, dict[str, str | None], Place]) -> None:
        """Take what `__getstate__` gave."""
        self.rule, self.time, self._values, self._place = state
        self._composer = None

    def adopt(self, composer: Composer) -> None:
        """Let the event be composed by this composer of the same rule."""
        self._composer = composer

    def key(self, by: Iterable[str]) -> bytes:
        """Give the key under which limits count it."""
        return key_of(map(self._values.get, by))

    def event(self, count: int = 1, content: str | None = None) -> Event:
        """Give the event; `count` matches led to it, and its content is the rule's if no other is given."""
        self._values["count"] = str(count)
        return self._composing.event(self._values, self.time, self._place, content)

    def summary(self, count: int, first: str, last: str) -> Event:
        """Give the closing event that tells of so many, this one the last."""
        throttle = self._composing.rule.throttle
        # not in the values: a capture of that name is one in all other templates
        values = {**self._values, "count": str(count), "first": first, "last": last}
        return self.event(count, None if throttle is None else throttle.summary.fill(values))

    @property
    def _composing(self) -> Composer:
        if self._composer is None:
            raise RuntimeError(f"nobody composes this draft of '{self.rule}'")
        return self._composer


class Composer:
    """Composes the events of one rule; what its templates do not name is not worked out. Not for use by two threads.

    Attributes:
        rule: the rule.
    """

    def __init__(
        self,
        rule: Rule,
        host: Host,
        tally: Tally,
        timeout: float,
        group_id: int = 0,
        time_before: TimeBefore | None = None,
    ) -> None:
        """Prepare.

        Args:
            rule: the rule.
            host: for templates and ids.
            tally: where fallbacks are counted.
            timeout: seconds for one search.
            group_id: application group where neither rule nor source names one.
            time_before: gives the time of a record that carries none; None takes the time of reading.
        """
        self.rule = rule
        self._host = host
        self._tally = tally
        self._timeout = timeout
        self._group_id = group_id
        self._time_before = time_before
        names = rule.names()
        self._names = names | {"id"}
        self._ids = EventIds(host.hostname, rule.id)
        self._names_time = "time" in names
        self._names_file = "file" in names
        self._names_captures = bool(names - BUILT_IN) or (rule.time is not None and rule.time.field is not None)

    def compose(self, found: Pattern, record: LogRecord, block: Block, origin: Origin) -> Event:
        """Give the event of a record, whatever the limits of its rule.

        Args:
            found: the match.
            record: the record.
            block: in which it lies.
            origin: the one that the rule applies to.
        """
        values, time = self._values(found, record, block, origin)
        return self.event(values, time, _place(record, block, origin))

    def draft(self, found: Pattern, record: LogRecord, block: Block, origin: Origin) -> Draft:
        """Give what may become an event, see `compose`."""
        return Draft(self, *self._values(found, record, block, origin), _place(record, block, origin))

    def named(self, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """Give those of some values that the rule's templates and limits name."""
        return {name: value for name, value in values.items() if name in self._names}

    def event(
        self, values: Mapping[str, str | None], time: datetime, place: Place, content: str | None = None
    ) -> Event:
        """Give the event of some values, with the rule's content if no other is given; see `compose`."""
        rule = self.rule
        name = rule.event.fill(values)
        if not name.strip():
            self._tally.name_fallbacks += 1
            name = rule.id
        if content is None:
            content = rule.content.fill(values)
        path, offset, number, source_group_id = place
        group_id = self._find_group_id(values, source_group_id)
        identifier = values["id"] or ""
        return Event(name, content, group_id, time, rule.id, path, offset, identifier, number, rule.shadow)

    def _values(
        self, found: Pattern, record: LogRecord, block: Block, origin: Origin
    ) -> tuple[dict[str, str | None], datetime]:
        """Give all that templates may name, without what is covered, and the time of the event."""
        rule, text = self.rule, record.text
        fields = self._fields(record) if origin.json else None
        captures = _captures(_groups(found), fields, origin) if self._names_captures else {}
        # of the record as it is (spec, section 4 "Redact")
        time = self._time(captures, record, block, origin)
        if rule.redact:
            redacted = Redacted(text, rule.redact, self._timeout)
            self._tally.redaction_failed += redacted.failed
            text = redacted.text
            if self._names_captures:
                captures = _captures(redacted.captures(found), redacted.fields(fields or {}), origin)
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
            "id": self._ids.of(block.head, record.offset, record.raw),
        }
        if self._names_file:
            values["file"] = block.path.rsplit("/", 1)[-1]
        if self._names_time:
            values["time"] = wire_time(time)
        return values, time

    def _fields(self, record: LogRecord) -> Mapping[str, str | None] | None:
        """Give the fields of a record that is a JSON object; None of one that is something else, which is counted."""
        fields = json_fields(record.raw)
        if fields is None:
            self._tally.json_invalid += 1
        return fields

    def _time(self, captures: Mapping[str, str | None], record: LogRecord, block: Block, origin: Origin) -> datetime:
        how, text, taken = self.rule.time, record.text, record.time or block.read_at
        zone = (how.zone if how else None) or origin.zone
        read = find_time if how is None or how.format is None else how.format.read
        where = text if how is None or how.field is None else captures.get(how.field) or ""
        found = read(where, taken, zone)
        if found is not None:
            return found
        if self._time_before is not None and record.time is None:
            # of a line before it there is no capture
            found = self._time_before(record, block, zone, read if how is None or how.field is None else find_time)
        if how is not None and found is None:
            self._tally.time_fallbacks += 1
        return _local(taken, zone) if found is None else found

    def _find_group_id(self, values: Mapping[str, str | None], of_source: int | None) -> int:
        fallback = self._group_id if of_source is None else of_source
        wanted = self.rule.group_id
        if wanted is None:
            return fallback
        if not isinstance(wanted, Template):
            return wanted
        text = wanted.fill(values).strip()
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _LONG:
            return int(text)
        self._tally.group_id_fallbacks += 1
        return fallback


def _place(record: LogRecord, block: Block, origin: Origin) -> Place:
    number = None if block.first_line is None else block.first_line + record.number
    return Place(block.path, record.offset, number, origin.group_id)


def _groups(found: Pattern) -> dict[str, str | None]:
    """Give the groups of a match, by number and by name; None for those that took no part."""
    numbered: dict[str, str | None] = {str(place): value for place, value in enumerate(found.groups(), start=1)}
    numbered |= found.groupdict()
    return numbered


def _captures(
    groups: Mapping[str, str | None], fields: Mapping[str, str | None] | None, origin: Origin
) -> dict[str, str | None]:
    """Give what a template may name besides the built-ins; later ones win (spec, section 4)."""
    return {**(fields or {}), **origin.fields, **groups}


def _local(moment: datetime, zone: tzinfo | None) -> datetime:
    """Give the time of reading as people of that zone write it."""
    return moment.astimezone(zone)
