"""Faults on demand: what a network and a service do to a client on a bad day; a seed brings the same day again."""

from __future__ import annotations

import enum
import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(enum.Enum):
    """What can go wrong with a request that keeps the contract; values are the words of `--faults`.

    Attributes:
        ERROR: HTTP 500, nothing accepted.
        THROTTLE: HTTP 403 with the words of the rate limit, nothing accepted.
        RESET: the connection is reset before acceptance.
        ACKLOST: accepted, then the connection is closed without an answer.
        SLOW: accepted; the answer comes late.
        HTML: HTTP 200 with the HTML page of a proxy, nothing accepted.
        NOT_OK: HTTP 200 whose body says code 500, nothing accepted.
        PARTIAL: accepted, answered with code 206.
    """

    ERROR = "500"
    THROTTLE = "throttle"
    RESET = "reset"
    ACKLOST = "acklost"
    SLOW = "slow"
    HTML = "html"
    NOT_OK = "ok-not-200"
    PARTIAL = "206"


def parse_faults(text: str) -> dict[Fault, float]:
    """Read the value of `--faults`, such as `500:0.1,throttle:0.05`.

    Args:
        text: kinds with their probabilities, which together are at most 1; empty for no faults.

    Raises:
        ValueError: it cannot be read; the message says what was expected.
    """
    chances: dict[Fault, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, colon, number = part.rpartition(":")
        kind = word if colon else part
        try:
            fault = Fault(kind)
        except ValueError:
            raise ValueError(f"unknown kind of fault '{kind}'; {_expected()}") from None
        try:
            chance = float(number) if colon else math.nan
        except ValueError:
            chance = math.nan
        if not 0 <= chance <= 1:
            raise ValueError(f"'{part}' needs a probability from 0 to 1 after its colon; {_expected()}")
        if fault in chances:
            raise ValueError(f"the fault '{fault.value}' is given twice")
        chances[fault] = chance
    if math.fsum(chances.values()) > 1 + 1e-9:
        raise ValueError("the probabilities of all faults together must not be over 1: a request has at most one fault")
    return chances


def _expected() -> str:
    kinds = ", ".join(fault.value for fault in Fault)
    return f"expected for example 500:0.1,throttle:0.05 with kinds out of {kinds}"


class FaultPlan:
    """Draws at most one fault for each request.

    Args:
        chances: probability of each fault.
        seed: the same seed gives the same faults in the same order; None for a different order each time.
    """

    def __init__(self, chances: Mapping[Fault, float], seed: int | None = None) -> None:
        self._chances = dict(chances)
        self._random = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret

    def draw(self) -> Fault | None:
        """Draw for the next request."""
        if not self._chances:
            return None
        drawn = self._random.random()
        for fault, chance in self._chances.items():
            drawn -= chance
            if drawn < 0:
                return fault
        return None
