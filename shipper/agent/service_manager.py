"""Tells the service manager how the agent is, as systemd's `sd_notify(3)` describes it: a datagram to `$NOTIFY_SOCKET`.

Where nobody wants to know, nothing is sent. The watchdog is fed as long as the loops make progress, not as long as the
process lives: an agent that stands still is restarted.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_STATUS = 200


class ServiceManager:
    """The one that started this process, if it wants to be told."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Look who wants to be told.

        Args:
            environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked at.
        """
        address = environment.get("NOTIFY_SOCKET", "")
        # a name that begins with @ is abstract
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._feed_every = _watchdog_seconds(environment) / 2
        self._fed_at = float("-inf")
        self._status = ""

    def ready(self) -> None:
        """Say that the start, or a reload, is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def tell(self, status: str, *, makes_progress: bool) -> None:
        """Say in a line how it is, and feed the watchdog; to be called often.

        Args:
            status: for people.
            makes_progress: False lets the watchdog bite.
        """
        if status != self._status:
            self._status = status
            self._send(f"STATUS={' '.join(status.split())[:_LONGEST_STATUS]}")
        now = time.monotonic()
        if makes_progress and self._feed_every and now - self._fed_at >= self._feed_every:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            # it went away, or is too busy: the agent's work does not depend on it
            return


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Give how often the watchdog wants to be fed at least; 0 for never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isascii() and text.isdigit() else 0.0
