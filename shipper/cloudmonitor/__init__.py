"""Reports custom events to CloudMonitor, also without the agent: the Java SDK's `CMSClient`, in Python's manner.

    from shipper.cloudmonitor import Client, CustomEvent

    with Client("https://metrichub-cms-cn-hangzhou.aliyuncs.com", key_id, secret) as client:
        answer = client.put_events([
            CustomEvent("disk_full", "/ is 91% full"),
            CustomEvent("deploy", "checkout 1.4.2", group_id=27147),
        ])
        print(answer.code, answer.request_id)

`shipper.errors.RefusedError` has the service's code, message and request id when it refuses;
`shipper.errors.TransportError` says why no answer came.

The names are loaded when they are first used: the station's pure modules are imported without its HTTP library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipper.cloudmonitor.client import Client, CustomEvent
    from shipper.cloudmonitor.credentials import Credentials
    from shipper.cloudmonitor.endpoints import endpoint
    from shipper.cloudmonitor.verdict import Answer

__all__ = ["Answer", "Client", "Credentials", "CustomEvent", "endpoint"]

_HOMES = {
    "Answer": "shipper.cloudmonitor.verdict",
    "Client": "shipper.cloudmonitor.client",
    "Credentials": "shipper.cloudmonitor.credentials",
    "CustomEvent": "shipper.cloudmonitor.client",
    "endpoint": "shipper.cloudmonitor.endpoints",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
