"""The second transport: RPC `PutCustomEvent`, for hosts whose role's token the upload refuses.

Source: API reference, sections 8.1, 8.4 and 10.5. Signed with V3. Parameters travel in the query, as the official
clients send them, as long as the target keeps a length that every gateway takes; beyond that as a form.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import orjson
from requests.auth import AuthBase

from shipper.cloudmonitor import rpc_signing
from shipper.cloudmonitor.batching import MAX_BYTES, Limits
from shipper.cloudmonitor.client import USER_AGENT, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests

    from shipper.cloudmonitor.credentials import Credentials
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
        event = orjson.loads(payload)
        found |= {f"EventInfo.{number}.{parameter}": str(event[field]) for field, parameter in _FIELDS}
    return found


def _size(payload: bytes) -> int:
    # the form of two has an & between them, as the JSON of two has a comma
    return len(rpc_signing.form(parameters([payload]))) + len(_FIELDS)


class OpenApiClient(Client):
    """As `Client`, with its arguments, for an endpoint of the RPC API such as `https://metrics.cn-hangzhou.aliyuncs.com`."""

    limits = Limits(MAX_EVENTS, MAX_BYTES, _size)

    def deliver(self, payloads: Sequence[bytes]) -> Answer:
        """Report encoded events in one call, signed now, once; see `Client.deliver`."""
        form = rpc_signing.form(parameters(payloads))
        signed = _Signature(self._credentials(), self._channel.clock())
        if len(form) <= MAX_QUERY:
            return self._channel.post(f"/?{form}", b"", signed)
        return self._channel.post("/", form.encode(), signed)


class _Signature(AuthBase):
    """Adds every header of section 8.4 and signs; called by requests with the request as it will be sent."""

    def __init__(self, credentials: Credentials, now: float) -> None:
        self._credentials = credentials
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        digest = rpc_signing.payload_digest(body if isinstance(body, bytes) else body.encode())
        signed = {
            "host": parts.netloc,
            "x-acs-action": ACTION,
            "x-acs-content-sha256": digest,
            "x-acs-date": datetime.fromtimestamp(self._now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-version": VERSION,
        }
        if body:
            signed["content-type"] = "application/x-www-form-urlencoded"
        if self._credentials.security_token:
            signed["x-acs-security-token"] = self._credentials.security_token
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        canonical = rpc_signing.canonical_request(request.method or "", query, signed, signed, digest)
        signature = rpc_signing.v3_signature(self._credentials.access_key_secret, canonical)
        request.headers.update(signed)
        request.headers["accept"] = "application/json"
        request.headers["user-agent"] = USER_AGENT
        request.headers["authorization"] = (
            f"{rpc_signing.ALGORITHM} Credential={self._credentials.access_key_id},"
            f"SignedHeaders={';'.join(sorted(signed))},Signature={signature}"
        )
        return request
