"""`--since` and `--until`: which events are wanted, by their own times. Pure, but for the clock that is passed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from shipper.config.kinds import parse_duration

_DAYS = {"today": 0, "yesterday": 1}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Span:
    """The time asked for; aware, None where there is no bound.

    Attributes:
        since: the first moment.
        until: the first moment after it.
    """

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, moment: datetime) -> bool:
        """Tell whether an event of that time is wanted."""
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)

    def __bool__(self) -> bool:
        """Tell whether there is any bound."""
        return self.since is not None or self.until is not None

    def describe(self) -> str:
        """Give both bounds as one text that is the same for the same moments."""
        return "/".join("" if each is None else repr(each.timestamp()) for each in (self.since, self.until))


def parse_moment(text: str, now: datetime, *, is_end: bool = False) -> datetime:
    """Give the moment that somebody means.

    Args:
        text: ISO 8601 (`2026-11-23T10:00:00+08:00`; without a zone it is the host's), a date, `2h` or `7d` (so long
            ago), `today`, `yesterday` or `now`.
        now: aware, in the host's zone.
        is_end: whether a date or a day means its end.

    Raises:
        ValueError: it is none of these; the message says what is expected.
    """
    text = text.strip()
    if text.lower() == "now":
        return now
    days = timedelta(days=1 if is_end else 0)
    if text.lower() in _DAYS:
        day = now.replace(tzinfo=None) - timedelta(days=_DAYS[text.lower()])
        # the wall clock, in the zone and the summer time that were the host's then
        return (day.replace(hour=0, minute=0, second=0, microsecond=0) + days).astimezone()
    if re.fullmatch(r"\d+(?:\.\d+)?[a-z]+", text):
        return now - timedelta(seconds=parse_duration(text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: write 2026-11-23, 2026-11-23T10:00:00+08:00, 2h, 7d, today or yesterday"
        ) from None
    if _DATE.fullmatch(text):
        found += days
    return found if found.tzinfo is not None else found.astimezone()
