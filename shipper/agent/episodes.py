"""Which changes of trouble are worth a line in the log: what comes and goes is not told a thousand times. Pure."""

from __future__ import annotations

QUIET = 600.0
"""Seconds for which a kind of trouble that was told is only counted when it comes again."""
LASTS = 60.0
"""Seconds after which trouble is told all the same, for it does not pass."""
_MOST_KINDS = 20


class Episodes:
    """Trouble that begins and ends; times are monotonic seconds."""

    def __init__(self) -> None:
        """Begin without any."""
        self._began: float | None = None
        self._told_of_this: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._untold = 0

    def fails(self, kind: str, now: float) -> bool:
        """Note trouble; tells whether it is to be told.

        It is, once for each kind, unless the same came and went a short while ago and this does not last either.
        """
        if self._began is None:
            self._began = now
        if kind in self._told_of_this or len(self._told_of_this) >= _MOST_KINDS:
            return False
        was_told = now - self._told_at.get(kind, float("-inf")) < QUIET
        lasts = not self._told_of_this and now - self._began >= LASTS
        if was_told and not lasts:
            return False
        self._told_of_this.add(kind)
        self._told_at = {each: at for each, at in self._told_at.items() if now - at < QUIET} | {kind: now}
        return True

    def ends(self) -> bool:
        """Note that it works again; tells whether that is to be told, as the trouble was."""
        told = bool(self._told_of_this)
        self._untold += self._began is not None and not told
        self._began = None
        self._told_of_this.clear()
        return told

    def take_untold(self) -> int:
        """Give how often trouble came and went without being told, since the last call."""
        untold, self._untold = self._untold, 0
        return untold
