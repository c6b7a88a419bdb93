"""Uploads signed by hand, from the reference's words alone: nothing here uses the product's signing."""

from __future__ import annotations

import hashlib
import hmac
import http.client
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.cloudmonitor.emulator import Emulator

TARGET = "/event/custom/upload"
BODY = b'[{"content":"disk / is 91% full","groupId":0,"name":"disk_full","time":"20210827T143355.000+0800"}]'


def events_body(*events: object) -> bytes:
    return orjson.dumps(list(events))


def sign(secret: str, method: str, target: str, headers: Mapping[str, str]) -> str:
    sent = {name.lower(): value.strip() for name, value in headers.items()}
    own = sorted(name for name in sent if name.startswith(("x-cms", "x-acs")))
    path, _, query = target.partition("?")
    resource = path + ("?" + "&".join(sorted(query.split("&"))) if query else "")
    lines = [method, sent.get("content-md5", ""), sent.get("content-type", ""), sent.get("date", "")]
    text = "\n".join([*lines, *(f"{name}:{sent[name]}" for name in own), resource])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha1).hexdigest().upper()


def upload_headers(
    body: bytes = BODY,
    *,
    secret: str = "testsecret",
    key_id: str = "testkey",
    method: str = "POST",
    target: str = TARGET,
    date: str | None = None,
    change: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """The headers of a correct upload; `change` puts others in (None: leaves out) before signing."""
    headers: dict[str, str | None] = {
        "Content-MD5": hashlib.md5(body).hexdigest().upper(),
        "Content-Type": "application/json",
        "Date": date or format_datetime(datetime.now(UTC), usegmt=True),
        "x-cms-api-version": "1.0",
        "x-cms-ip": "192.0.2.10",
        "x-cms-signature": "hmac-sha1",
        "Content-Length": str(len(body)),
    }
    headers.update(change or {})
    kept = {name: value for name, value in headers.items() if value is not None}
    return {"Authorization": f"{key_id}:{sign(secret, method, target, kept)}"} | kept


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def outcome(self) -> tuple[int, str]:
        """Status and code."""
        return self.status, self.json["code"]


def connect(emulator: Emulator) -> http.client.HTTPConnection:
    host, _, port = emulator.url.removeprefix("http://").rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=20)


def exchange(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> Reply:
    """Send exactly these headers, and read the answer."""
    connection.putrequest(
        method, target, skip_host="host" in {name.lower() for name in headers}, skip_accept_encoding=True
    )
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as response:
        return Reply(response.status, dict(response.headers), response.read())


def upload(
    emulator: Emulator,
    body: bytes = BODY,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    target: str = TARGET,
) -> Reply:
    """Send one upload on a connection of its own; without headers a correct one."""
    connection = connect(emulator)
    try:
        if headers is None:
            headers = upload_headers(body, method=method, target=target)
        return exchange(connection, method, target, headers, body)
    finally:
        connection.close()


def fetch(emulator: Emulator, target: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
    connection = connect(emulator)
    try:
        return exchange(connection, method, target, headers or {})
    finally:
        connection.close()
