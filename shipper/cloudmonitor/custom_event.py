"""`CustomEvent`: what a caller of the Python API reports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from shipper.config.kinds import parse_group_id
from shipper.events import wire_time

_WIRE_TIME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}[+-][0-9]{4}")
_EPOCH_MILLISECONDS = re.compile(r"[0-9]{11,14}")  # fewer digits would be seconds


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """One event for CloudMonitor.

    Attributes:
        name: the event name, which alert rules match exactly; not blank.
        content: details for people.
        group_id: application group, 0 for none; None takes the client's.
        time: when it happened. None: now. A naive datetime is in the host's zone. A text is sent as it is, and must
            be in the service's format (`20171023T144439.948+0800`) or epoch milliseconds (`1508741079948`).

    Raises:
        ValueError: the name is blank, the group id is no id, or the time is none; says what was expected.
    """

    name: str
    content: str
    group_id: int | None = None
    time: datetime | str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("the event's name must not be blank")
        if self.group_id is not None:
            try:
                parse_group_id(self.group_id)
            except ValueError as error:
                raise ValueError(f"the event's group id {error}") from None
        if self.time is not None:
            self.time_text(datetime.now().astimezone())

    def time_text(self, now: datetime) -> str:
        """Give the event's time as it travels; `now` is taken where the event has none."""
        moment = now if self.time is None else self.time
        if isinstance(moment, datetime):
            try:
                return wire_time(moment.astimezone() if moment.utcoffset() is None else moment)
            except (OverflowError, OSError, ValueError):
                raise ValueError(f"the event's time {moment.isoformat()} is out of range") from None
        return _checked(moment)


def _checked(text: str) -> str:
    """Check a time given as text: one of the two documented forms, and a date that exists (section 4)."""
    if _EPOCH_MILLISECONDS.fullmatch(text):
        return text
    if _WIRE_TIME.fullmatch(text):
        try:
            datetime.strptime(text, "%Y%m%dT%H%M%S.%f%z")
        except ValueError:
            raise ValueError(f"the event's time {text!r} names a date or time of day that does not exist") from None
        return text
    raise ValueError(
        f"the event's time {text[:40]!r} must look like '20171023T144439.948+0800' or be epoch milliseconds "
        "such as '1508741079948'"
    )
