"""What an emulator can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.cloudmonitor.emulator.contract import AccessKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shipper.cloudmonitor.emulator.faults import Fault

DEFAULT_KEY_ID = "testkey"
DEFAULT_KEY_SECRET = "testsecret"  # noqa: S105 - public on purpose: the key of the reference's test vectors


@dataclass(frozen=True, slots=True)
class Settings:
    """What an emulator can be told.

    Attributes:
        host: address or name to listen on.
        port: port to listen on; 0 for any that is free.
        keys: who may upload.
        qps: requests that an account may make in any one second; 0 for no limit.
        faults: probability of each fault, together at most 1.
        seed: makes the faults reproducible.
        skew: how far a request's `Date` may be off, in seconds.
        slow: how long the fault `slow` delays an answer, in seconds.
        store: accepted events are appended to this file as JSON lines; None to keep them in memory only.
        remember: how many of the last accepted events are kept in memory.
        page_token: the page asks for it; None for a page open to whoever reaches the address.
        idle: a connection that is silent for so long is closed, in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 0
    keys: tuple[AccessKey, ...] = (AccessKey(DEFAULT_KEY_ID, DEFAULT_KEY_SECRET),)
    qps: int = 20
    faults: Mapping[Fault, float] = field(default_factory=lambda: MappingProxyType({}))
    seed: int | None = None
    skew: float = 900.0
    slow: float = 4.0
    store: Path | None = None
    remember: int = 1000
    page_token: str | None = field(default=None, repr=False)
    idle: float = 75.0
