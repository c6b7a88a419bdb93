"""Finds the time that a record carries, in the kinds that logs use (hazards 9.1 to 9.3). Pure.

The first valid time near the beginning of a record wins. A time without zone is in the rule's, else the source's, else the
host's zone; a time that a clock showed twice is the first of the two, one that it skipped is moved forward. A missing
year is the one that puts the time nearest to the time of reading, at most a day ahead of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

SEARCHED_CHARACTERS = 256
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"(?P<{0}h>[0-9]{{2}}):(?P<{0}m>[0-9]{{2}}):(?P<{0}s>[0-9]{{2}})"
_FRACTION = r"(?:[.,](?P<{0}f>[0-9]{{1,9}}))?"
_ZONE = r"(?:\ ?(?P<{0}z>Z\b|UTC\b|GMT\b|[+-][0-9]{{2}}:?[0-9]{{2}}\b|[+-][0-9]{{2}}\b))?"


def _kind(letter: str, pattern: str) -> str:
    return (
        f"(?P<{letter}>{pattern})".replace("CLOCK", _CLOCK.format(letter))
        .replace("FRACTION", _FRACTION.format(letter))
        .replace("ZONE", _ZONE.format(letter))
        .replace("MONTH", _MONTH)
    )


_ISO = _kind(
    "i", r"(?<![0-9])(?P<iY>[0-9]{4})(?P<isep>[-/]?)(?P<iM>[0-9]{2})(?P=isep)(?P<iD>[0-9]{2})[T\ ]CLOCKFRACTIONZONE"
)
_COMPACT = _kind(
    "k",
    r"(?<![0-9])(?P<kY>[0-9]{4})(?P<kM>[0-9]{2})(?P<kD>[0-9]{2})T(?P<kh>[0-9]{2})(?P<km>[0-9]{2})(?P<ks>[0-9]{2})FRACTIONZONE",
)
_ACCESS = _kind("a", r"(?<![0-9])(?P<aD>[0-9]{2})/(?P<aN>MONTH)/(?P<aY>[0-9]{4}):CLOCKZONE")
_CTIME = _kind("c", r"\b(?P<cN>MONTH)\ {1,2}(?P<cD>[0-9]{1,2})\ CLOCKFRACTION\ (?P<cY>[0-9]{4})\b")
_SYSLOG = _kind("y", r"\b(?P<yN>MONTH)\ {1,2}(?P<yD>[0-9]{1,2})\ CLOCKFRACTION")
_CHINESE = _kind(
    "z",
    r"(?P<zY>[0-9]{4})年(?P<zM>[0-9]{1,2})月(?P<zD>[0-9]{1,2})日\ ?(?P<zh>[0-9]{1,2})[:时](?P<zm>[0-9]{1,2})[:分](?P<zs>[0-9]{1,2})秒?",
)
_EPOCH = r"""(?P<e>(?:^|(?<=[\["'=]))(?P<es>[1-3][0-9]{9})(?:(?P<ems>[0-9]{3})|\.(?P<ef>[0-9]{1,9}))?(?![0-9.]))"""
_ANY = re.compile("|".join((_ISO, _COMPACT, _ACCESS, _CTIME, _SYSLOG, _CHINESE, _EPOCH)))
_SYSLOG_ONLY = re.compile(_SYSLOG)
_ISO_ONLY = re.compile(f"{_ISO}|{_COMPACT}")


def find_time(text: str, reference: datetime, zone: tzinfo | None) -> datetime | None:
    """Find a time of a common kind near the beginning of a record; None when there is none.

    Args:
        text: the record.
        reference: aware, the time of reading; decides a missing year.
        zone: of times that name none; None is the host's.
    """
    return _first(_ANY, text[:SEARCHED_CHARACTERS], reference, zone)


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """One format of time, as `[rule.time]` names it; made by `parse_format`."""

    name: str
    pattern: re.Pattern[str]

    def read(self, text: str, reference: datetime, zone: tzinfo | None) -> datetime | None:
        """Find a time of this format anywhere in a text; None when there is none. Arguments as for `find_time`."""
        return _first(self.pattern, text, reference, zone)


# each directive of strptime as a group of the kind "f": a format of one's own; names are English whatever the locale
_DIRECTIVES = {
    "Y": r"(?P<fY>[0-9]{4})", "y": r"(?P<fy>[0-9]{2})", "m": r"(?P<fM>[0-9]{1,2})", "d": r"(?P<fD>[0-9]{1,2})",
    "e": r"\ ?(?P<fD>[0-9]{1,2})", "H": r"(?P<fh>[0-9]{1,2})", "I": r"(?P<fI>[0-9]{1,2})", "M": r"(?P<fm>[0-9]{1,2})",
    "S": r"(?P<fs>[0-9]{1,2})", "f": r"(?P<ff>[0-9]{1,9})", "p": r"(?P<fp>[AaPp][Mm])", "b": rf"(?P<fN>{_MONTH})",
    "B": r"(?P<fN>January|February|March|April|May|June|July|August|September|October|November|December)",
    "a": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "A": r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day",
    "z": r"(?P<fz>Z|[+-][0-9]{2}:?[0-9]{2})", "Z": r"(?:[A-Z]{1,5})", "%": "%",
}  # fmt: skip
_SHORTHANDS = {"T": "%H:%M:%S", "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M"}


def parse_format(name: str) -> TimeFormat:
    """Make a format of "iso8601", "syslog", "epoch", "epoch_ms" or a strptime string.

    Raises:
        ValueError: it is none of these; the message says which directives there are.
    """
    if name == "iso8601":
        return TimeFormat(name, _ISO_ONLY)
    if name == "syslog":
        return TimeFormat(name, _SYSLOG_ONLY)
    if name == "epoch":
        return TimeFormat(name, re.compile(r"(?<![0-9.])(?P<e>(?P<es>[0-9]{1,11})(?:\.(?P<ef>[0-9]{1,9}))?)(?![0-9])"))
    if name == "epoch_ms":
        return TimeFormat(name, re.compile(r"(?<![0-9.])(?P<e>(?P<es>[0-9]{1,11})(?P<ems>[0-9]{3}))(?![0-9])"))
    if "%" not in name:
        raise ValueError(f'must be "iso8601", "syslog", "epoch", "epoch_ms" or a strptime string, not {name!r}')
    for letter, long in _SHORTHANDS.items():
        name = name.replace(f"%{letter}", long)
    regex, at, used = "", 0, set()
    while at < len(name):
        if name[at] != "%":
            regex += re.escape(name[at])
            at += 1
            continue
        letter = name[at + 1 : at + 2]
        if letter not in _DIRECTIVES:
            known = " ".join(f"%{each}" for each in (*_DIRECTIVES, *_SHORTHANDS))
            raise ValueError(f"has the unknown directive '%{letter}'; known are {known}")
        if letter in used and letter != "%":
            raise ValueError(f"has the directive '%{letter}' twice")
        used.add(letter)
        regex += _DIRECTIVES[letter]
        at += 2
    try:
        return TimeFormat(name, re.compile(f"(?P<f>{regex})"))
    except re.error:
        raise ValueError("names the same part of the time twice") from None


def _first(pattern: re.Pattern[str], text: str, reference: datetime, zone: tzinfo | None) -> datetime | None:
    """Give the first match that is a time; numbers such as month 13 only look like one."""
    for found in pattern.finditer(text):
        groups = found.groupdict()
        kind = found.lastgroup or ""
        parts = {name[len(kind) :]: value for name, value in groups.items() if value and name.startswith(kind)}
        try:
            return _epoch(parts, zone) if kind == "e" else _civil(parts, reference, zone)
        except (ValueError, OverflowError):
            continue
    return None


def _epoch(parts: dict[str, str], zone: tzinfo | None) -> datetime:
    micro = parts.get("ms", "") or parts.get("f", "")
    moment = datetime.fromtimestamp(int(parts["s"]), UTC).replace(microsecond=int(micro[:6].ljust(6, "0") or 0))
    return moment.astimezone(zone)


def _civil(parts: dict[str, str], reference: datetime, zone: tzinfo | None) -> datetime:
    month = int(parts["M"]) if "M" in parts else _MONTHS[parts["N"][:3].lower()] if "N" in parts else None
    hour = int(parts.get("h", 0))
    if "I" in parts:
        hour = int(parts["I"]) % 12 + 12 * (parts.get("p", "am").lower() == "pm")
    second = int(parts.get("s", 0))
    # a leap second is not in the calendar of computers: it is the end of the second before it
    micro = 999_999 if second == 60 else int(parts.get("f", "")[:6].ljust(6, "0"))
    clock = (hour, int(parts.get("m", 0)), 59 if second == 60 else second, micro)
    where = _offset(parts["z"]) if "z" in parts else zone
    if month is None or "D" not in parts:
        today = reference.astimezone(where)
        return _placed(datetime(today.year, today.month, today.day, *clock), where)
    day = int(parts["D"])
    if "Y" in parts or "y" in parts:
        year = int(parts["Y"]) if "Y" in parts else 2000 + int(parts["y"]) - 100 * (int(parts["y"]) > 68)
        return _placed(datetime(year, month, day, *clock), where)
    return _nearest_year(month, day, clock, reference, where)


def _nearest_year(
    month: int, day: int, clock: tuple[int, int, int, int], reference: datetime, where: tzinfo | None
) -> datetime:
    latest = reference + timedelta(days=1)
    candidates = []
    for year in range(reference.year - 8, reference.year + 2):
        try:
            moment = _placed(datetime(year, month, day, *clock), where)
        except ValueError:
            continue
        if moment <= latest:
            candidates.append(moment)
    if not candidates:
        raise ValueError("no such day")
    return min(candidates, key=lambda moment: abs(reference - moment))


def _offset(text: str) -> tzinfo:
    if text in {"Z", "UTC", "GMT"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _placed(moment: datetime, where: tzinfo | None) -> datetime:
    """Give a wall-clock time its zone: the first of two, and moved forward where the clock skipped it."""
    if where is None:
        return moment.astimezone()
    aware = moment.replace(tzinfo=where, fold=0)
    # a skipped time does not survive the way to UTC and back; what comes back is moved forward
    return aware.astimezone(UTC).astimezone(where)
