"""What templates and ids know of this machine."""

from __future__ import annotations

import socket

from shipper.cloudmonitor.route import local_address
from shipper.matching.composer import Host

# a documentation address (RFC 5737): no packet is sent, it only makes the kernel choose the default route
_ANYWHERE = "http://192.0.2.1"


def this_host(ip: str | None = None) -> Host:
    """Give the host name, and the given address or the one of the default route."""
    return Host(socket.gethostname(), ip or local_address(_ANYWHERE) or "127.0.0.1")
