"""The sink's other end: starts it on a core of its own, and asks it what came."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tests.bench.processes import ROOT, pinned


class WrongCountError(Exception):
    """Other events came out than lines were made to match: what was measured is not the job."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a sink has received since it was last reset.

    Attributes:
        events: how many.
        serials: the sum of their serials.
        requests: in how many requests, or reads of a stream.
        last: when the last one came, monotonic.
        cpu: seconds of CPU that the sink used for it.
    """

    events: int
    serials: int
    requests: int
    last: float
    cpu: float


class Collector:
    """A running sink."""

    def __init__(self, process: subprocess.Popen[bytes], patience: float) -> None:
        self._process = process
        self._patience = patience
        self.port: int = self._hear()["port"]

    @property
    def endpoint(self) -> str:
        """The base URL that events go to."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Begin to count anew."""
        self._order(do="reset")

    def received(self) -> Received:
        """Tell what came so far."""
        return _received(self._order(do="stats"))

    def wait_for(self, events: int) -> Received:
        """Wait until so many events came; raises `WrongCountError` when they do not come in time."""
        received = _received(self._order(do="expect", events=events, seconds=self._patience))
        if received.events < events:
            raise WrongCountError(f"{received.events} events came in {self._patience:.0f} s, {events} were expected")
        return received

    def arrivals(self) -> dict[int, float]:
        """Tell when events came, by serial, monotonic; of those that came a few at a time."""
        return {int(serial): at for serial, at in self._order(do="arrivals").items()}

    def require(self, expected: int) -> None:
        """Make sure that exactly the events with the serials below `expected` came, each once."""
        received = self.received()
        if (received.events, received.serials) != (expected, expected * (expected - 1) // 2):
            raise WrongCountError(
                f"{received.events} events came with serials that sum to {received.serials}; "
                f"{expected} were expected, each once"
            )

    def _order(self, **order: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(order) + b"\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WrongCountError("the sink has ended")
        answer: dict[str, Any] = orjson.loads(line)
        return answer


def _received(told: dict[str, Any]) -> Received:
    return Received(told["events"], told["serials"], told["requests"], told["last"], told["cpu"])


@contextmanager
def collecting(core: int, patience: float) -> Iterator[Collector]:
    """Run a sink on a core; events that do not come within `patience` seconds are missing."""
    with pinned(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
    with process:
        try:
            yield Collector(process, patience)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
