"""The agent: owns the lock, the store, the two loops and their threads; starts them, reloads, stops them in order.

`Agent` can live in any process (the demo and the tests embed it); `cli.run` gives it a process and signals.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent import dead_letters
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.configuration_file import ConfigurationFile
from shipper.agent.control import Control
from shipper.agent.heartbeat import Heartbeat
from shipper.agent.intake import Intake
from shipper.agent.last_told import EVERY, LastTold
from shipper.agent.machine import this_host
from shipper.agent.recent import Recent
from shipper.agent.rule_files import RuleFiles
from shipper.agent.send_slots import Party, SendSlots
from shipper.agent.survey import Survey
from shipper.agent.trouble import Trouble
from shipper.agent.uploader import Uploader
from shipper.cloudmonitor import batching
from shipper.cloudmonitor.connecting import connect, exposed
from shipper.errors import StoreDamagedError
from shipper.events import FileIdentity
from shipper.matching.engine import Engine
from shipper.matching.limits import Limits
from shipper.matching.quarantine import Quarantine
from shipper.outbox.lock import StateLock
from shipper.outbox.store import Store
from shipper.tailing.following import MAX_OPEN, Following
from shipper.tailing.register import FEWEST_OPEN
from shipper.tailing.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.config.model import Config
    from shipper.matching.rulebook import Rulebook
    from shipper.outbox.store import Waiting

STDERR = 2
RULES_POLL = 1.0
KEPT_DESCRIPTORS = 40
"""For the store, the connections, their certificates, the socket, inotify, and what is looked into for a moment."""


class Agent:
    """One running agent. `start` once, then `reload` as often as wanted, then `stop` once.

    Attributes:
        failed: set when a loop ended that should not.
        survey: tells how the agent is.
        config: what is in force of the configuration.
        rulebook: the rules that are in force, with their files and tests.
        change_dead_letters: sends refused events again, or lets go of them; see `dead_letters.answering`.
        recent: its newest events; none are kept without `[http]`.
    """

    def __init__(self, config: Config, *, delivered: Callable[[Sequence[Waiting]], None] | None = None) -> None:
        """Check everything that can be checked before anything is started.

        Args:
            config: the configuration.
            delivered: called after events were acknowledged.

        Raises:
            ConfigurationError: the rules are wrong, or the region is unknown.
            CredentialsError: no credentials apply at all.
            StateError: the state directory is in use or cannot be written.
            StoreDamagedError: the store was damaged while it was opened.
        """
        self.failed = threading.Event()
        self._failing = threading.Lock()
        self._reloading = threading.Lock()
        self._stopping = threading.Event()
        self.config = config
        self._configuration = ConfigurationFile()
        self._rule_files = RuleFiles(config.state_path)
        self.rulebook = rulebook = self._rule_files.begin(config)
        self.recent = Recent()
        self.recent.use(rulebook.redactions())
        self._client = connect(config)
        self._lock = StateLock(config.state_path)
        self._rule_files.keep(rulebook)
        self._store = Store(config.state_path, batching.encode, remember=config.store.remember_delivered)
        if self._store.begun_anew:
            # durable before anything is read: `start_at` would pass over lines whose position was lost (hazard 5.3)
            self._store.know({source.name: source.paths for source in config.source})
        self._wake = threading.Event()
        self._watcher = Watcher(self._wake)
        self._rules = len(rulebook.rules)
        self._limits = Limits(live=True)
        self._limits.restore(self._store.limits())
        self._uploader = Uploader(
            self._store,
            self._client,
            config.cloudmonitor,
            max_dead_letters=config.store.max_dead_letters,
            delivered=delivered,
            slots=SendSlots(config.state_path, Party.AGENT),
        )
        host = this_host(config)
        self._intake = Intake(
            Following(
                config.source,
                self._store.checkpoints(),
                self._store.scanned_sources(),
                past=self._store.past(),
                histories=self._store.histories(),
                own=frozenset({os.path.realpath(config.state_path)}),
                own_files=_own_files(),
                max_open=_max_open(),
            ),
            self._engine(config, rulebook),
            self._store,
            config.store,
            wake=self._wake,
            recorded=self._uploader.wake,
            watcher=self._watcher,
            heartbeat=Heartbeat(
                config.cloudmonitor.heartbeat,
                host,
                config.cloudmonitor.group_id,
                version("cloudmonitor-shipper"),
                self._store,
                HOST_CLOCK,
            ),
            recent=None if config.http.listen is None else self.recent,
        )
        self.survey = Survey(
            config.state_path, config.store, self._intake, self._uploader, self._rule_files, self._configuration
        )
        self.change_dead_letters = dead_letters.answering(self._store.dead_letters, self._uploader.wake)
        self._last_told = LastTold(config.state_path)
        self._told_at = time.monotonic()
        self._control = Control(
            config.state_path,
            {
                "status": self.survey.answer,
                "tap": self._intake.tap.answer,
                dead_letters.QUESTION: self.change_dead_letters,
            },
        )
        self._threads = {
            "intake": threading.Thread(target=self._guard, args=("intake", self._intake.run), name="intake"),
            "uploader": threading.Thread(target=self._guard, args=("uploader", self._uploader.run), name="uploader"),
            "rules": threading.Thread(target=self._guard, args=("rules", self._watch_rules), name="rules"),
        }

    def start(self) -> None:
        """Begin to read and to send."""
        for said in exposed(self._client.secret_files):
            telemetry.configuration_warning(said)
        telemetry.agent_started(self._rules, len(self.config.source), self._client.endpoint)
        for thread in self._threads.values():
            thread.start()
        self._control.start()

    def reload(self) -> None:
        """Read configuration and rules again; all of it comes into force between two blocks, or none of it."""
        if self.config.file is None:
            return
        config = self._configuration.reread(self.config.file)
        if config is None:
            return
        with self._reloading:
            rulebook = self._rule_files.reread(config)
            if isinstance(rulebook, Trouble):
                self._configuration.leave(config, self.config, rulebook.reason)
                return
            self.config = self._configuration.take(config, self.config)
            self._use(rulebook)

    def _use(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.recent.use(rulebook.redactions())
        self._intake.change(self._engine(self.config, rulebook), self.config.source)
        telemetry.reloaded(len(rulebook.rules))

    def _watch_rules(self) -> None:
        """Use other rules as soon as their files say so and are fit."""
        while not self._stopping.wait(RULES_POLL):
            with self._reloading:
                if self._rule_files.have_changed(self.config):
                    rulebook = self._rule_files.reread(self.config)
                    if not isinstance(rulebook, Trouble):
                        self._use(rulebook)
            if time.monotonic() - self._told_at >= EVERY:
                self._tell()

    def _tell(self) -> None:
        """Keep how the agent is for who asks when it has ended."""
        self._told_at = time.monotonic()
        # a disk that is full or broken is told by those who need it
        with suppress(OSError):
            self._last_told.keep(self.survey.status(with_files=False))

    def stop(self) -> None:
        """Stop reading, commit, send until the outbox is empty or `drain_timeout` is over, and close everything."""
        self.survey.stop()
        self._stopping.set()
        self._threads["rules"].join()
        self._intake.stop()
        self._threads["intake"].join()
        telemetry.agent_stopping(self._store.waiting_count)
        self._uploader.drain(self.config.drain_timeout)
        self._threads["uploader"].join()
        self._tell()
        telemetry.agent_stopped(telemetry.counts().get("events_delivered", 0), self._store.waiting_count)
        self.close()

    def close(self) -> None:
        """Give back what construction and `start` took."""
        self._control.stop()
        self._intake.close()
        self._watcher.close()
        self._client.close()
        self._store.close()
        self._lock.close()

    def _engine(self, config: Config, rulebook: Rulebook) -> Engine:
        return Engine(
            rulebook.rules,
            this_host(config),
            config.match_timeout,
            config.cloudmonitor.group_id,
            clock=time.perf_counter,
            limits=self._limits,
            quarantine=Quarantine(time.monotonic),
        )

    def _guard(self, name: str, run: Callable[[], None]) -> None:
        """Run a loop; an error that nobody foresaw ends the agent loudly instead of leaving half of it running."""
        try:
            run()
        except StoreDamagedError as error:
            # both loops may come upon it in the same moment: it is told once
            with self._failing:
                if not self.failed.is_set():
                    telemetry.store_damaged(str(error))
                self.failed.set()
        except Exception:  # noqa: BLE001  reported with its traceback, and the process ends with failure
            telemetry.loop_failed(name)
            self.failed.set()


def _max_open() -> int:
    """Give how many logs may be open, so that the others who need descriptors have some left (hazard 6.1)."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return MAX_OPEN
    return max(FEWEST_OPEN, min(MAX_OPEN, allowed - KEPT_DESCRIPTORS))


def _own_files() -> frozenset[FileIdentity]:
    """Give the file that the agent's own log goes to, so that it is never read (hazard 6.6)."""
    status = os.fstat(STDERR)
    return frozenset({FileIdentity(status.st_dev, status.st_ino)})
