"""Which paths that a source names are not read, and why: as values, so that nobody has to look at the words."""

from __future__ import annotations

import enum
import errno
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from shipper import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Why(enum.Enum):
    """Of which kind a reason is.

    Attributes:
        REFUSED: it, or a directory above it, may not be read by the agent's user: a person has to allow it.
        FAILING: it could not be listed, looked at, opened or read just then; it is tried again (hazard 2.4).
        UNDECIDED: it is about to be read, or to be known as something else.
        OTHER: it is of a kind that is not read, or the rules for links, depth and number leave it out.
    """

    REFUSED = "refused"
    FAILING = "failing"
    UNDECIDED = "undecided"
    OTHER = "other"


_KINDS: Final = MappingProxyType(
    {
        errno.EACCES: Why.REFUSED,
        errno.EPERM: Why.REFUSED,
        errno.ENOENT: Why.UNDECIDED,
        errno.ENOTDIR: Why.UNDECIDED,
        errno.ELOOP: Why.OTHER,
        errno.ENAMETOOLONG: Why.OTHER,
    }
)


def why(number: int | None) -> Why:
    """Give the kind of a system's error; `OTHER` without a number, for then it is our own rule that refuses."""
    return Why.OTHER if number is None else _KINDS.get(number, Why.FAILING)


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a path is not read.

    Attributes:
        reason: for people; a sentence without its full stop.
        why: its kind.
    """

    reason: str
    why: Why = Why.OTHER


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What of a source may not be read, as its last scan saw it.

    Attributes:
        source: its name.
        path: the first of the files, and of the directories into which it may not look, by name.
        more: how many others there are.
        reason: why the first one may not be read, and what to do.
        is_all: of the source nothing at all can be read.
        since: when that began, in seconds since the epoch.
    """

    source: str
    path: str
    more: int
    reason: str
    is_all: bool
    since: float


class Skipped:
    """What the last scan of each source left out. It belongs to one thread; `unreadable` may be read by any.

    Attributes:
        by_source: by source name and path.
        unreadable: what may not be read, by source name; never changed, only exchanged.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        """Begin with nothing; `wall` gives seconds since the epoch."""
        self.by_source: dict[str, dict[str, Skip]] = {}
        self.unreadable: Mapping[str, Unreadable] = {}
        self._wall = wall

    def note(self, source: str, skipped: dict[str, Skip], *, is_any_read: bool) -> None:
        """Take what a scan left out, and tell each new reason.

        Args:
            source: whose scan it was.
            skipped: by path.
            is_any_read: whether some file of the source is read, or will be.
        """
        before = self.by_source.get(source, {})
        news = [(path, skip.reason) for path, skip in skipped.items() if before.get(path) != skip]
        for number, (path, reason) in enumerate(news):
            telemetry.file_skipped(path, source, reason, quietly=number >= telemetry.FEW)
        if len(news) > telemetry.FEW:
            telemetry.more_files_skipped(source, len(news) - telemetry.FEW)
        self.by_source[source] = skipped
        self._exchange(source, self._unreadable(source, skipped, is_any_read=is_any_read))

    def forget(self, source: str) -> None:
        """Let go of a source that is no more, or another one now."""
        self.by_source.pop(source, None)
        self._exchange(source, None)

    def _unreadable(self, source: str, skipped: dict[str, Skip], *, is_any_read: bool) -> Unreadable | None:
        refused = sorted(path for path, skip in skipped.items() if skip.why is Why.REFUSED)
        if not refused:
            return None
        before = self.unreadable.get(source)
        is_all = not (is_any_read or any(skip.why is Why.UNDECIDED for skip in skipped.values()))
        since = before.since if before is not None and before.is_all == is_all else self._wall()
        first = refused[0]
        return Unreadable(source, first, len(refused) - 1, skipped[first].reason, is_all, since)

    def _exchange(self, source: str, now: Unreadable | None) -> None:
        if self.unreadable.get(source) == now:
            return
        others = {name: each for name, each in self.unreadable.items() if name != source}
        self.unreadable = others if now is None else {**others, source: now}
