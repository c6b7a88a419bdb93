"""An event for programs, with the keys that are uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shipper.events import wire_time

if TYPE_CHECKING:
    from shipper.events import Event


def uploaded(event: Event) -> dict[str, Any]:
    """Give what of an event goes to the service."""
    return {
        "name": event.name,
        "content": event.content,
        "groupId": event.group_id,
        "time": wire_time(event.time),
    }
