"""The order in which the generations of a rotated log were written, as their names tell it. Pure."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)\Z")
_NUMBER = re.compile(r"[.\-_@](\d{1,4})")
_OLD = re.compile(r"[.\-_](?:old|bak|prev)|~")
_PARTS = re.compile(r"\d+|[a-z]+", re.IGNORECASE)
_FIRST_YEAR = 1970

Rank = tuple[str, tuple[int, ...]]


def in_order(paths: Sequence[str]) -> list[str] | None:
    """Give the generations of one log, the oldest first; None where their names do not tell.

    `app.log.3.gz app.log.2.gz app.log.1 app.log`, `app.log-20261122 app.log-20261123 app.log`. A number within the
    name, as in `app.1.log`, does not tell: for some programs the first is the oldest, for others the last.
    """
    ranks = {path: _rank(path) for path in paths}
    kinds = {rank[0] for rank in ranks.values() if rank is not None}
    shapes = {len(rank[1]) for rank in ranks.values() if rank is not None and rank[0] == "date"}
    order = {path: (rank[0] == "log", rank[1], path) for path, rank in ranks.items() if rank is not None}
    if len(order) < len(paths) or len(kinds - {"log"}) > 1 or len(shapes) > 1:
        return None
    return sorted(paths, key=order.__getitem__)


def _rank(path: str) -> Rank | None:
    log = os.path.basename(log_of(path))
    name = _PACKED.sub("", os.path.basename(path))
    if name == log:
        return "log", ()
    behind = name.startswith(log)
    stem, extension = os.path.splitext(log)
    stamp = name[len(log) :] if behind else name[len(stem) : len(name) - len(extension)]
    if behind and (number := _NUMBER.fullmatch(stamp)):
        return "number", (-int(number[1]),)
    if behind and _OLD.fullmatch(stamp):
        return "number", (0,)
    parts = [_value(part) for part in _PARTS.findall(stamp)]
    # a day or a month first would sort wrongly
    if not parts or parts[0] < _FIRST_YEAR:
        return None
    return "date", tuple(parts)


def _value(part: str) -> int:
    if part.isdigit():
        return int(part)
    month = part[:3].lower()
    return _MONTHS.index(month) + 1 if month in _MONTHS else 0
