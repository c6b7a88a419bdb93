r"""Path patterns as operators write them. Pure.

- `*` and `?` stay within a name; `[a-z]` is a set, `[!a-z]` and `[^a-z]` its opposite; a `]` right after the opening is
  meant itself. There is no escape character: `[*]` means a star.
- `**`, alone between slashes, is any number of directories, none included; at the end it is every file below.
- Upper and lower case differ. A name that begins with a dot is found only by a pattern that says the dot, as in a
  shell; an `exclude` holds for such names, too.

Differences from `fnmatch`: `[^` negates, as in shells and in Go, and nothing in a name's pattern ever means a slash.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

ANY_DEPTH: Final = "**"
_MAGIC = re.compile(r"[*?\[]")
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of paths, taken apart.

    Attributes:
        fixed: the directory that is named outright, before the first wildcard.
        parts: what is looked for below it, name by name: at least one, and the last is never `**`.
    """

    fixed: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excludes:
    """The `exclude` patterns of a source, compiled.

    Attributes:
        names: judges a name; None when no pattern is without a slash.
        paths: judges a whole path; None when no pattern has a slash.
    """

    names: re.Pattern[str] | None
    paths: re.Pattern[str] | None

    def covers_path(self, path: str) -> bool:
        """Tell whether a path, or a directory above it, is excluded by a pattern with a slash."""
        return self.paths is not None and self.paths.fullmatch(path) is not None

    def covers(self, path: str) -> bool:
        """Tell whether a path is excluded, by whatever pattern."""
        if self.names is not None and self.names.fullmatch(path.rsplit("/", 1)[-1]) is not None:
            return True
        return self.covers_path(path)


def has_magic(part: str) -> bool:
    """Tell whether a part of a pattern is more than a plain name."""
    return _MAGIC.search(part) is not None


def literal(path: str) -> str:
    """Give the pattern that means exactly this path, whatever characters its names hold."""
    return _MAGIC.sub(lambda found: f"[{found[0]}]", path)


@functools.lru_cache(_KEPT)
def glob_of(pattern: str) -> Glob:
    """Take an absolute pattern apart."""
    parts = _parts(pattern)
    if not parts or parts[-1] == ANY_DEPTH:
        parts.append("*")
    magic = next((number for number, part in enumerate(parts) if has_magic(part)), len(parts) - 1)
    return Glob("/" + "/".join(parts[:magic]), tuple(parts[magic:]))


@functools.lru_cache(_KEPT)
def name_pattern(part: str) -> re.Pattern[str]:
    """Compile the pattern of one name (no slash), to be asked with `match` or `fullmatch`."""
    hidden = "" if part.startswith(".") else r"(?!\.)"
    return re.compile(f"{hidden}{_name_regex(part)}\\Z")


@functools.lru_cache(_KEPT)
def path_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of absolute paths, to be asked with `fullmatch`.

    It also matches all that lies below what it matches. A pattern that does not begin at the root begins at any depth.
    """
    return re.compile(_path_regex(pattern))


@functools.lru_cache(_KEPT)
def excludes(patterns: tuple[str, ...]) -> Excludes:
    """Compile the excludes of a source: a pattern without a slash judges names alone."""
    names = [_name_regex(pattern) for pattern in patterns if "/" not in pattern]
    paths = [_path_regex(pattern) for pattern in patterns if "/" in pattern]
    return Excludes(_any_of(names), _any_of(paths))


def excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path is excluded.

    A pattern with a slash also covers what lies below what it matches; one without judges the path's last name (a
    directory that it matches is not entered by discovery in the first place).
    """
    return excludes(patterns).covers(path)


def _any_of(regexes: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{regex})" for regex in regexes)) if regexes else None


def _parts(pattern: str) -> list[str]:
    """Split at slashes; neighbouring `**` say no more than one, and would only be tried in more ways."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if part and not (part == ANY_DEPTH and parts and parts[-1] == ANY_DEPTH):
            parts.append(part)
    return parts


def _path_regex(pattern: str) -> str:
    parts = _parts(pattern)
    if not pattern.startswith("/") and parts and parts[0] != ANY_DEPTH:
        parts.insert(0, ANY_DEPTH)
    regex = ""
    for part in parts:
        regex += r"(?:/[^/]+)*" if part == ANY_DEPTH else f"/{_name_regex(part)}"
    below = r"(?:/[\s\S]*)?"
    # all below a directory is not the directory itself
    return regex + ("/[^/]+" if parts and parts[-1] == ANY_DEPTH else "") + below


def _name_regex(part: str) -> str:
    """Translate the pattern of one name; like `fnmatch`, each star but the last takes the nearest that fits."""
    pieces = [""]
    at = 0
    while at < len(part):
        here = part[at]
        at += 1
        if here == "*":
            if len(pieces) == 1 or pieces[-1]:
                pieces.append("")
        elif here == "?":
            pieces[-1] += "[^/]"
        elif here == "[" and (end := _end_of_set(part, at)) > 0:
            pieces[-1] += _set_regex(part[at:end])
            at = end + 1
        else:
            pieces[-1] += re.escape(here)
    first, *others = pieces
    if not others:
        return first
    # atomic groups: a hostile name cannot make several stars try each other's choices
    return first + "".join(f"(?>[^/]*?{piece})" for piece in others[:-1]) + f"[^/]*{others[-1]}"


def _end_of_set(part: str, start: int) -> int:
    """Find the bracket that closes a set; the first character after the opening is never the one. -1: there is none."""
    first = start + (part[start : start + 1] in {"!", "^"})
    return part.find("]", first + 1)


def _set_regex(inner: str) -> str:
    negated = inner[0] in "!^"
    inner = inner[negated:]
    members, at = "", 0
    while at < len(inner):
        low = high = inner[at]
        if at + 2 < len(inner) and inner[at + 1] == "-":
            high = inner[at + 2]
            at += 2
        at += 1
        # a range that runs backwards has no members
        if low <= high:
            members += re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
    if negated:
        return f"[^/{members}]"
    return f"(?!/)[{members}]" if members else r"(?!)"
