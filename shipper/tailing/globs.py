"""Path patterns as operators write them: `*` and `?` stay within a name, `**` spans directories, `[...]` is a set.

A name that begins with a dot is matched only by a pattern that says the dot, as in a shell. Pure.
"""

from __future__ import annotations

import fnmatch
import functools
import re

_MAGIC = re.compile(r"[*?\[]")


def has_magic(part: str) -> bool:
    """Tell whether a part of a pattern is more than a plain name."""
    return _MAGIC.search(part) is not None


@functools.cache
def name_pattern(part: str) -> re.Pattern[str]:
    """Compile the pattern of one name (no slash)."""
    hidden = "" if part.startswith(".") else r"(?!\.)"
    return re.compile(hidden + fnmatch.translate(part))


@functools.cache
def path_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a whole-path pattern, such as an `exclude`; it also matches all that lies below what it matches."""
    parts = pattern.split("/")
    regex = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            regex += ".*" if last else "(?:[^/]*/)*"
        else:
            # fnmatch's translation lets * cross slashes: give it one name at a time and forbid the slash
            regex += _translate_name(part) + ("" if last else "/")
    return re.compile(regex + r"(?:/.*)?", re.DOTALL)


def _translate_name(part: str) -> str:
    regex, at = "", 0
    while at < len(part):
        here = part[at]
        at += 1
        if here == "*":
            regex += "[^/]*"
        elif here == "?":
            regex += "[^/]"
        elif here == "[" and (end := part.find("]", at + 1 + (part[at : at + 1] == "!"))) > 0:
            inner = part[at:end].replace("\\", "\\\\")
            regex += "[" + ("^" + inner[1:] if inner.startswith("!") else inner) + "]"
            at = end + 1
        else:
            regex += re.escape(here)
    return regex


def excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path, or a directory above it, is excluded. A pattern without a slash judges names alone."""
    name = path.rsplit("/", 1)[-1]
    return any(path_pattern(p).fullmatch(path) if "/" in p else fnmatch.fnmatchcase(name, p) for p in patterns)
