"""What a value in a TOML file may be: each kind parses one value or says what it expected instead.

A kind raises `ValueError` whose text completes the sentence "`key` ...": "must be a duration such as "5s"...".
Parsed units are seconds (float) for durations and bytes (int) for sizes.
"""

from __future__ import annotations

import codecs
import ipaddress
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "TIB": 1024**4,
}
_QUANTITY = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)\s*")
_LONGEST_DAYS = 36_500  # far beyond any use, and still a time-out that every system call takes


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        parse: turns the TOML value into the product's, or raises `ValueError`.
        expand: whether `${NAME}` is replaced from the environment before parsing (spec, section 3).
    """

    parse: Callable[[Any], Any]
    expand: bool = True


def _shown(value: object) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def _require(value: object, wanted: type | tuple[type, ...], expected: str) -> None:
    if isinstance(value, bool) and wanted is not bool:
        raise ValueError(f"must be {expected}, not a boolean")
    if not isinstance(value, wanted):
        raise ValueError(f"must be {expected}, not {_shown(value)}")


def parse_text(value: object) -> str:
    """Take any string."""
    _require(value, str, "a string")
    return str(value)


def parse_name(value: object) -> str:
    """Take a string with something in it."""
    text = parse_text(value)
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def parse_boolean(value: object) -> bool:
    """Take `true` or `false`."""
    _require(value, bool, "true or false")
    return bool(value)


def parse_texts(value: object) -> tuple[str, ...]:
    """Take an array of strings."""
    _require(value, list, "an array of strings")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be an array of strings")
    return tuple(value)


def parse_some_texts(value: object) -> tuple[str, ...]:
    """Take an array of strings that holds at least one."""
    texts = parse_texts(value)
    if not texts:
        raise ValueError("must hold at least one string")
    return texts


def parse_duration(value: object) -> float:
    """Take a duration such as "200ms", "5s", "1m", "2h", "7d"; gives seconds."""
    expected = 'a duration such as "200ms", "5s", "1m", "2h" or "7d"'
    _require(value, str, expected)
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2] not in _DURATION_UNITS:
        raise ValueError(f"must be {expected}, not {value!r}")
    seconds = float(found[1]) * _DURATION_UNITS[found[2]]
    if seconds > _LONGEST_DAYS * _DURATION_UNITS["d"]:
        raise ValueError(f'must be at most "{_LONGEST_DAYS}d"')
    return seconds


def parse_positive_duration(value: object) -> float:
    """Take a duration above zero; gives seconds."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be longer than 0")
    return seconds


def parse_size(value: object) -> int:
    """Take a size such as "64KiB", "10MB", or a number of bytes; gives bytes."""
    expected = 'a size such as "64KiB", "10MB", or a number of bytes'
    _require(value, (str, int), expected)
    if isinstance(value, int):
        return parse_count(value)
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2].upper() not in _SIZE_UNITS:
        raise ValueError(f"must be {expected}, not {value!r}")
    unit = _SIZE_UNITS[found[2].upper()]
    return parse_count(int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit)


def parse_line_limit(value: object) -> int:
    """Take the limit of a line's bytes: at least 1 KiB, at most 16 MiB, so that memory stays bounded."""
    size = parse_size(value)
    if not 1024 <= size <= 16 * 1024**2:
        raise ValueError("must be between 1KiB and 16MiB")
    return size


def parse_integer(value: object) -> int:
    """Take a whole number."""
    _require(value, int, "a whole number")
    return int(str(value))


def parse_count(value: object) -> int:
    """Take a whole number from 0 to 2^63 - 1, the most that the store and the service can hold."""
    number = parse_integer(value)
    if number < 0:
        raise ValueError("must not be negative")
    if number >= 2**63:
        raise ValueError("must be below 2^63")
    return number


def parse_positive_count(value: object) -> int:
    """Take a whole number from 1 to 2^63 - 1."""
    number = parse_count(value)
    if not number:
        raise ValueError("must be at least 1")
    return number


def parse_group_id(value: object) -> int:
    """Take an application group's id: 0 (no group) to 2^63 - 1 (a Long, API reference section 4)."""
    return parse_count(value)


def parse_rate(value: object) -> float:
    """Take requests a second: a number that is not negative; 0 means no pacing."""
    _require(value, (int, float), "a number")
    rate = float(str(value))
    if not math.isfinite(rate):
        raise ValueError(f"must be a number such as 20, not {value!r}")
    if rate < 0:
        raise ValueError("must not be negative; 0 means no pacing")
    return rate


