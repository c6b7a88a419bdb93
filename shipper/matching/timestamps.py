"""When a record says it happened: timestamps of common kinds, and of formats that a rule names (spec section 4).

Pure: text, a reference and a zone come in, an aware `datetime` or None comes out. The rules, from hazards 9.1 and 9.2:

- A missing year is the one that puts the time nearest to the reference, at most `MOST_FUTURE` after it.
- A time without a zone is a wall-clock time of the given zone: the first of two that a clock set back shows, and one
  that a clock set forward skips is shifted forward by the gap. Zone abbreviations other than UTC, GMT and Z name
  several zones each ("CST" is Shanghai, Chicago and Havana) and count as no zone.
- Numbers that no clock shows make no timestamp: the search goes on behind them. A leap second is 59.999 seconds.
  Years before 1970 are placeholders ("0001-01-01 00:00:00"), not times.

Results carry a fixed offset, so that subtracting two of them is always elapsed time. Log content is hostile: every
pattern is bounded at each place where it may begin, digits are ASCII, and no more than `_TRIES` candidates are weighed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

MOST_FUTURE = timedelta(days=1)
"""How far after the reference a timestamp without a year may lie: clocks differ, and so do zones."""

REACH = 256
"""Characters of a record in which a timestamp of a common kind may begin: behind them it is the message's."""

_LONGEST = 64  # characters of the longest common timestamp: one that begins within REACH is seen whole
_TRIES = 32
_YEARS = range(1970, 9999)  # 9999 is left out: conversion between zones would leave what datetime holds
_ISO_CHARACTERS = len("2026-11-23T01:02:03Z")
_LAST_EPOCH = 4_133_980_800  # 2101-01-01T00:00:00Z; the patterns see to it that it is not before 2001
_MONTH_NAMES = re.findall("[A-Z][a-z]+", "JanuaryFebruaryMarchAprilMayJuneJulyAugustSeptemberOctoberNovemberDecember")
_DAY_NAMES = [f"{day}day" for day in ("Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun")]
_MONTHS = {name[:3].lower(): number for number, name in enumerate(_MONTH_NAMES, 1)}

_SLOTS = ("year", "month", "day", "yearday", "hour", "minute", "second", "half", "zone", "fraction", "epoch")
_GROUP = re.compile(r"\(\?P<(\w+)>")
_OFFSET = r"[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?(?![:.]?[0-9])"
_DIRECTIVES = {
    "%Y": "(?P<year>[0-9]{4})",
    "%y": "(?P<year>[0-9]{2})",
    "%m": "(?P<month>[0-9]{1,2})",
    "%b": f"(?P<month>{'|'.join(f'{name}|{name[:3]}' for name in _MONTH_NAMES)})",
    "%d": "(?P<day>[0-9]{1,2})",
    "%e": "(?P<day> ?[0-9]{1,2})",
    "%j": "(?P<yearday>[0-9]{1,3})",
    "%H": "(?P<hour>[0-9]{1,2})",
    "%I": "(?P<hour>[0-9]{1,2})",
    "%M": "(?P<minute>[0-9]{1,2})",
    "%S": "(?P<second>[0-9]{1,2})",
    "%f": "(?P<fraction>[0-9]{1,9})",
    "%p": "(?P<half>AM|PM)",
    "%z": f"(?P<zone>Z|{_OFFSET})",
    "%Z": "(?P<zone>[A-Za-z]{1,5})",
    "%a": f"(?:{'|'.join(f'{name}|{name[:3]}' for name in _DAY_NAMES)})",
    "%s": "(?P<epoch>[1-4][0-9]{9})",
    "%%": "%",
}
_DIRECTIVES |= {"%B": _DIRECTIVES["%b"], "%A": _DIRECTIVES["%a"]}
_EXPANDED = {"%T": "%H:%M:%S", "%D": "%m/%d/%y", "%F": "%Y-%m-%d"}
_TOKENS = re.compile(r"%.?|\s+|[^%\s]+", re.DOTALL)


def _spell(pattern: str) -> str:
    return re.sub("%.", lambda directive: _DIRECTIVES[directive[0]], pattern)


