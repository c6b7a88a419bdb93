"""What an agent last told of itself, kept in the state directory for who asks when it does not run any more.

Files, queue, losses and dead letters are in the store; hits and cost of rules, deliveries and reloads are known to the
running agent alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.agent import private_file
from shipper.agent.status_json import from_json, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from shipper.agent.status import Status

NAME = "status.last.json"
EVERY = 60.0
"""Seconds: as much is missing of what a killed agent did."""


class LastTold:
    """Belongs to one agent, and one thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Remember the state directory."""
        self._file = directory / NAME
        self._kept: object = None

    def keep(self, status: Status) -> None:
        """Keep a status, unless nothing has happened since the last one. Raises `OSError`."""
        told = status.rules, status.reload, status.delivery, status.findings
        if told == self._kept:
            return
        private_file.replace(self._file, to_json(status))
        self._kept = told


def read_last_told(directory: Path) -> Status | None:
    """Give what was kept; None when nothing was, or what was kept is of no use."""
    try:
        return from_json((directory / NAME).read_bytes())
    except (OSError, ValueError):
        return None
