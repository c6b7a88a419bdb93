"""The send slots of one host, shared by its agent and a backfill that runs beside it (spec, section 6).

A small file in the state directory, under `flock`: when the last request of either went, who waits for a slot, and the
rate that was last found. The agent's events go first; a backfill that waits gets at least one slot in ten. Times are
those of the kernel's monotonic clock, which all processes of a host share.
"""

from __future__ import annotations

import enum
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from shipper import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "send-slots.json"
TURN = 10
"""One slot of so many is the backfill's."""
CLAIM_SECONDS = 2.0
"""Who does not ask again for so long waits no more: it may have died."""
LOOK_SECONDS = 0.05
_LONGEST = 4096


class Party(enum.Enum):
    """Who sends."""

    AGENT = "agent"
    BACKFILL = "backfill"

    @property
    def other(self) -> Party:
        """The other one."""
        return Party.BACKFILL if self is Party.AGENT else Party.AGENT


class SendSlots:
    """One party's side of the file; belongs to its uploader's thread."""

    def __init__(self, directory: Path, party: Party) -> None:
        """Prepare; the file is made when it is needed.

        Args:
            directory: the state directory.
            party: whose side it is.
        """
        self._path = directory / FILE
        self._party = party
        self._failing = False
        self._rate_at = 0.0

    def claim(self, now: float, interval: float, *, more: bool) -> float:
        """Take a slot, or tell how many seconds to wait before asking again; 0 when the slot is taken.

        Args:
            now: the monotonic clock.
            interval: seconds between two requests of this host.
            more: whether there is more to send after this request.
        """
        wait = 0.0
        with self._state() as state:
            if state is None:
                # each for itself: the service keeps the quota
                return 0.0
            state[self._party.value] = now
            other_waits = _is_recent(state.get(self._party.other.value), now, CLAIM_SECONDS)
            since = state.get("since", 0)
            since = since if isinstance(since, int) else 0
            is_theirs = (since >= TURN - 1) == (self._party is Party.AGENT)
            last = state.get("last")
            if other_waits and is_theirs:
                wait = LOOK_SECONDS
            elif other_waits and isinstance(last, float) and _is_recent(last, now, interval):
                wait = min(last + interval - now, CLAIM_SECONDS / 2)
            else:
                state["last"] = now
                state["since"] = 0 if self._party is Party.BACKFILL else min(since + 1, TURN)
                if not more:
                    del state[self._party.value]
        return wait

    def found(self, now: float, rate: float) -> None:
        """Note the rate that an answer led to."""
        with self._state() as state:
            if state is not None:
                self._rate_at = state["rate_at"] = now
                state["rate"] = rate
                state["rate_of"] = self._party.value

    def other_rate(self, now: float) -> float | None:
        """Give the rate that the other one found since this one last looked or noted one; None when it did not."""
        with self._state() as state:
            if state is None or state.get("rate_of") != self._party.other.value:
                return None
            at, rate = state.get("rate_at"), state.get("rate")
        if not (isinstance(at, float) and isinstance(rate, float) and self._rate_at < at <= now and rate > 0):
            return None
        self._rate_at = at
        return rate

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any] | None]:
        """Read the file, and write it when it was changed; None when it cannot be used, which is told once."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._fail(error)
            yield None
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = os.pread(descriptor, _LONGEST, 0)
            state = _read(before)
            yield state
            after = orjson.dumps(state)
            if after != before:
                os.pwrite(descriptor, after, 0)
                os.ftruncate(descriptor, len(after))
            self._failing = False
        except OSError as error:
            self._fail(error)
        finally:
            os.close(descriptor)

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            telemetry.send_slots_unavailable(str(self._path), error.strerror or str(error))
        self._failing = True


def _read(content: bytes) -> dict[str, Any]:
    """Read the file; one that somebody spoilt is begun anew."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_recent(moment: object, now: float, seconds: float) -> bool:
    """Tell whether something was less than so many seconds ago; a moment to come is of before the last boot."""
    return isinstance(moment, float) and 0 <= now - moment < seconds