# The kinds: patterns in which a directive stands for its group.
_END = r"(?![0-9])(?:[.,]%f(?![0-9]))?"  # of the seconds: a fraction or none
# "+25:00" is an offset that no place has, so what stands before it is no time either.
_ZONE = rf"(?: ?(?P<zone>(?:UTC|GMT)?{_OFFSET}|(?:[Zz]|UTC|GMT)(?![A-Za-z0-9+-]))|(?![+-][0-9]{{2}}:[0-9]{{2}}))"
_EPOCH = _spell(r"%s(?:\.(?P<fraction>[0-9]{3,}))?(?![0-9A-Za-z_]|\.[0-9])")
_EPOCH_MS = _spell(r"%s(?P<fraction>[0-9]{3})(?![0-9A-Za-z_]|\.[0-9])")
_EPOCH_US = _EPOCH_MS.replace("{3}", "{6}")
_EPOCH_START = r"(?:\A|(?<=[\[\"'=]))"  # anywhere else ten digits are more often a number of something
_KINDS = {
    # also log4j, nginx's error log, PostgreSQL, Go, RFC 5424; the seconds may be left out
    "iso": _spell(rf"%Y[-/]%m[-/]%d[Tt ]%H:%M(?::%S{_END}|(?!:?[0-9])){_ZONE}"),
    "compact": _spell(rf"%Y%m%d[Tt -]%H:?%M:?%S{_END}{_ZONE}").replace("{1,2}", "{2}"),
    "access": _spell(rf"%d[/ -]%b[/ -]%Y[: ]%H:%M:%S{_END}{_ZONE}"),  # also Redis, PHP, Tomcat and mail headers
    "chinese": _spell(rf"%Y年%m月%d日[ T]?%H[:：时時]%M[:：分]%S{_END}秒?{_ZONE}"),
    "epoch": _EPOCH_START + _EPOCH,
    "epoch_ms": _EPOCH_START + _EPOCH_MS,
    "epoch_us": _EPOCH_START + _EPOCH_US,
    # Apache's error log, date(1): only behind a weekday is a number after the time the year
    "ctime": _spell(rf"%a %b {{1,2}}%d %H:%M:%S{_END}(?: (?P<zone>[A-Z]{{3,5}}|{_OFFSET}))? %Y(?![0-9])"),
    # also java.util.logging and Cisco, which name the year
    "syslog": _spell(rf"%b {{1,2}}%d(?:,? %Y,?)? %H:%M:%S{_END}(?: %p\b)?{_ZONE}"),
}
# What may begin a common timestamp, told cheaply: most places in most records may not.
_BEGIN = "(?=[0-9A-W])(?<![0-9])(?=[0-9]{4}[-/0-9年]|[0-9]{1,2}[/ -][A-S]|(?<![A-Za-z])[A-W][a-z]{2,8} )"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How a time is written; made by `parse_format`.

    Attributes:
        format: the format as the rule has it.
    """

    format: str
    _pattern: re.Pattern[str] = field(repr=False, compare=False)
    _slots: dict[int, tuple[int, ...]] = field(repr=False, compare=False)  # kind's group -> the groups of _SLOTS
    _reach: int | None = field(default=None, repr=False, compare=False)

    def read(self, text: str, reference: datetime, zone: tzinfo | None) -> datetime | None:
        """Find the first time in `text` that is written like this.

        Args:
            text: the record, or the capture that holds the time.
            reference: aware time near which a time without a year lies: the time of reading.
            zone: zone of times that name none; None means the host's local zone.

        Returns:
            The time, aware, with a fixed offset: its own when it names one. None when there is none in `text`.
        """
        start, reach = 0, len(text) if self._reach is None else self._reach
        for _ in range(_TRIES):
            match = self._pattern.search(text, start, reach + _LONGEST)
            if match is None or (kind := match.lastindex) is None or (start := match.start()) >= reach:
                return None
            found = _read_iso(match[kind]) or _read_moment(match.group(*self._slots[kind]), reference, zone)
            if found is not None:
                return found
            start += 1
        return None


def find_time(text: str, reference: datetime, zone: tzinfo | None) -> datetime | None:
    """Find the first timestamp of a common kind that begins in the first `REACH` characters of a record.

    Arguments and result are those of `TimeFormat.read`.
    """
    return _COMMON.read(text, reference, zone)


def parse_format(format: str) -> TimeFormat:  # noqa: A002 - the name of the rule's key
    """Make the reader of a `[rule.time]` format.

    Args:
        format: "iso8601", "syslog", "epoch" (seconds), "epoch_ms", "epoch_us", or a strptime string; its names are the
            English ones in any locale and any case, its white space stands for any white space.

    Raises:
        ValueError: it is none of these; the message says what is wrong and what would be right.
    """
    return _NAMED.get(format) or _combine(format, {"strptime": _translate(format)}, "", re.IGNORECASE)


def _translate(format: str) -> str:  # noqa: A002 - as above
    """Turn a strptime string into a pattern; of a number that touches another one only its full width is taken."""
    tokens = _TOKENS.findall(re.sub("%.", lambda found: _EXPANDED.get(found[0], found[0]), format, flags=re.DOTALL))
    _check_directives(format, tokens)
    digits = ["[0-9]" in _DIRECTIVES.get(token, "") for token in tokens]
    pattern = "(?<![0-9])" if digits[0] else "(?<![A-Za-z])" if "(" in _DIRECTIVES.get(tokens[0], "") else ""
    for place, token in enumerate(tokens):
        if token.isspace():
            piece = r"\s{1,16}"  # bounded: a run of blanks must not cost its length squared
        elif "%z" in tokens and token.endswith("%Z"):
            piece = "[A-Za-z]{1,5}"  # the offset says more than its name
        else:
            piece = _DIRECTIVES.get(token) or re.escape(token)
            if digits[place] and (any(digits[place - 1 : place]) or any(digits[place + 1 : place + 2])):
                piece = piece.replace("{1,2}", "{2}").replace("{1,3}", "{3}")
        pattern += piece
    return pattern + ("(?![0-9])" if digits[-1] else "")


def _check_directives(format: str, tokens: list[str]) -> None:  # noqa: A002 - as above
    """Refuse a strptime string by which no time can be read, and say why."""
    named: dict[str, str] = {}
    for directive in tokens:
        if directive.startswith("%") and directive not in _DIRECTIVES:
            known = " ".join(sorted({*_DIRECTIVES, *_EXPANDED}, key=lambda name: (name.lower(), name)))
            raise ValueError(f"'{directive}' in '{format}' is no directive of a time format; there are: {known}")
        slot = _GROUP.match(_DIRECTIVES.get(directive, ""))
        if slot is None:
            continue
        if slot[1] in named and {directive, named[slot[1]]} != {"%z", "%Z"}:
            raise ValueError(
                f"'{format}' has the {slot[1]} twice ({named[slot[1]]}, {directive}); leave one of them out"
            )
        named[slot[1]] = directive
    if ("half" in named) != ("%I" in tokens):
        raise ValueError(f"'{format}': %I (hour from 1 to 12) and %p (AM or PM) need each other; %H is the hour of 24")
    if not ("epoch" in named or "yearday" in named or {"month", "day"} <= named.keys()):
        close = get_close_matches(format.lower(), _NAMED, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"use {', '.join(_NAMED)} or a strptime string like '%F %T'"
        raise ValueError(f"'{format}' is no time format, it does not say which day it is: {hint}")


def _combine(format: str, kinds: dict[str, str], begin: str, flags: int = 0) -> TimeFormat:  # noqa: A002 - as above
    """Make one pattern of kinds: the group that closes last, the one around the kind, tells which it was."""
    branches = [f"(?P<{kind}>" + _GROUP.sub(rf"(?P<\1_{kind}>", spelled) + ")" for kind, spelled in kinds.items()]
    pattern = re.compile(f"{begin}(?:{'|'.join(branches)}|(?P<absent>(?!)))", re.ASCII | flags)
    groups = pattern.groupindex
    slots = {groups[kind]: tuple(groups.get(f"{slot}_{kind}", groups["absent"]) for slot in _SLOTS) for kind in kinds}
    return TimeFormat(format, pattern, slots)


def _read_iso(text: str) -> datetime | None:
    """Read a time as most write it, quickly: ISO 8601 with an offset; None for all others, whatever is wrong."""
    if len(text) < _ISO_CHARACTERS or text[4] != "-" or text[11:13] == "24":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year in _YEARS else None


def _read_moment(parts: tuple[str | None, ...], reference: datetime, zone: tzinfo | None) -> datetime | None:
    """Make the time of a match's `_SLOTS`; None when its numbers are none that calendar and clock show."""
    fraction, epoch = parts[-2:]
    if epoch is None:
        moment = _read_nearest(parts[:-2], reference, zone)
    else:
        moment = (
            _fix_offset(datetime.fromtimestamp(int(epoch), UTC).astimezone(zone)) if int(epoch) < _LAST_EPOCH else None
        )
    if fraction is None or moment is None or moment.microsecond:  # a leap second has its fraction
        return moment
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def _read_nearest(civil: tuple[str | None, ...], reference: datetime, zone: tzinfo | None) -> datetime | None:
    """Make the civil time; without a year the last one that is not too far after the reference: the nearest."""
    latest_year = (reference + 2 * MOST_FUTURE).year if civil[0] is None else 0
    while (found := _read_civil(civil, zone, latest_year)) is not None:
        moment = found
        if found.tzinfo is None:  # not cached: the host's zone may change
            moment = found.astimezone()
            if moment.replace(tzinfo=None) != found:  # in a gap CPython shifts it back, its own documents say forward
                moment = max(moment, found.replace(fold=1).astimezone())
        if civil[0] is not None or moment - reference <= MOST_FUTURE:
            return moment
        latest_year = found.year - 1
    return None


