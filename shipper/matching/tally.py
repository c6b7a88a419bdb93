"""What became of the records that a rule matched, in numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(slots=True)
class Tally:
    """What became of a rule's records.

    Attributes:
        matched: records that matched and were not ignored.
        ignored: records that matched and were ignored.
        judged: records in which the rule was searched.
        seconds: that these searches took.
        timed_out: searches that took longer than allowed, or more memory; the record counts as not matched.
        time_fallbacks: events whose `[rule.time]` found no time, so that they carry the time of reading.
        group_id_fallbacks: events whose `group_id` template gave no number.
        name_fallbacks: events whose `event` template gave nothing.
        redaction_failed: events whose record is not shown, since a redaction took too long.
        below: matches that made no event, for `[rule.threshold]` asks for more of them.
        held: events that `[rule.throttle]` held back, to be told by one more.
        last: the time of the record that matched last, as its event has it; aware. None before the first.
        json_invalid: matched records of a JSON source that are no JSON object, so that they have no fields.
    """

    matched: int = 0
    ignored: int = 0
    judged: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)
    timed_out: int = 0
    time_fallbacks: int = 0
    group_id_fallbacks: int = 0
    name_fallbacks: int = 0
    redaction_failed: int = 0
    below: int = 0
    held: int = 0
    json_invalid: int = 0
    last: datetime | None = field(default=None, compare=False)
