"""Events that are older than is wanted: sent with the present time, saying so (spec, `max_event_age`). Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from shipper.cloudmonitor.batching import encode_bounded
from shipper.events import wire_time

if TYPE_CHECKING:
    from datetime import timedelta


def redated(payload: bytes, now: datetime, max_age: timedelta) -> bytes | None:
    """Give an encoded event with the present time if it is older than `max_age`; None for one that is not.

    Its own time stands at the beginning of the content, where cutting a long one leaves it.

    Args:
        payload: as `batching.encode` made it.
        now: the present, aware.
        max_age: how old an event may be.
    """
    try:
        event = orjson.loads(payload)
        moment = datetime.strptime(event["time"], "%Y%m%dT%H%M%S.%f%z")
    except (ValueError, KeyError, TypeError):
        # what a damaged store left of one is for the service to refuse
        return None
    if now - moment <= max_age:
        return None
    content = f"[of {moment.isoformat(timespec='milliseconds')}, sent late] {event['content']}"
    return encode_bounded(event["name"], content, event["groupId"], wire_time(now))