def parse_fields(value: object) -> dict[str, str]:
    """Take a table of constants for templates; numbers and booleans are taken as their text."""
    _require(value, dict, 'a table such as { service = "checkout" }')
    fields: dict[str, str] = {}
    items: Mapping[str, object] = value if isinstance(value, dict) else {}
    for name, item in items.items():
        if isinstance(item, bool):
            fields[name] = "true" if item else "false"
        elif isinstance(item, (str, int, float)):
            fields[name] = str(item)
        else:
            raise ValueError(f"holds {_shown(item)} under {name!r}; only strings, numbers and booleans can be fields")
    return fields


def parse_zone(value: object) -> ZoneInfo | None:
    """Take an IANA zone such as "Asia/Shanghai", or "local", which gives None: the host's zone."""
    name = parse_name(value)
    if name == "local":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f'must be "local" or an IANA zone such as "Asia/Shanghai" or "UTC"; {name!r} is not known here'
        ) from None


def parse_encoding(value: object) -> str:
    """Take the name of a Python text codec, or `auto` (byte order mark, else UTF-8); gives its canonical name.

    GBK and GB2312 are read as GB18030, which contains them (hazard 3.4). A newline must be the byte 0x0A, or the
    character of two or four bytes that UTF-16 and UTF-32 have for it: lines are cut before they are decoded.
    """
    name = parse_name(value)
    if name == "auto":
        return name
    try:
        info = codecs.lookup(name)
        newline = "\n".encode(name)
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            'must be a Python text codec such as "utf-8", "gb18030", "utf-16-le" or "latin-1", or "auto"; '
            f"{name!r} is none"
        ) from None
    if info.name.startswith(("utf-16", "utf-32")):
        return info.name
    if newline != b"\n":
        raise ValueError(
            f"{name!r} writes a newline as {newline!r}; only codecs with the byte 0x0A, UTF-16 and UTF-32 work"
        )
    return {"gbk": "gb18030", "gb2312": "gb18030", "utf-8-sig": "utf-8"}.get(info.name, info.name)


def parse_pattern(value: object) -> str:
    """Take a pattern of the `regex` module."""
    import regex

    text = parse_name(value)
    try:
        regex.compile(text)
    except regex.error as error:
        raise ValueError(f"is no valid pattern: {error}") from None
    return text


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    return host == "localhost" or (host != "" and ipaddress.ip_address(host).is_loopback)


def parse_listen(value: object) -> str:
    """Take an address to listen on, `127.0.0.1:9595`, `localhost:9595` or `[::1]:9595`."""
    text = parse_name(value)
    try:
        split_address(text)
    except ValueError:
        raise ValueError(f'must look like "127.0.0.1:9595" or "[::1]:9595", not {value!r}') from None
    return text


def split_address(text: str) -> tuple[str, int]:
    """Give host and port of an address to listen on; 0 is any free port.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare != "localhost" and (ipaddress.ip_address(bare).version == 6) != (bare != host):
        raise ValueError(text)
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(text)
    return bare, int(port)


def parse_endpoint(value: object) -> str:
    """Take `http://host[:port]` or `https://host[:port]`, without a path; a trailing slash is cut."""
    text = parse_name(value)
    if "@" in text:
        raise ValueError("must not hold a user name or a password")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
        # lower case: those who ask for "http://" must not overlook "HTTP://"
        address = f"{parts.scheme.lower()}://{parts.netloc}"
    except ValueError:
        host, address = None, ""
    # `urlsplit` drops blanks and line ends silently: what it understood has to be what was written
    same = address.lower() == text.rstrip("/").lower() and address.isprintable() and " " not in address
    if not host or not same or not address.startswith(("http://", "https://")):
        raise ValueError(f'must look like "https://host" or "http://127.0.0.1:8686", not {value!r}')
    return address


@dataclass(frozen=True, slots=True)
class Choice:
    """A parser that takes one of some strings."""

    allowed: tuple[str, ...]

    def __call__(self, value: object) -> str:
        """Take one of them."""
        expected = "one of " + ", ".join(f'"{item}"' for item in self.allowed)
        _require(value, str, expected)
        if value not in self.allowed:
            raise ValueError(f"must be {expected}, not {value!r}")
        return str(value)


def choice(*allowed: str) -> Choice:
    """Make a parser that takes one of the given strings."""
    return Choice(allowed)
