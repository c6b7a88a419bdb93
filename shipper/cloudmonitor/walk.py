"""Walks the way to the service step by step, so that what is wrong is found where it is: `shipper check --online`.

The last step reports one event, `ShipperCheck`: nothing less tells whether the key may report events.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipper.cloudmonitor.advice import advise
from shipper.cloudmonitor.custom_event import CustomEvent
from shipper.cloudmonitor.verdict import Verdict, judge
from shipper.errors import CredentialsError, TransportError
from shipper.telemetry import off_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipper.cloudmonitor.client import Client
    from shipper.cloudmonitor.verdict import Answer

EVENT = "ShipperCheck"
_PORTS = {"http": 80, "https": 443}
_TOLD_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Step:
    """What one step found.

    Attributes:
        name: of the step: `dns tcp tls credentials clock signature permission`.
        ok: whether the way goes on.
        said: what was found.
        action: what to do; empty when nothing is.
    """

    name: str
    ok: bool
    said: str
    action: str = ""


class _StoppedError(Exception):
    def __init__(self, step: Step) -> None:
        super().__init__(step.said)
        self.step = step


def walk(client: Client, hostname: str, timeout: float) -> Iterator[Step]:
    """Go as far as the way goes; a step that fails is the last one.

    Args:
        client: for the service that is to be reached.
        hostname: of this host, for the event.
        timeout: seconds for each of the first steps.
    """
    try:
        yield from _reach(client, timeout)
        yield _credentials(client)
        yield from _report(client, hostname)
    except _StoppedError as stopped:
        yield stopped.step


def _reach(client: Client, timeout: float) -> Iterator[Step]:
    target = client.proxy or client.endpoint
    parts = urlsplit(target if "//" in target else f"//{target}", scheme="http")
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
    through = " (the proxy)" if client.proxy else ""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no name"
        action = "check the name in endpoint, region or proxy, and this host's DNS (/etc/resolv.conf)"
        raise _StoppedError(Step("dns", False, f"{host}{through} cannot be resolved: {reason}", action)) from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    more = f" and {len(addresses) - _TOLD_ADDRESSES} more" if len(addresses) > _TOLD_ADDRESSES else ""
    yield Step("dns", True, f"{host}{through} is {', '.join(addresses[:_TOLD_ADDRESSES])}{more}")
    began = time.monotonic()
    try:
        connection = socket.create_connection((host, port), timeout)
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        action = f"let this host reach port {port} there (firewall, security group, routes); or give a proxy"
        raise _StoppedError(Step("tcp", False, f"port {port} cannot be reached: {reason}", action)) from None
    with closing(connection):
        yield Step("tcp", True, f"port {port} answers in {1000 * (time.monotonic() - began):.0f} ms")
        if client.proxy is None:
            yield _tls(client, connection, host) if parts.scheme == "https" else _plain()


def _plain() -> Step:
    return Step("tls", True, "none: plain http, for VPC hosts and loopback; the signature protects what is sent")


def _tls(client: Client, connection: socket.socket, host: str) -> Step:
    trusted = client.trusted
    context = ssl.create_default_context(cafile=trusted)
    try:
        with context.wrap_socket(connection, server_hostname=host) as wrapped:
            certificate = wrapped.getpeercert() or {}
            ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
            return Step("tls", True, f"{wrapped.version()}, certificate valid until {ends:%Y-%m-%d}")
    except ssl.SSLCertVerificationError as error:
        action = "give the certificates to trust as ca_file; behind an inspecting proxy that is its own"
        raise _StoppedError(Step("tls", False, f"certificate not trusted: {error.verify_message}", action)) from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        action = "see that it is an https port, and that nothing between cuts TLS off"
        raise _StoppedError(Step("tls", False, f"TLS fails: {reason}", action)) from None


def _credentials(client: Client) -> Step:
    try:
        keys = client.credentials()
    except CredentialsError as error:
        action = "see that its server answers on this host and that the role may be taken"
        raise _StoppedError(Step("credentials", False, str(error), action)) from None
    kind = "a temporary key" if keys.security_token else "a lasting key"
    where = getattr(client.credentials, "where", "the credentials given")
    return Step("credentials", True, f"{kind} of {where}")


def _report(client: Client, hostname: str) -> Iterator[Step]:
    event = CustomEvent(EVENT, f"shipper check --online on {hostname}")
    answer = _ask(client, event)
    offset = client.clock_offset
    if offset:
        yield Step("clock", True, f"this host's is {off_by(offset)} the service's", "set it (NTP)")
        # the first request may have been refused for its date alone
        answer = _ask(client, event)
    elif answer.server_date is None:
        yield Step("clock", True, "the service does not tell its time")
    else:
        yield Step("clock", True, "agrees with the service's to within a minute")
    verdict = judge(answer)
    said = f"HTTP {answer.status}, code {answer.code or 'unreadable'}: {answer.message or answer.excerpt or 'no words'}"
    advice = advise(answer)
    action = advice.action if advice else "see what stands between this host and the service"
    if verdict in {Verdict.ACCEPTED, Verdict.SPLIT}:
        yield Step("signature", True, "accepted")
    if verdict is Verdict.ACCEPTED:
        yield Step("permission", True, f"an event {EVENT} was accepted (request {answer.request_id or '-'})")
    elif advice is not None and "cms:" in advice.action:
        yield Step("signature", True, "accepted")
        yield Step("permission", False, said, action)
    else:
        yield Step("signature" if verdict is Verdict.ACCOUNT else "permission", False, said, action)


def _ask(client: Client, event: CustomEvent) -> Answer:
    try:
        return client.deliver([client.encode(event)])
    except (TransportError, CredentialsError) as error:
        action = "see what stands between this host and the service: proxies, firewalls"
        raise _StoppedError(Step("signature", False, str(error), action)) from None
