"""Says in one sentence why no answer came, without a header, a secret or a proxy's password in it."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError, ProtocolError, ReadTimeoutError

from shipper.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REACH = "let this host reach it (firewall, security group, routes), or give a proxy"
_BETWEEN = "see what stands between this host and the service: proxies, firewalls"


def transport_error(error: Exception, url: str, proxy: str | None, timeout: float) -> TransportError:
    """Translate what the HTTP library raised.

    Args:
        error: as raised while sending or reading.
        url: where the request went.
        proxy: the proxy in between, if any.
        timeout: the request's time-out in seconds.
    """
    where = _shown(url)
    if proxy:
        where += f" through the proxy {_shown(proxy)}"
    reason, action = _reason(error, timeout)
    return TransportError(f"no answer from {where}: {reason}", action)


def _shown(url: str) -> str:
    parts = urlsplit(url if "//" in url else f"//{url}")
    host = parts.hostname or "?"
    try:
        return f"{host}:{parts.port}" if parts.port else host
    except ValueError:
        return host


def _reason(error: BaseException, timeout: float) -> tuple[str, str]:
    """Give why, and what to do about it."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, (NameResolutionError, socket.gaierror)):
            return "the name cannot be resolved", "check endpoint, region and proxy, and this host's DNS"
        if isinstance(cause, (requests.Timeout, ReadTimeoutError, TimeoutError)):
            return f"it was not there within {timeout:g} s", _REACH
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted ({cause.verify_message}); see ca_file"
            return reason, "give the certificates to trust as ca_file; behind an inspecting proxy that is its own"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason or 'handshake'})", "see that the endpoint's port speaks TLS"
    for cause in causes:
        if isinstance(cause, ConnectionResetError):
            return "the connection was closed before an answer came", _BETWEEN
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused", "nothing listens there: check endpoint and proxy"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror[:1].lower() + cause.strerror[1:], _REACH
    for cause in causes:
        if isinstance(cause, (HTTPException, ProtocolError)):
            return "what came is not HTTP", _BETWEEN
    return type(error).__name__, ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an exception and all that it wraps, in `reason`, in its arguments, or as its cause; each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]
