"""An event as people and programs are shown it, with the keys that are uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from shipper.events import wire_time
from shipper.printable import encodable, printable_path

if TYPE_CHECKING:
    from shipper.events import Event


def uploaded(event: Event) -> dict[str, Any]:
    """Give what of an event goes to the service, as it is sent: JSON holds no half characters."""
    return {
        "name": encodable(event.name),
        "content": encodable(event.content),
        "groupId": event.group_id,
        "time": wire_time(event.time),
    }


def facts(event: Event) -> dict[str, Any]:
    """Give what goes to the service, and in `meta` where it comes from."""
    meta: dict[str, Any] = {
        "rule": event.rule,
        "path": printable_path(event.path),
        "line_number": event.line_number,
        "offset": event.offset,
        "id": event.id,
    }
    if event.shadow:
        meta["shadow"] = True
    return uploaded(event) | {"meta": meta}


def shown(event: Event) -> bytes:
    """Give an event as one line of JSON, see `facts`."""
    return orjson.dumps(facts(event), option=orjson.OPT_APPEND_NEWLINE)
