"""The second transport: RPC `PutCustomEvent`, for hosts whose role's token the upload refuses.

Source: API reference, sections 8.1, 8.4 and 10.5. Signed with V3. Parameters travel in the query, as the official
clients send them, as long as the target keeps a length that every gateway takes; beyond that as a form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shipper.cloudmonitor import rpc_signing
from shipper.cloudmonitor.batching import MAX_BYTES, Limits
from shipper.cloudmonitor.client import USER_AGENT, Client
from shipper.cloudmonitor.rpc_auth import RpcSignature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.cloudmonitor.verdict import Answer

ACTION = "PutCustomEvent"
VERSION = "2019-01-01"
MAX_EVENTS = 50
"""Events of one call (section 8.1)."""
MAX_QUERY = 6000
"""Characters; common gateways take 8 KB for the whole request line."""
_FIELDS = (("name", "EventName"), ("content", "Content"), ("groupId", "GroupId"), ("time", "Time"))


def parameters(payloads: Sequence[bytes]) -> dict[str, str]:
    """Give the call's parameters for encoded events (see `batching.encode`)."""
    found: dict[str, str] = {}
    for number, payload in enumerate(payloads, 1):
        found |= {f"EventInfo.{number}.{name}": value for name, value in _fields(payload).items()}
    return found


def _fields(payload: bytes) -> dict[str, str]:
    """Give an event's parameters; of what a damaged store left of one too few, so that the service refuses it."""
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        event = {"content": payload.decode("utf-8", "replace")}
    return {parameter: str(event[field]) for field, parameter in _FIELDS if field in event}


def _size(payload: bytes) -> int:
    # the form of two has an & between them, as the JSON of two has a comma
    return len(rpc_signing.form(parameters([payload]))) + len(_FIELDS)


class OpenApiClient(Client):
    """As `Client`, with its arguments, for an endpoint of the RPC API such as `https://metrics.cn-hangzhou.aliyuncs.com`."""

    limits = Limits(MAX_EVENTS, MAX_BYTES, _size)

    def deliver(self, payloads: Sequence[bytes]) -> Answer:
        """Report encoded events in one call, signed now, once; see `Client.deliver`."""
        form = rpc_signing.form(parameters(payloads))
        signed = RpcSignature(self.credentials(), ACTION, VERSION, self._channel.clock(), USER_AGENT)
        if len(form) <= MAX_QUERY:
            return self._channel.post(f"/?{form}", b"", signed)
        return self._channel.post("/", form.encode(), signed)
