"""The embedded stand-in for CloudMonitor: a real server that says no wherever the service would.

request → `contract` (and `reported`) judges → `limiter` → `faults` → `journal` and `ledger` → answer; `service` is
that order, `connection` and `server` are the sockets around it, `page` shows it to people.
"""

from __future__ import annotations

from shipper.cloudmonitor.emulator.contract import AccessKey, Refusal
from shipper.cloudmonitor.emulator.faults import Fault, parse_faults
from shipper.cloudmonitor.emulator.ledger import Receipt, Stats
from shipper.cloudmonitor.emulator.reported import ReportedEvent
from shipper.cloudmonitor.emulator.server import Emulator
from shipper.cloudmonitor.emulator.settings import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, Settings

__all__ = [
    "DEFAULT_KEY_ID",
    "DEFAULT_KEY_SECRET",
    "AccessKey",
    "Emulator",
    "Fault",
    "Receipt",
    "Refusal",
    "ReportedEvent",
    "Settings",
    "Stats",
    "parse_faults",
]
