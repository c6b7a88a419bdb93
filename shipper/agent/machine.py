"""What templates and ids know of this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from shipper.cloudmonitor.route import local_address
from shipper.matching.composer import Host

if TYPE_CHECKING:
    from shipper.config.model import Config

# a documentation address (RFC 5737): no packet is sent, it only makes the kernel choose the default route
_ANYWHERE = "http://192.0.2.1"


def this_host(config: Config) -> Host:
    """Give the name and the address that are configured; else the system's name, and the default route's address.

    In a container the system's name is that of the container, another one after each start: it is no part of an id
    that is to stay the same.
    """
    ip = config.cloudmonitor.ip or local_address(_ANYWHERE) or "127.0.0.1"
    return Host(config.hostname or socket.gethostname(), ip)
