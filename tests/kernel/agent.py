"""The reading half of an agent on the real kernel: files → intake → store; what the store holds is taken out and kept.

Without a watcher it is stepped by hand on a clock of its own: the test says what lies between two looks. With the real
watcher it runs in its thread, on a clock that is some times as fast as the wall's, so that patience costs little.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import orjson

from shipper.agent.intake import Intake
from shipper.cloudmonitor import batching
from shipper.config.model import SourceTable, StoreTable
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store
from shipper.tailing.files import HOST_FILES, Files
from shipper.tailing.following import MAX_OPEN, Following
from shipper.tailing.watcher import Watcher
from tests.conftest import eventually

RULE = "[[rule]]\nid = 'numbered'\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\ncontent = '{n}'\n"
UNLIMITED = StoreTable(min_free_disk=0)
LONG_AFTER = 90.0
"""Seconds of patience in which everything that waits is decided: copies, silent unlinked files, searches."""


class SteppedClock:
    """A clock that the test moves; the wall clock is the host's."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """Give what the test set."""
        return self.seconds

    def now(self) -> datetime:
        """Give the wall clock."""
        return datetime.now(UTC)


class FastClock:
    """The host's monotonic clock, some times as fast."""

    FACTOR = 8.0

    def monotonic(self) -> float:
        """Give seconds that are over sooner."""
        return time.monotonic() * self.FACTOR

    def now(self) -> datetime:
        """Give the wall clock."""
        return datetime.now(UTC)


class Agent:
    """An agent that can be stopped and started again; `delivered` holds number and event id of all it ever gave."""

    def __init__(
        self,
        root: Path,
        *globs: str,
        watched: bool = False,
        scan_interval: float = 1.0,
        files: Files = HOST_FILES,
        max_open: int = MAX_OPEN,
        limits: StoreTable = UNLIMITED,
        **source: object,
    ) -> None:
        self.state = root / "state"
        self.state.mkdir(mode=0o700)
        (root / "rules.toml").write_text(RULE)
        self._rules = load_rules([root / "rules.toml"])[0].rules
        self._table = SourceTable(
            name="app",
            paths=globs,
            start_at="beginning",
            scan_interval=scan_interval,
            **source,  # type: ignore[arg-type]
        )
        self._files = files
        self._max_open = max_open
        self._limits = limits
        self.watched = watched
        self.clock = SteppedClock()
        self.delivered: list[tuple[int, str]] = []
        self._thread: threading.Thread | None = None
        self._running = False

    def start(self) -> None:
        """Begin to read, from what the store holds."""
        self.store = Store(self.state, batching.encode)
        self.wake = threading.Event()
        self.watcher = Watcher(self.wake) if self.watched else None
        self.following = Following(
            [self._table],
            self.store.checkpoints(),
            self.store.scanned_sources(),
            past=self.store.past(),
            histories=self.store.histories(),
            files=self._files,
            max_open=self._max_open,
        )
        self.intake = Intake(
            self.following,
            Engine(self._rules, Host("host", "127.0.0.1"), 1.0),
            self.store,
            self._limits,
            wake=self.wake,
            recorded=lambda: None,
            watcher=self.watcher,
            clock=FastClock() if self.watched else self.clock,
        )
        self._running = True
        if self.watched:
            self._thread = threading.Thread(target=self.intake.run)
            self._thread.start()

    def stop(self) -> None:
        """End in order: what was read is committed, every file is closed."""
        if not self._running:
            return
        self._running = False
        self.intake.stop()
        if self._thread is None:
            # with `stop` asked for, `run` only commits
            self.intake.run()
        else:
            self._thread.join()
            self._thread = None
        self.intake.close()
        if self.watcher is not None:
            self.watcher.close()
        self.gather()
        self.store.close()

    def look(self, seconds: float = 1.0) -> None:
        """Let time pass, look at everything that is due, and read what there is; stepped agents only."""
        self.clock.seconds += seconds
        while self.intake.step(self.clock.monotonic()):
            pass
        self.gather()

    def catch_up(self, numbers: Collection[int]) -> None:
        """Read until these numbers were delivered: by one look, or by waiting for the thread."""
        if not self.watched:
            self.look()
            return

        def arrived() -> bool:
            self.gather()
            return set(numbers) <= {number for number, _ in self.delivered}

        eventually(arrived, what="lines did not arrive")

    def settle(self) -> None:
        """End, and let a stepped agent look for as long as anybody waits for anything: nothing more may come after."""
        self.stop()
        self.watched = False
        self.start()
        waited = 0.0
        while waited < LONG_AFTER:
            self.look()
            waited += 1.0
        self.stop()

    def gather(self) -> None:
        """Take what waits in the store, as an uploader does whose every request succeeds."""
        while waiting := self.store.next_events(10_000):
            self.store.acknowledge(waiting)
            self.delivered += [(int(orjson.loads(event.payload)["content"]), event.event_id) for event in waiting]

    def times(self) -> Counter[int]:
        """Tell how often each number was delivered."""
        return Counter(number for number, _ in self.delivered)