@lru_cache(maxsize=1024)
def _read_civil(civil: tuple[str | None, ...], zone: tzinfo | None, latest_year: int) -> datetime | None:
    """Make the time without its fraction, naive when no zone is known; a missing year is the last that has the day."""
    year, month, day, yearday, hour, minute, second, half, offset = civil
    seconds, fraction = (59, 999_000) if second == "60" else (int(second or 0), 0)
    for candidate in _list_years(year, latest_year):
        try:
            clock = time(_read_hour(hour, half), int(minute or 0), seconds, fraction)
            wall = datetime.combine(_read_date(candidate, month, day, yearday), clock)
        except ValueError:
            continue
        named = _read_offset(offset)
        if named is not None or zone is None:
            return wall.replace(tzinfo=named)
        # There and back: a time in a gap comes out as the one that a clock not set forward would have meant.
        return _fix_offset(wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone))
    return None


def _list_years(year: str | None, latest: int) -> range:
    if year is None:
        return range(latest, latest - 9, -1)  # 2096 and 2104 have a Feb 29, 2100 has none
    number = int(year) + (0 if len(year) == 4 else 1900 if year >= "69" else 2000)  # as POSIX has it
    return range(number, number + 1) if number in _YEARS else range(0)


def _read_date(year: int, month: str | None, day: str | None, yearday: str | None) -> date:
    if yearday is None:
        return date(year, _MONTHS.get((month or "")[:3].lower()) or int(month or 0), int(day or 0))
    found = date(year, 1, 1) + timedelta(int(yearday) - 1)
    if found.year != year:
        raise ValueError(yearday)
    return found


