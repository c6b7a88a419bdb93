"""Which generation of a log came directly after which, where that is certain (hazard 4.1).

A file that begins at 0 came after the newest of those that had its name before or are named after it, when that one is
followed, and no other generation beside the log is as new. Times decide, not the order in which files were found.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

from shipper.tailing.formats import assembler_of
from shipper.tailing.sequels import join, successors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.tailing.followed import Followed
    from shipper.tailing.register import Register
    from shipper.tailing.surroundings import Surroundings

_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")


class Succession:
    """Joins the files that a scan or a search began to the ones they came after."""

    def __init__(self, register: Register, surroundings: Surroundings) -> None:
        """Share what is known of the files."""
        self._register = register
        self._surroundings = surroundings
        self._begun: list[Followed] = []

    def begun(self, followed: Followed) -> None:
        """Note that reading of a file begins, perhaps at 0."""
        self._begun.append(followed)

    def settle(self) -> None:
        """Look for the predecessors of the files that were begun since the last call; nothing was read of them yet."""
        # where each line is a record none of them goes on in another file
        begun = [new for new in self._begun if not new.tailer.offset and assembler_of(new.source) is not None]
        self._begun.clear()
        if not begun:
            return
        by_path: dict[str, list[Followed]] = {}
        for followed in self._register.open.values():
            by_path.setdefault(followed.path, []).append(followed)
        for new in begun:
            if self._register.open.get(new.node) is not new or new.held:
                continue
            try:
                old = self._before(new, by_path[new.path])
            except OSError:
                # a file that cannot be looked at: its reader tells, and nothing is certain
                continue
            if old is not None:
                join(old, new)

    def _before(self, new: Followed, same_path: Sequence[Followed]) -> Followed | None:
        """Give the file that came directly before another.

        Args:
            new: the file.
            same_path: the open files that have its path, or had it when their name was known last.

        Raises:
            OSError: one of those in question cannot be looked at.
        """
        neighbours = self._surroundings.of(new.path, new.source.rotated)
        if neighbours.unlisted:
            return None
        generations = neighbours.generations(new.path)
        named = {file.identity.node: file.path for file in generations}
        is_open = self._register.open
        renamed = [is_open[n] for n, name in named.items() if n in is_open and _was_log(is_open[n], name, new.path)]
        later = {new, *successors(new)}
        times = {
            followed: followed.tailer.file.status().st_mtime_ns
            for followed in (*same_path, *renamed)
            if followed not in later and not followed.held
        }
        if not times:
            return None
        last, newest = max(times.items(), key=lambda item: item[1])
        status = new.tailer.file.status()
        if status.st_size and newest > status.st_mtime_ns:
            # what is in it already was not written after the other's end
            return None
        if any((followed.gone_at or 0.0) > (last.gone_at or math.inf) for followed in times):
            # an old process writes on into what was the log before the last one
            return None
        path = named.get(last.node)
        # without a name it may have become an archive, which has its time
        bound = newest + 1 if path is None else newest
        unknown = any(
            file.modified >= bound
            for file in generations
            if file.identity.node not in {new.node, last.node} and not (path and file.path.startswith(f"{path}."))
        )
        return None if unknown else last


def _was_log(followed: Followed, name: str, log: str) -> bool:
    """Tell whether a file that is named after a log was that log.

    One inside the globs may be the log of another process, `app-1.log` beside `app.log`: what is behind the whole name,
    or a date in it, tells that it is not.
    """
    if followed.gone_at is not None or _DATE.search(os.path.basename(name)):
        return True
    return os.path.basename(name).startswith(os.path.basename(log))
