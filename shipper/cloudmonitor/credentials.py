"""Keys, and sources of them: lasting ones, and temporary ones that are renewed before they expire."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RENEW_BEFORE = 900.0
"""Seconds before its end at which a key is renewed, a quarter of its life at most (API reference, section 10.3)."""
RENEW_AT_MOST_EVERY = 60.0
UNKNOWN_LIFE = 900.0


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Keys of an account, a RAM user, or (with a token) of a role. Shows nothing of them by itself.

    Attributes:
        access_key_id: names the key.
        access_key_secret: signs.
        security_token: the STS token that belongs to a temporary key; empty for a lasting one.

    Raises:
        ValueError: one of them is empty or holds what no key holds (blanks, line ends, characters beyond ASCII).
    """

    access_key_id: str
    access_key_secret: str
    security_token: str = ""

    def __post_init__(self) -> None:
        for name in ("access_key_id", "access_key_secret", "security_token"):
            value = getattr(self, name)
            if not value and name != "security_token":
                raise ValueError(f"{name} is empty")
            if not all("!" <= character <= "~" for character in value):
                raise ValueError(f"{name} holds a blank or a character that no key has; was it pasted whole?")

    def __repr__(self) -> str:
        return "Credentials(***)"


def credentials_of(where: str, key_id: str, secret: str, token: str = "") -> Credentials:
    """Make credentials of texts that may carry the blanks of a paste (API reference, section 15, number 8).

    Raises:
        CredentialsError: they are no keys; begins with `where`.
    """
    try:
        return Credentials(key_id.strip(), secret.strip(), token.strip())
    except ValueError as error:
        raise CredentialsError(f"{where}: {error}") from None


class Source(Protocol):
    """Gives credentials whenever it is called; raises `CredentialsError` when it has none for now.

    Attributes:
        where: what it takes them from, for people.
        files: that hold a secret.
    """

    @property
    def where(self) -> str:
        """What it takes them from, for people."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that hold a secret."""

    def __call__(self) -> Credentials:
        """Give credentials that are valid now."""

    def renew(self) -> bool:
        """Have the next call fetch new ones, for the service refused these; False when there can be no others."""


@dataclass(frozen=True, slots=True, repr=False)
class Lasting:
    """Keys that stay as they are."""

    where: str
    credentials: Credentials
    files: tuple[Path, ...] = ()

    def __call__(self) -> Credentials:
        """Give them."""
        return self.credentials

    def renew(self) -> bool:
        """There are no others."""
        return False


@dataclass(frozen=True, slots=True, repr=False)
class Lease:
    """Temporary keys.

    Attributes:
        credentials: the keys.
        expires: when they end, in seconds since the epoch; None when that is not said.
    """

    credentials: Credentials
    expires: float | None


class Temporary:
    """Keys that expire; safe for several threads. Old ones that are still valid serve while new ones cannot be had."""

    def __init__(
        self,
        where: str,
        fetch: Callable[[], Lease],
        files: tuple[Path, ...] = (),
        *,
        lease: Lease | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is fetched before the first call.

        Args:
            where: what they are taken from, for people.
            fetch: gets new ones; raises `CredentialsError`.
            files: that hold a secret.
            lease: what was fetched already.
            clock: gives the epoch time in seconds.
        """
        self.where = where
        self.files = files
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._refused = self._failing = False
        self._lease: Lease | None = None
        self._renew_at = self._ends_at = self._tried_at = 0.0
        if lease is not None:
            self._take(lease)

    def __call__(self) -> Credentials:
        """Give credentials that are valid now, fetched if need be.

        Raises:
            CredentialsError: there are none, and new ones cannot be had.
        """
        with self._lock:
            lease, now = self._lease, self._clock()
            if lease is not None and not self._refused:
                # a clock set back must not keep it from trying
                rested = not 0 <= now - self._tried_at < RENEW_AT_MOST_EVERY
                # where a host's clock is wrong, new ones may seem to have ended
                usable = now < self._ends_at or not self._failing
                if now < self._renew_at or (usable and not rested):
                    return lease.credentials
            self._tried_at, self._refused = now, False
            try:
                lease = self._fetch()
            except CredentialsError:
                self._failing = True
                if lease is None or now >= self._ends_at:
                    raise
            else:
                self._take(lease)
            return lease.credentials

    def renew(self) -> bool:
        """Have the next call fetch new ones; False when that was just done."""
        with self._lock:
            if 0 <= self._clock() - self._tried_at < RENEW_AT_MOST_EVERY:
                return False
            self._refused = True
            return True

    def _take(self, lease: Lease) -> None:
        now = self._clock()
        self._lease, self._failing = lease, False
        self._ends_at = now + UNKNOWN_LIFE if lease.expires is None else lease.expires
        self._renew_at = self._ends_at - min(RENEW_BEFORE, max(0.0, self._ends_at - now) / 4)
        self._tried_at = now