def _read_hour(hour: str | None, half: str | None) -> int:
    number = int(hour or 0)
    if half is None:
        return number
    if not 1 <= number <= 12:
        raise ValueError(hour)
    return number % 12 + (12 if half.upper() == "PM" else 0)


def _read_offset(text: str | None) -> timezone | None:
    """Make the zone that the text names; None when it names none, or one that is several."""
    if text is None:
        return None
    digits = text.lstrip("UTCGM").replace(":", "")
    if digits[:1] not in {"+", "-"}:
        return UTC if text.upper() in {"Z", "UTC", "GMT"} else None
    offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:] or 0))
    return timezone(-offset if digits[0] == "-" else offset)


def _fix_offset(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone(moment.utcoffset() or timedelta()), fold=0)


_NAMED = {
    "iso8601": _combine("iso8601", {kind: _KINDS[kind] for kind in ("iso", "compact")}, "(?<![0-9])"),
    "syslog": _combine("syslog", {"syslog": _KINDS["syslog"]}, "(?<![0-9A-Za-z])"),
    "epoch": _combine("epoch", {"epoch": _EPOCH.replace("{3,}", "+")}, "(?<![0-9.])"),
    "epoch_ms": _combine("epoch_ms", {"epoch_ms": _EPOCH_MS}, "(?<![0-9.])"),
    "epoch_us": _combine("epoch_us", {"epoch_us": _EPOCH_US}, "(?<![0-9.])"),
}
_COMMON = replace(_combine("common", _KINDS, _BEGIN), _reach=REACH)
