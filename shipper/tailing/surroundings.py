"""What lies beside a log: the places where rotation may have put its content, listed once for many questions."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from shipper.tailing.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.events import Node
    from shipper.tailing.discovery import Found
    from shipper.tailing.files import Files

_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
# a number, a date, a time with its zone
_STAMP = rf"\d(?:[\d.\-_:+TZ]|{_MONTH})*"
_PACKED = r"\.(?:gz|bz2|xz|zst)"
# app-20261123.log, app.1.log, and either of them compressed
_INFIX = re.compile(rf"(.+?)[.\-_@]{_STAMP}(\.[A-Za-z]\w*)(?:{_PACKED})?", re.DOTALL)
# app.log.3.gz, app.log-20261123, app.log.2026-11-23T10.zst, app.log.old
_SUFFIXES = re.compile(rf"(?:[.\-_@]{_STAMP}|{_PACKED}|[.\-_](?:old|bak|prev)|~)+\Z")


@lru_cache(maxsize=65536)
def log_of(path: str) -> str:
    """Give the path that a file had before rotation gave it its present name, as far as the name tells.

    Only what rotation adds counts, numbers, dates, `.old`, compression: `app.log.debug` is a log of its own.
    """
    directory, name = os.path.split(path)
    if dated := _INFIX.fullmatch(name):
        name = dated[1] + dated[2]
    return os.path.join(directory, _SUFFIXES.sub("", name) or name)


@dataclass(slots=True)
class Neighbours:
    """The files in a log's directory and in its `rotated` places.

    Attributes:
        files: all of them, the newest first.
        by_node: by device and inode.
        unlisted: the directory could not be listed, or changed meanwhile: nobody knows what else is there.
    """

    files: list[Found]
    by_node: dict[Node, Found]
    unlisted: bool
    _by_log: dict[str, list[Found]] = field(default_factory=dict)

    def generations(self, log: str) -> list[Found]:
        """Give the other generations of a log by their names, the newest first.

        `app.log` has `app.log.1`, `app.log-20261123.gz`, and with a date or number before the extension
        `app-20261123.log`; in the `rotated` places the same names count.
        """
        if not self._by_log:
            for file in self.files:
                self._by_log.setdefault(os.path.basename(log_of(file.path)), []).append(file)
        return [file for file in self._by_log.get(os.path.basename(log), ()) if file.path != log]


class Surroundings:
    """The neighbours of logs, each place listed once between two calls of `forget`."""

    def __init__(self, own: frozenset[str], files: Files) -> None:
        """`own`: directories of the agent, never looked into."""
        self._own = own
        self._files = files
        self._known: dict[tuple[str, tuple[str, ...]], Neighbours] = {}

    def forget(self) -> None:
        """List everything anew when it is asked for next."""
        self._known.clear()

    def of(self, path: str, rotated: Sequence[str]) -> Neighbours:
        """Give the neighbours of a file.

        Args:
            path: the file's.
            rotated: further globs, absolute or relative to the file's directory, which is always searched.
        """
        directory, name = os.path.split(path)
        beside = glob.escape(directory)
        # a hidden log has hidden generations, which * does not match
        globs = [f"{beside}/*", f"{beside}/.*"] if name.startswith(".") else [f"{beside}/*"]
        key = directory, (*globs, *rotated)
        if key not in self._known:
            globs += [os.path.join(beside, place) for place in rotated]
            seen = discover(globs, (), self._own, self._files)
            found = sorted(seen.files.values(), key=lambda file: -file.modified)
            by_node = {file.identity.node: file for file in reversed(found)}
            self._known[key] = Neighbours(found, by_node, directory in seen.skipped or bool(seen.moving))
        return self._known[key]
