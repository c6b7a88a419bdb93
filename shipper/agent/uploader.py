"""The second loop: waiting events → batches → the service → verdicts settled in the outbox.

An event leaves the outbox when the service accepted it, or as a dead letter when it was refused alone; whatever
else is answered, it stays and is sent again. The first event on a quiet line goes at once; then a batch that is not
full waits for more, at most `linger`.
"""

from __future__ import annotations

import random
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.pauses import Pauses
from shipper.agent.refusals import Refusals
from shipper.agent.sending import Sending
from shipper.agent.trouble import Trouble
from shipper.cloudmonitor.verdict import Verdict, judge
from shipper.errors import StateError
from shipper.outbox.dead_letters import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from shipper.agent.clock import WaitingClock
    from shipper.agent.send_slots import SendSlots
    from shipper.cloudmonitor.client import Client
    from shipper.cloudmonitor.verdict import Answer
    from shipper.config.model import CloudMonitorTable
    from shipper.outbox.store import Store, Waiting

STORE_RETRY = 1.0
IDLE_WAIT = 10.0
KEEP_RATE_EVERY = 60.0


class Uploader:
    """Sends what waits. `run` is called in a thread of its own; `wake` and `drain` by any other.

    Attributes:
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
        slots: SendSlots | None = None,
        clock: WaitingClock = HOST_CLOCK,
        most: int | None = None,
    ) -> None:
        """Prepare; nothing is sent before `run`.

        Args:
            store: where events wait.
            client: sends encoded events and gives the answer.
            settings: rate, linger, and how old an event may be.
            max_dead_letters: how many refused events are kept.
            delivered: called after events were acknowledged and removed.
            slots: shared with others of this host; None shares with nobody.
            clock: tells the time.
            most: how many events are delivered; what waits beyond stays. None for all.
        """
        self._store = store
        self._left = most
        self._limits = client.limits
        self._linger = settings.linger if settings.max_requests_per_second else 0.0
        self._max_dead_letters = max_dead_letters
        self._delivered = delivered
        self._clock = clock
        self._pauses = Pauses(clock)
        self._paced = bool(settings.max_requests_per_second)
        self._sending = Sending(client, settings, self._pauses, clock, rate=store.send_rate, slots=slots)
        self._rate_kept_at = clock.monotonic()
        self._refusals = Refusals()
        self._account_refuses = False
        self._looked_at = self._idle_at = clock.monotonic()
        self.store_trouble: Trouble | None = None

    @property
    def looked_at(self) -> float:
        """When the loop last began something, monotonic; while it waits on purpose, now."""
        waits = min(self._pauses.until, self._clock.monotonic())
        return max(self._sending.looked_at, self._looked_at, waits)

    @property
    def rate(self) -> float:
        """Requests a second that are this host's share as far as is known; infinite without pacing."""
        return self._sending.rate

    @property
    def longest_wait(self) -> float:
        """Seconds that a batch waits for its turn at most, while the service answers."""
        return self._sending.longest_wait

    @property
    def has_enough(self) -> bool:
        """Whether as many events were delivered as were wanted."""
        return self._left == 0

    @property
    def moved_at(self) -> float:
        """When an answer last settled events, or there was nothing to send, monotonic."""
        return max(self._sending.moved_at, self._idle_at)

    @property
    def accepted_at(self) -> datetime | None:
        """When the service last accepted events, aware; None before the first time."""
        return self._sending.accepted_at

    @property
    def trouble(self) -> Trouble | None:
        """Why events cannot be delivered; None while they can."""
        return self._sending.trouble

    @property
    def last_trouble(self) -> Trouble | None:
        """The same, also after it has passed; None when there never was any."""
        return self._sending.last_trouble

    @property
    def clock_offset(self) -> float:
        """Seconds that the service's clock is ahead, where requests are dated with it; else 0."""
        return self._sending.clock_offset

    def run(self) -> None:
        """Work until `drain` was called and the outbox is empty or the time is up."""
        while not self._is_over():
            self._looked_at = self._clock.monotonic()
            try:
                events = self._next_batch()
                if events:
                    self._deliver(events)
                else:
                    self._idle_at = self._clock.monotonic()
                self.store_trouble = None
                if self._clock.monotonic() - self._rate_kept_at >= KEEP_RATE_EVERY:
                    self._keep_rate()
            except StateError as error:
                # what was acknowledged is sent again after a failed delete: at least once, never lost
                telemetry.delivery_waits_for_store(str(error))
                self.store_trouble = self.store_trouble or Trouble(str(error), self._clock.now())
                self._pauses.rest(STORE_RETRY)

        with suppress(StateError):
            # a store that fails has been told of
            self._keep_rate()

    def _keep_rate(self) -> None:
        self._rate_kept_at = self._clock.monotonic()
        rate = self._sending.found_rate
        if self._paced and rate is not None:
            self._store.keep_send_rate(rate)

    def wake(self) -> None:
        """Say that new events wait."""
        self._pauses.wake()

    def drain(self, seconds: float) -> None:
        """Send what is left, for at most so long, and let `run` return."""
        self._pauses.drain(seconds)

    def _is_over(self) -> bool:
        return self._pauses.draining and (self._store.waiting_count == 0 or self._pauses.is_late or self.has_enough)

    def _next_batch(self) -> list[Waiting]:
        """Give the events to send now; waits for some, and for more while a batch is not full and just one went."""
        self._pauses.look()
        if not self._store.waiting_count or self.has_enough:
            self._pauses.idle(IDLE_WAIT)
            return []
        if not self._is_full() and not self._pauses.draining:
            rest = self._sending.sent_at + self._linger - self._clock.monotonic()
            if rest > 0:
                self._pauses.idle(rest)
                if self._sending.sent_at + self._linger > self._clock.monotonic():
                    return []
        if not self._sending.take_turn(more=self._store.waiting_count > self._limits.events):
            return []
        events = self._due()
        # while all are refused each try is another one: it may be that only some are to be
        return [random.choice(events)] if self._account_refuses and events else events  # noqa: S311  no secret

    def _is_full(self) -> bool:
        """Tell whether what waits fills a request; costs no query."""
        count = self._store.waiting_count
        # with what stands around and between them
        return count >= self._limits.events or self._store.waiting_bytes + count + 1 > self._limits.total

    def _due(self) -> list[Waiting]:
        """Give the events whose turn it is, as many as one request takes, in the order in which they were made."""
        most = self._limits.events
        events = self._store.next_events(most if self._left is None else min(most, self._left))
        return sorted(events[: self._limits.take(event.payload for event in events)], key=attrgetter("seq"))

    def _deliver(self, events: Sequence[Waiting]) -> None:
        """Send a batch; a refused one is halved until the refused event is alone (spec, section 6)."""
        pending = [events]
        while pending:
            part = pending.pop()
            more = self._store.waiting_count > len(part)
            payloads = [event.payload for event in part]
            answer = self._sending.send(payloads, more=more, probing=self._account_refuses)
            if answer is None:
                # the time is up: what was not settled waits for the next start
                return
            if judge(answer) is Verdict.ACCEPTED:
                self._accept(part)
            elif len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
            elif not self._refuse(part[0], answer):
                return

    def _accept(self, events: Sequence[Waiting]) -> None:
        self._refusals.end()
        self._account_refuses = False
        self._store.acknowledge(events)
        if self._left is not None:
            self._left -= len(events)
        telemetry.events_delivered(len(events))
        if self._delivered is not None:
            self._delivered(events)

    def _refuse(self, event: Waiting, answer: Answer) -> bool:
        """Settle an event that was refused alone; False when it is the whole account that is refused."""
        if self._account_refuses:
            self._sending.hold(answer)
            return False
        refusal = Refusal(answer.code or str(answer.status), answer.message or answer.excerpt, answer.request_id)
        letter = self._store.bury(event, refusal, limit=self._max_dead_letters)
        telemetry.event_refused(event.rule, event.event_id, refusal.code, refusal.message)
        if not self._refusals.refused(letter, event.rule, refusal):
            return True
        back = self._store.dead_letters.retry(self._refusals.letters)
        telemetry.refusals_taken_back(len(back), f"{refusal.code}: {refusal.message}")
        self._refusals.end()
        self._account_refuses = True
        self._sending.hold(answer)
        return False
