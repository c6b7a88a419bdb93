"""Servers that lend keys, on loopback: the instance's metadata, STS, a URI; each as the reference tells of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shipper.cloudmonitor import rpc_signing
from tests.cloudmonitor.recording import LoopbackServer

ROLES = "/latest/meta-data/ram/security-credentials/"


class LendingServer(LoopbackServer):
    """Lends numbered keys, so that a test knows how often it was asked.

    Attributes:
        life: seconds for which keys are lent.
        hardened: whether the metadata wants its token.
        role: the instance's; empty when it has none.
        failing: the status of every answer instead; 0 to work.
        asked: what was asked for, oldest first.
        oidc: the token that STS trusts.
        secrets: of the keys that may take a role, by id.
    """

    def __init__(self) -> None:
        self.life = 3600.0
        self.hardened = False
        self.takes_put = True
        self.role = "shipper-role"
        self.failing = 0
        self.asked: list[str] = []
        self.oidc = "oidc-token"
        self.secrets = {"ram-id": "ram-secret"}
        self.lent = 0
        self.forms: list[dict[str, str]] = []
        lending = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lending.answer(self, b"")

            def do_PUT(self) -> None:
                lending.answer(self, b"")

            def do_POST(self) -> None:
                lending.answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one request."""
        self.asked.append(f"{handler.command} {handler.path.partition('?')[0]}")
        status, said = (self.failing, "unwell") if self.failing else self._answer(handler, body)
        text = said if isinstance(said, str) else json.dumps(said)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        path = handler.path.partition("?")[0]
        if path == "/latest/api/token":
            if not self.takes_put or handler.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds") != "21600":
                return 404, "not found"
            return 200, "metadata-token"
        if path.startswith(ROLES):
            if self.hardened and handler.headers.get("X-aliyun-ecs-metadata-token") != "metadata-token":
                return 403, "forbidden"
            name = path.removeprefix(ROLES)
            if not self.role or name not in {"", self.role}:
                return 404, "not found"
            return 200, self._lend() if name else self.role
        if path == "/uri":
            return 200, self._lend()
        if path == "/":
            return self._sts(handler, body)
        return 404, "not found"

    def _sts(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        query = dict(parse_qsl(urlsplit(handler.path).query))
        form = dict(parse_qsl(body.decode()))
        self.forms.append(query | form)
        if query.get("Action") == "AssumeRoleWithOIDC":
            if form.get("OIDCToken") != self.oidc:
                said = "This JWT token has been expired. string to sign is: SECRET"
                return 400, {"Code": "AuthenticationFail.OIDCToken.Expired", "Message": said, "RequestId": "R"}
            return 200, {"Credentials": self._lend(), "RequestId": "R"}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        authorization = headers.get("authorization", "")
        fields = dict(part.split("=", 1) for part in authorization.removeprefix(f"{rpc_signing.ALGORITHM} ").split(","))
        digest = rpc_signing.payload_digest(body)
        signed = fields["SignedHeaders"].split(";")
        canonical = rpc_signing.canonical_request("POST", query, headers, signed, digest)
        secret = self.secrets.get(fields["Credential"], "")
        if headers.get("x-acs-action") != "AssumeRole" or headers.get("x-acs-version") != "2015-04-01":
            return 404, {"Code": "InvalidAction.NotFound", "Message": "no such action", "RequestId": "R"}
        if not secret or fields["Signature"] != rpc_signing.v3_signature(secret, canonical):
            return 400, {"Code": "SignatureDoesNotMatch", "Message": "not matched", "RequestId": "R"}
        return 200, {"Credentials": self._lend(), "RequestId": "R"}

    def _lend(self) -> dict[str, str]:
        self.lent += 1
        ends = datetime.now(UTC) + timedelta(seconds=self.life)
        return {
            "Code": "Success",
            "AccessKeyId": f"STS.{self.lent}",
            "AccessKeySecret": f"secret-{self.lent}",
            "SecurityToken": f"token-{self.lent}",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
