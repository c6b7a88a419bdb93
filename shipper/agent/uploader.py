"""The second loop: waiting events → batches → the service → verdicts settled in the outbox.

An event leaves the outbox when the service accepted it, or as a dead letter when it was refused alone; whatever
else is answered, it stays and is sent again. The first event on a quiet line goes at once; then a batch that is not
full waits for more, at most `linger`.
"""

from __future__ import annotations

import random
import threading
import time
from operator import attrgetter
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.trouble import Trouble
from shipper.cloudmonitor.pacing import Pacer, backoff
from shipper.cloudmonitor.verdict import Verdict, judge, settle_unclear
from shipper.errors import CredentialsError, StateError, TransportError
from shipper.outbox.dead_letters import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from shipper.cloudmonitor.client import Client
    from shipper.cloudmonitor.verdict import Answer
    from shipper.config.model import CloudMonitorTable
    from shipper.outbox.store import Store, Waiting

PROBE_INTERVAL = 60.0
SLOWED_TOLD_EVERY = 60.0
STORE_RETRY = 1.0
IDLE_WAIT = 10.0


class Uploader:
    """Sends what waits. `run` is called in a thread of its own; `wake` and `drain` by any other.

    Attributes, for those who ask how it is:
        looked_at: when the loop last began something, monotonic; it waits at most `PROBE_INTERVAL` between.
        moved_at: when an answer last settled events or there was nothing to send, monotonic.
        accepted_at: when the service last accepted events, aware; None before the first time.
        trouble: why events cannot be delivered; None while they can.
        store_trouble: why answers cannot be noted in the store; None while they can.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        settings: CloudMonitorTable,
        *,
        max_dead_letters: int,
        delivered: Callable[[Sequence[Waiting]], None] | None = None,
    ) -> None:
        """Prepare; nothing is sent before `run`.

        Args:
            store: where events wait.
            client: sends a body and gives the answer.
            settings: rate and linger.
            max_dead_letters: how many refused events are kept.
            delivered: called after events were acknowledged and removed.
        """
        self._store = store
        self._client = client
        self._linger = settings.linger if settings.max_requests_per_second else 0.0
        self._max_dead_letters = max_dead_letters
        self._delivered = delivered
        self._pacer = Pacer(settings.max_requests_per_second)
        self._wake = threading.Event()
        self._interrupt = threading.Event()
        self._deadline: float | None = None
        self._failures = 0
        self._unclear = 0
        self.looked_at = self.moved_at = time.monotonic()
        self.accepted_at: datetime | None = None
        self.trouble: Trouble | None = None
        self.store_trouble: Trouble | None = None
        self._sent_at = float("-inf")
        self._slowed_told_at = float("-inf")

    def run(self) -> None:
        """Work until `drain` was called and the outbox is empty or the time is up."""
        while not self._is_over():
            self.looked_at = time.monotonic()
            try:
                events = self._next_batch()
                if events:
                    self._deliver(events)
                else:
                    self.moved_at = time.monotonic()
                self.store_trouble = None
            except StateError as error:
                # what was acknowledged is sent again after a failed delete: at least once, never lost
                telemetry.delivery_waits_for_store(str(error))
                self.store_trouble = self.store_trouble or Trouble(str(error), HOST_CLOCK.now())
                self._pause(STORE_RETRY)

    def wake(self) -> None:
        """Say that new events wait."""
        self._wake.set()

    def drain(self, seconds: float) -> None:
        """Send what is left, for at most so long, and let `run` return."""
        self._deadline = time.monotonic() + seconds
        self._interrupt.set()
        self._wake.set()

    def _is_over(self) -> bool:
        if self._deadline is None:
            return False
        return self._store.waiting_count == 0 or time.monotonic() >= self._deadline

    def _next_batch(self) -> list[Waiting]:
        """Give the events to send now; waits for some, and for more while a batch is not full and just one went."""
        self._wake.clear()
        events, is_full = self._due()
        if not events:
            if self._deadline is None:
                self._wake.wait(IDLE_WAIT)
            return []
        if not is_full and self._deadline is None:
            rest = self._sent_at + self._linger - time.monotonic()
            if rest > 0:
                self._wake.wait(rest)
                if self._sent_at + self._linger > time.monotonic():
                    return []
                events, _ = self._due()
        return events

    def _due(self) -> tuple[list[Waiting], bool]:
        """Give the events whose turn it is, in the order in which they were made; and whether no more would fit."""
        limits = self._client.limits
        events = self._store.next_events(limits.events)
        fitting = limits.take(event.payload for event in events)
        is_full = fitting < len(events) or fitting == limits.events
        return sorted(events[:fitting], key=attrgetter("seq")), is_full

    def _deliver(self, events: Sequence[Waiting]) -> None:
        """Send a batch; a refused one is halved until the refused event is alone (spec, section 6)."""
        pending = [events]
        while pending:
            part = pending.pop()
            answer = self._send(part)
            if answer is None:
                # the time is up: what was not settled waits for the next start
                return
            if judge(answer) is Verdict.ACCEPTED:
                self._store.acknowledge(part)
                telemetry.events_delivered(len(part))
                if self._delivered is not None:
                    self._delivered(part)
            elif len(part) == 1:
                refusal = Refusal(
                    answer.code or str(answer.status), answer.message or answer.excerpt, answer.request_id
                )
                self._store.bury(part[0], refusal, limit=self._max_dead_letters)
                telemetry.event_refused(part[0].rule, part[0].event_id, refusal.code, refusal.message)
            else:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]

    def _send(self, events: Sequence[Waiting]) -> Answer | None:
        """Send until the service accepts or refuses the body itself; None when the time is up before that."""
        payloads = [event.payload for event in events]
        while self._pause(self._pacer.wait(time.monotonic())):
            self._sent_at = self.looked_at = time.monotonic()
            self._pacer.sent(self._sent_at)
            try:
                answer = self._client.deliver(payloads)
            except (TransportError, CredentialsError) as error:
                person = isinstance(error, CredentialsError)
                self._fail(str(error), backoff(self._failures, random.random), needs_person=person)
                continue
            verdict = judge(answer)
            self._unclear = self._unclear + 1 if verdict is Verdict.UNCLEAR else 0
            verdict = settle_unclear(verdict, self._unclear)
            if verdict in {Verdict.ACCEPTED, Verdict.SPLIT}:
                self._succeed(answer, verdict)
                return answer
            self._wait_after(answer, verdict)
        return None

    def _wait_after(self, answer: Answer, verdict: Verdict) -> None:
        """Wait as long as an answer that is neither acceptance nor refusal asks for."""
        words = f"HTTP {answer.status}, code {answer.code or 'unreadable'}: {answer.message or answer.excerpt}"
        wait = PROBE_INTERVAL if verdict is Verdict.ACCOUNT else backoff(self._failures, random.random)
        if verdict is Verdict.ACCOUNT:
            words += ". Nothing is dropped; the next try is in a minute"
        if verdict is Verdict.SLOW_DOWN:
            self._pacer.throttled(time.monotonic())
            if not self._unclear:
                self._slow_down(words, wait)
                return
        self._fail(words, wait, needs_person=verdict is Verdict.ACCOUNT)

    def _slow_down(self, words: str, wait: float) -> None:
        """Obey the service's limit; this is ordinary, so it is told once a minute at most."""
        self._failures += 1
        telemetry.request_throttled()
        now = time.monotonic()
        if now - self._slowed_told_at >= SLOWED_TOLD_EVERY:
            self._slowed_told_at = now
            telemetry.slowed_down(self._pacer.rate, words)
        self._pause(wait)

    def _succeed(self, answer: Answer, verdict: Verdict) -> None:
        if verdict is Verdict.ACCEPTED:
            self._pacer.accepted(time.monotonic())
            if answer.code != "200":
                telemetry.accepted_with_remark(answer.code, answer.message)
            self.accepted_at = HOST_CLOCK.now()
        self.moved_at = time.monotonic()
        if self.trouble is not None:
            telemetry.delivery_recovered(self._failures)
        self.trouble = None
        self._failures = 0

    def _fail(self, words: str, wait: float, *, needs_person: bool) -> None:
        """Tell trouble once, and again only when its words change; then wait."""
        self._failures += 1
        telemetry.request_failed()
        if self.trouble is None or words != self.trouble.reason:
            since = self.trouble.since if self.trouble else HOST_CLOCK.now()
            self.trouble = Trouble(words, since, needs_person)
            telemetry.delivery_failing(words)
        self._pause(wait)

    def _pause(self, seconds: float) -> bool:
        """Wait; a drain that begins cuts it short once, its deadline in any case. False when the time is up."""
        if self._deadline is None:
            if seconds > 0:
                self._interrupt.wait(seconds)
            return True
        rest = self._deadline - time.monotonic()
        if seconds > 0:
            # nobody sets this one any more: a plain wait with a bound
            threading.Event().wait(max(0.0, min(seconds, rest)))
        return time.monotonic() < self._deadline
