"""From the body of an upload to its events, with the words for each thing that can be wrong in it.

Source of every rule: API reference, sections 4, 6 and 16. Pure: the receive time is given.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import orjson

from shipper.events import wire_time

MAX_EVENTS = 100
"""Events in one request (API reference, section 6)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOCUMENTED_TIME = re.compile(
    r"\d{8}T[0-2]\d[0-5]\d[0-5]\d\.\d{3}[+-](?:[01]\d|2[0-3])[0-5]\d",
    re.ASCII,
)
_EPOCH_MS = re.compile(r"\d{1,15}", re.ASCII)
_NUMBER = re.compile(r"\d{1,19}", re.ASCII)
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """An event as a client reported it, its optional fields filled in.

    Attributes:
        name: never blank.
        content: details; may be empty.
        group_id: application group, 0 where the client named none.
        time: in the documented format. As sent where it was sent so; epoch milliseconds are given in UTC; the
            receive time where the client sent none.
    """

    name: str
    content: str
    group_id: int
    time: str


def read_events(body: bytes, received: str) -> tuple[ReportedEvent, ...]:
    """Read the events of a request's body.

    Args:
        body: the bytes as received.
        received: the receive time in the documented format, for events without a time.

    Raises:
        ValueError: the body is against the contract; the message names the event (from 1) and the field.
    """
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not a JSON array of events: {error}") from None
    if not isinstance(values, list):
        raise ValueError(f"the body must be a JSON array of events, not {_kind(values)}")
    if not values:
        raise ValueError("the JSON array holds no event")
    if len(values) > MAX_EVENTS:
        raise ValueError(f"the JSON array holds {len(values)} events, more than {MAX_EVENTS} events in one request")
    return tuple([_read_event(value, number, received) for number, value in enumerate(values, 1)])


def _read_event(value: object, number: int, received: str) -> ReportedEvent:
    if not isinstance(value, dict):
        raise ValueError(f"event {number}: must be a JSON object, not {_kind(value)}")
    fields = cast(dict[str, object], value)
    name = fields.get("name")
    if not isinstance(name, str) or not name or name.isspace():
        raise ValueError(f"event {number}: name must be a string that is not blank, not {_shown(fields, 'name')}")
    content = fields.get("content")
    if not isinstance(content, str):
        raise ValueError(f"event {number}: content must be a string, not {_shown(fields, 'content')}")
    try:
        group_id = _read_group_id(fields["groupId"]) if "groupId" in fields else 0
    except ValueError:
        raise ValueError(
            f"event {number}: groupId must be a whole number (or its digits as a string) from 0 to 2^63 - 1, "
            f"not {_shown(fields, 'groupId')}"
        ) from None
    try:
        time = _read_time(fields["time"]) if "time" in fields else received
    except ValueError:
        raise ValueError(
            f"event {number}: time must look like 20171023T144439.948+0800 or be epoch milliseconds, "
            f"not {_shown(fields, 'time')}"
        ) from None
    return ReportedEvent(name, content, group_id, time)


def _read_group_id(value: object) -> int:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError
    return value


def _read_time(value: object) -> str:
    if isinstance(value, str):
        return _read_time_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return _from_epoch(value)
    raise ValueError


@functools.lru_cache(maxsize=4096)
def _read_time_text(text: str) -> str:
    if _DOCUMENTED_TIME.fullmatch(text):
        datetime.fromisoformat(text)  # the pattern knows the shape, this knows the calendar
        return text
    if _EPOCH_MS.fullmatch(text):
        return _from_epoch(int(text))
    raise ValueError


def _from_epoch(milliseconds: int) -> str:
    try:
        return wire_time(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError:
        raise ValueError from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")


def _shown(fields: dict[str, object], key: str) -> str:
    """Show a field's value for an error message, cut to a harmless length."""
    if key not in fields:
        return "missing"
    text = orjson.dumps(fields[key]).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
