"""How many connections there are, and which of them gives way to one that comes: probes must find a place."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

MANY = 16
"""With more of them, the one that has been silent for the longest gives way, once that is a second."""
ALL = 4 * MANY
"""With so many it gives way at once, and without any silent one new ones are closed."""
SILENCE = 1.0
"""Seconds that a connection has to ask, however many there are: its thread may not have had its turn yet."""


class Connections:
    """Any thread may tell of one."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._count = 0
        # those that have not asked yet, and since when; the longest silent first
        self._silent: dict[socket.socket, float] = {}

    def take(self, connection: socket.socket) -> bool:
        """Note one that comes, perhaps in the place of another; False when there is none for it."""
        now = time.monotonic()
        with self._lock:
            is_full = self._count >= ALL
            longest, since = next(iter(self._silent.items()), (None, now))
            if longest is not None and self._count >= MANY and (is_full or now - since >= SILENCE):
                del self._silent[longest]
                # it may have gone by itself
                with suppress(OSError):
                    longest.shutdown(socket.SHUT_RDWR)
            elif is_full:
                return False
            self._count += 1
            self._silent[connection] = now
        return True

    def heard(self, connection: socket.socket) -> None:
        """Note that one has asked."""
        with self._lock:
            self._silent.pop(connection, None)

    def gone(self, connection: socket.socket) -> None:
        """Note that one has ended."""
        with self._lock:
            self._silent.pop(connection, None)
            self._count -= 1
