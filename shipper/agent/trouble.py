"""Something that keeps a loop from its work: what a loop notes for those who ask how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something does not work, and since when.

    Attributes:
        reason: for people; a sentence without its full stop.
        since: when it began, aware.
        needs_person: whether it will not pass by itself (credentials, permission, the account).
    """

    reason: str
    since: datetime
    needs_person: bool = False
