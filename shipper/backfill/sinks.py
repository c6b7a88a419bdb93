"""Where the events of a backfill go: to the service by way of a store, to a file, or nowhere."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from shipper.agent.uploader import Uploader
    from shipper.events import Event, LimitState, Loss, Unjudged
    from shipper.outbox.passes import Pass
    from shipper.outbox.store import Store

MAX_WAITING = 20_000
POLL = 0.05


class Delivery:
    """The sink that sends: a store, emptied by an uploader in a thread of its own while files are read."""

    keeps = True

    def __init__(self, store: Store, uploader: Uploader, stop: threading.Event, tick: Callable[[], None]) -> None:
        """Begin to send what waits.

        Args:
            store: where events wait.
            uploader: sends them.
            stop: ends waiting.
            tick: called while waiting.
        """
        self._store = store
        self._uploader = uploader
        self._stop = stop
        self._tick = tick
        self._thread = threading.Thread(target=uploader.run, name="uploader")
        self._thread.start()

    def limits(self) -> list[LimitState]:
        """Give what the store holds."""
        return self._store.limits()

    def record(
        self,
        passes: Sequence[Pass],
        events: Sequence[Event],
        losses: Sequence[Loss],
        limits: Sequence[LimitState],
        unjudged: Sequence[Unjudged],
    ) -> None:
        """Commit; waits while too many events wait, so that the store stays small."""
        self._store.record((), events, losses=losses, limits=limits, unjudged=unjudged, passes=passes)
        if events:
            self._uploader.wake()
        while self._store.waiting_count > MAX_WAITING and not self._stop.wait(POLL):
            self._tick()

    def finish(self, drain_timeout: float) -> None:
        """Wait until everything is settled, or as much as was asked for; once stopped, `drain_timeout` seconds more."""
        while self._store.waiting_count and not self._uploader.has_enough and not self._stop.wait(POLL):
            self._tick()
        self._uploader.drain(drain_timeout)
        self._thread.join()


class Written:
    """The sink of `--output` and `--dry-run`: events go to a file or nowhere, and no progress is kept.

    Attributes:
        size: bytes of the events, as they are sent.
    """

    keeps = False

    def __init__(
        self, output: BinaryIO | None, encode: Callable[[Event], bytes], limits: Sequence[LimitState] = ()
    ) -> None:
        """Prepare.

        Args:
            output: where events are written; None for nowhere.
            encode: gives the form in which an event is sent.
            limits: what thresholds and throttles remembered when an earlier run ended.
        """
        self.size = 0
        self._output = output
        self._encode = encode
        self._limits = list(limits)

    def limits(self) -> list[LimitState]:
        """Give what was said at the beginning."""
        return self._limits

    def record(
        self,
        passes: Sequence[Pass],  # noqa: ARG002
        events: Sequence[Event],
        losses: Sequence[Loss],  # noqa: ARG002  they are in the summary
        limits: Sequence[LimitState],  # noqa: ARG002
        unjudged: Sequence[Unjudged],  # noqa: ARG002  they are in the log
    ) -> None:
        """Write the events, a JSON line each."""
        for event in events:
            encoded = self._encode(event)
            self.size += len(encoded)
            if self._output is not None:
                self._output.write(encoded + b"\n")
