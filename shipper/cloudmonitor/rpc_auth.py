"""Signs calls of the RPC API with V3 (API reference, section 8.4)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from requests.auth import AuthBase

from shipper.cloudmonitor import rpc_signing

if TYPE_CHECKING:
    import requests

    from shipper.cloudmonitor.credentials import Credentials


class RpcSignature(AuthBase):
    """Adds every header and signs; called by requests with the request as it will be sent."""

    def __init__(self, credentials: Credentials, action: str, version: str, now: float, user_agent: str) -> None:
        """Prepare one call; `now` is the epoch time in seconds."""
        self._credentials = credentials
        self._action = action
        self._version = version
        self._now = now
        self._user_agent = user_agent

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign."""
        parts = urlsplit(request.url or "")
        body = request.body or b""
        digest = rpc_signing.payload_digest(body if isinstance(body, bytes) else body.encode())
        signed = {
            "host": parts.netloc,
            "x-acs-action": self._action,
            "x-acs-content-sha256": digest,
            "x-acs-date": datetime.fromtimestamp(self._now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-version": self._version,
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
        request.headers["user-agent"] = self._user_agent
        request.headers["authorization"] = (
            f"{rpc_signing.ALGORITHM} Credential={self._credentials.access_key_id},"
            f"SignedHeaders={';'.join(sorted(signed))},Signature={signature}"
        )
        return request
