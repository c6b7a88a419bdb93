"""The way from this host to the endpoint: through which proxy, and from which address."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy


def proxy_for(url: str, given: str | None) -> str | None:
    """Give the URL of the proxy to `url`: the given one, else the environment's, for a loopback address none."""
    host = urlsplit(url).hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if loopback:
        return None
    return given or select_proxy(url, get_environ_proxies(url)) or None


def local_address(url: str) -> str | None:
    """Give this host's address on the way to `url` (API reference, section 11), None when there is no way.

    Connecting a datagram socket sends nothing; it makes the kernel choose the route.
    """
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0]).partition("%")[0]
    except (OSError, ValueError):  # ValueError: a name that cannot be encoded
        return None
