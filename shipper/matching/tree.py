"""The parse tree of a pattern, as the installed `regex` makes it before it optimises. Pure.

The tree is private to that package: whoever reads it takes only the kinds of nodes that are known, and is ready for
`UNKNOWN` where the rest is not what it was.
"""

from __future__ import annotations

from typing import Any, Final

from regex import _regex_core as core

UNKNOWN: Final = (AttributeError, TypeError, KeyError, ValueError, IndexError, RecursionError)
"""What reading a tree raises that is not the one that this package knows."""

_NEEDED = (
    "Source", "Info", "_parse_pattern", "_UnscopedFlagSet", "UNICODE", "IGNORECASE", "REVERSE", "LOCALE", "VERBOSE",
    "error",
)  # fmt: skip


def parse(pattern: str) -> Any:
    """Give the tree of a pattern; None where its literals do not stand for themselves. May raise `UNKNOWN`."""
    if not all(hasattr(core, name) for name in _NEEDED):
        return None
    flags = 0
    while True:
        source = core.Source(pattern)
        info = core.Info(flags, source.char_type, {})
        info.guess_encoding = core.UNICODE
        source.ignore_space = bool(info.flags & core.VERBOSE)
        try:
            tree = core._parse_pattern(source, info)  # noqa: SLF001  see above
        except core._UnscopedFlagSet:  # noqa: SLF001  a flag in the middle is one for all: read again with it
            if flags == info.global_flags:
                return None
            flags = info.global_flags
            continue
        except core.error:
            return None
        return None if info.flags & (core.REVERSE | core.LOCALE) or not source.at_end() else tree
