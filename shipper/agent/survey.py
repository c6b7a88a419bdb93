"""Asks every part of a running agent how it is, without holding any of them up, and makes a `Status` of it."""

from __future__ import annotations

import os
import time
from contextlib import closing
from importlib.metadata import version
from math import isfinite
from typing import TYPE_CHECKING, Any

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.health import INTAKE_STALLED, UPLOADER_STALLED, Vitals, judge, unread
from shipper.agent.status import Delivery, Process, Queue, Reload, RuleHits, Status, summarise
from shipper.agent.status_json import to_json
from shipper.agent.stored import Stored, read_stored
from shipper.agent.trouble import Trouble
from shipper.errors import ShipperError, StateError
from shipper.matching.scanner import SCANNER
from shipper.outbox.reader import StoreReader
from shipper.tailing.globs import excluded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shipper.agent.configuration_file import ConfigurationFile
    from shipper.agent.intake import Intake
    from shipper.agent.rule_files import RuleFiles
    from shipper.agent.uploader import Uploader
    from shipper.config.model import StoreTable
    from shipper.tailing.condition import FileCondition

FILES_TIMEOUT = 2.0


class Survey:
    """Knows the parts of one agent; any thread may ask."""

    def __init__(
        self,
        directory: Path,
        limits: StoreTable,
        intake: Intake,
        uploader: Uploader,
        rule_files: RuleFiles,
        configuration: ConfigurationFile,
    ) -> None:
        """Remember whom to ask.

        Args:
            directory: the state directory.
            limits: how many events may wait, and when it is a storm.
            intake: the first loop.
            uploader: the second loop.
            rule_files: where the rules come from.
            configuration: where all else comes from.
        """
        self._directory = directory
        self._limits = limits
        self._intake = intake
        self._uploader = uploader
        self._rule_files = rule_files
        self._configuration = configuration
        self._started_at = HOST_CLOCK.now()
        self._stopping = False

    def stop(self) -> None:
        """Say from now on that the agent is stopping."""
        self._stopping = True

    def makes_progress(self) -> bool:
        """Tell whether both loops go on, so that a restart would not help. Costs nothing."""
        now = time.monotonic()
        # a store that fails holds the reading loop up, and is told for itself
        is_reading = now - self._intake.looked_at < INTAKE_STALLED or self._intake.store_trouble is not None
        return self._stopping or (is_reading and now - self._uploader.looked_at < UPLOADER_STALLED)

    def summary(self) -> str:
        """Say in a few words how it is, from what costs nothing to know."""
        trouble = self._intake.store_trouble or self._uploader.store_trouble or self._uploader.trouble
        trouble = trouble or self._intake.pause or self._rule_files.trouble or self._configuration.trouble
        if trouble is not None:
            return trouble.reason
        return next((unread(each) for each in self._intake.unreadable), "reading and sending")

    def answer(self, question: Mapping[str, Any]) -> bytes:
        """Answer `{"ask": "status", "globs": [...]}` with the status as JSON.

        Raises:
            ShipperError: `globs` is no list of texts.
        """
        globs = question.get("globs", [])
        if not (isinstance(globs, list) and all(isinstance(glob, str) for glob in globs)):
            raise ShipperError("'globs' must be a list of texts, such as /var/log/app/*")
        return to_json(self.status(globs))

    def files(self) -> list[FileCondition] | None:
        """Tell of every file why it is or is not being read; None when the reading loop did not say so in time."""
        return self._intake.conditions(FILES_TIMEOUT)

    def status(self, globs: Sequence[str] = (), *, with_files: bool = True) -> Status:
        """Tell how the agent is; when there are globs, list and count only the files that one of them matches."""
        files = self.files() if with_files else None
        stored, unreadable = self._read_stored()
        now, monotonic = HOST_CLOCK.now(), time.monotonic()
        engine = self._intake.engine
        vitals = Vitals(
            now,
            intake_age=monotonic - self._intake.looked_at,
            uploader_age=monotonic - self._uploader.looked_at,
            unsettled_for=monotonic - self._uploader.moved_at,
            waiting=stored.queue.events,
            pause=self._intake.pause,
            store=self._intake.store_trouble or self._uploader.store_trouble or unreadable,
            delivery=self._uploader.trouble,
            rules=self._rule_files.trouble,
            configuration=tuple(filter(None, (self._configuration.refused, self._configuration.waiting))),
            aside=frozenset() if engine.quarantine is None else engine.quarantine.aside,
            clock_offset=self._uploader.clock_offset,
            longest_wait=self._uploader.longest_wait,
            storms=tuple(
                rule for rule in stored.queue.rules if rule.events > self._limits.storm_backlog or rule.folded
            ),
            unreadable=self._intake.unreadable,
            stopping=self._stopping,
        )
        counts, failed = telemetry.counts(), self._uploader.last_trouble
        unscanned, shadow = engine.unscanned, {rule.id for rule in engine.rules if rule.shadow}
        return Status(
            judge(vitals, files),
            Process(
                version("cloudmonitor-shipper"),
                os.getpid(),
                self._started_at,
                vitals.intake_age,
                vitals.uploader_age,
                SCANNER.name,
            ),
            Reload(
                len(engine.rules),
                self._rule_files.since,
                None if vitals.rules is None else vitals.rules.reason,
                "; ".join(trouble.reason for trouble in vitals.configuration) or None,
            ),
            tuple(
                RuleHits(
                    rule,
                    each.matched,
                    each.ignored,
                    each.timed_out,
                    each.judged,
                    round(each.seconds, 6),
                    every_line=rule in unscanned,
                    shadow=rule in shadow,
                    below=each.below,
                    held=each.held,
                    redaction_failed=each.redaction_failed,
                    last=each.last,
                )
                for rule, each in engine.tallies.items()
            ),
            # a glob here means what one of `exclude` means: a path with all below it, or a name
            None
            if files is None
            else summarise((f for f in files if not globs or excluded(f.path, tuple(globs))), now),
            stored.queue,
            Delivery(
                counts.get("events_delivered", 0),
                counts.get("events_refused", 0),
                counts.get("requests_failed", 0),
                counts.get("requests_throttled", 0),
                self._uploader.accepted_at,
                self._uploader.rate if isfinite(self._uploader.rate) else None,
                None if failed is None else failed.reason,
                None if failed is None else failed.since,
                vitals.clock_offset,
            ),
            stored.losses,
            stored.bytes_read,
            stored.dead_letters,
            stored.unjudged,
            now,
        )

    def _read_stored(self) -> tuple[Stored, Trouble | None]:
        """Read the store over a connection of its own, so that no loop waits for the answer."""
        try:
            with closing(StoreReader(self._directory)) as reader:
                return read_stored(reader, self._limits.max_queue_bytes), None
        except StateError as error:
            return Stored(Queue(0, 0, self._limits.max_queue_bytes, ())), Trouble(str(error), HOST_CLOCK.now())
