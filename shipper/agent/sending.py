"""Sends one batch again and again until the service accepts or refuses it, at a pace that the service bears."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.episodes import Episodes
from shipper.agent.trouble import Trouble
from shipper.cloudmonitor.advice import advise
from shipper.cloudmonitor.aging import redated
from shipper.cloudmonitor.pacing import Pacer, backoff
from shipper.cloudmonitor.verdict import Verdict, judge, settle_unclear
from shipper.errors import CredentialsError, TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shipper.agent.clock import Clock
    from shipper.agent.pauses import Pauses
    from shipper.agent.send_slots import SendSlots
    from shipper.cloudmonitor.client import Client
    from shipper.cloudmonitor.verdict import Answer
    from shipper.config.model import CloudMonitorTable

PROBE_INTERVAL = 60.0
SLOWED_TOLD_EVERY = 60.0
_NEXT_TRY = "the next try is in a minute"


class Sending:
    """Belongs to the uploader's thread; its attributes are for those who ask how it is.

    Attributes:
        looked_at: when it last began something, monotonic.
        sent_at: when a request last went out, monotonic.
        moved_at: when an answer last settled events, monotonic.
        accepted_at: when the service last accepted events, aware; None before the first time.
        trouble: why events cannot be delivered; None while they can.
        last_trouble: the same, also after it has passed; None when there never was any.
        clock_offset: seconds that the service's clock is ahead, where requests are dated with it; else 0.
    """

    def __init__(
        self,
        client: Client,
        settings: CloudMonitorTable,
        pauses: Pauses,
        clock: Clock,
        *,
        rate: float | None = None,
        slots: SendSlots | None = None,
    ) -> None:
        """Prepare.

        Args:
            client: sends encoded events and gives the answer.
            settings: rate, and how old an event may be.
            pauses: waits.
            clock: tells the time.
            rate: what an earlier run found; None when there was none.
            slots: shared with others of this host; None shares with nobody.
        """
        self._client = client
        self._max_age = timedelta(seconds=settings.max_event_age)
        self._pauses = pauses
        self._clock = clock
        self._pacer = Pacer(settings.max_requests_per_second, random=random.random, rate=rate)
        self._slots = slots if settings.max_requests_per_second else None
        self._has_turn = False
        self._failures = 0
        self._episodes = Episodes()
        self._unclear = 0
        self.looked_at = self.moved_at = clock.monotonic()
        self.sent_at = self._slowed_told_at = float("-inf")
        self.accepted_at: datetime | None = None
        self.trouble: Trouble | None = None
        self.last_trouble: Trouble | None = None
        self.clock_offset = 0.0

    @property
    def rate(self) -> float:
        """Requests a second that are this host's share as far as is known; infinite without pacing."""
        return self._pacer.rate

    @property
    def found_rate(self) -> float | None:
        """The same to be kept for the next start; None as long as little is known of it."""
        return self._pacer.found_rate

    def send(self, payloads: Sequence[bytes], *, more: bool = False, probing: bool = False) -> Answer | None:
        """Send until the service accepts or refuses these events themselves; None when the time is up before that.

        Args:
            payloads: the encoded events.
            more: whether there are others to send after them.
            probing: whether a refusal would only say that there is the same trouble as before.
        """
        while self._has_turn or self.take_turn(more=more):
            self._has_turn = False
            self.sent_at = self.looked_at = self._clock.monotonic()
            self._pacer.sent(self.sent_at)
            try:
                answer = self._client.deliver(self._presentable(payloads))
            except (TransportError, CredentialsError) as error:
                self._fail_without_answer(error)
                continue
            self._note_clock()
            verdict = judge(answer)
            self._unclear = self._unclear + 1 if verdict is Verdict.UNCLEAR else 0
            verdict = settle_unclear(verdict, self._unclear)
            if verdict in {Verdict.ACCEPTED, Verdict.SPLIT}:
                self._pacer.accepted(self._clock.monotonic())
                self._note_rate()
                if verdict is Verdict.ACCEPTED or not probing:
                    self._succeed(answer, verdict)
                return answer
            self._wait_after(answer, verdict)
        return None

    @property
    def longest_wait(self) -> float:
        """Seconds that a request waits for its turn at most."""
        return self._pacer.longest_wait

    def take_turn(self, *, more: bool) -> bool:
        """Wait until the next request may go: what waits is put together after that, for it may take a minute.

        Args:
            more: whether there is more to send than one request takes.

        Returns:
            False when the time is up before that.
        """
        if self._slots is not None and (rate := self._slots.other_rate(self._clock.monotonic())) is not None:
            self._pacer.adopt(rate)
        if not self._pauses.rest(self._pacer.wait(self._clock.monotonic())):
            return False
        while self._slots is not None:
            wait = self._slots.claim(self._clock.monotonic(), 1 / self._pacer.rate, more=more)
            if not wait:
                break
            if not self._pauses.rest(wait):
                return False
        self._has_turn = True
        return True

    def _note_rate(self) -> None:
        rate = self._pacer.found_rate
        if self._slots is not None and rate is not None:
            self._slots.found(self._clock.monotonic(), rate)

    def hold(self, answer: Answer) -> None:
        """Wait as after a refusal of the whole account: so many events were refused with the same words."""
        words = f"all events are refused with the same words: {_words(answer)}. Nothing is dropped; {_NEXT_TRY}"
        self._fail(_kind(answer), words, PROBE_INTERVAL, needs_person=True)

    def _presentable(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """Give the events as they are to be sent now: not older than `max_event_age`."""
        if not self._max_age:
            return payloads
        now = (self._clock.now() + timedelta(seconds=self.clock_offset)).astimezone()
        presented = [(payload, redated(payload, now, self._max_age)) for payload in payloads]
        telemetry.events_redated(sum(late is not None for _, late in presented))
        return [late or payload for payload, late in presented]

    def _note_clock(self) -> None:
        offset = self._client.clock_offset
        if bool(offset) != bool(self.clock_offset):
            if offset:
                telemetry.clock_off(offset)
            else:
                telemetry.clock_right()
        self.clock_offset = offset

    def _wait_after(self, answer: Answer, verdict: Verdict) -> None:
        """Wait as long as an answer that is neither acceptance nor refusal of these events asks for."""
        words = _words(answer)
        advice = advise(answer)
        if advice is not None:
            words += f" ({advice.meaning}; what to do: {advice.action})"
        if verdict is Verdict.ACCOUNT:
            if self._client.renew_credentials():
                # temporary keys may have been taken back before their time
                return
            words = f"{words}. Nothing is dropped; {_NEXT_TRY}"
            self._fail(_kind(answer), words, PROBE_INTERVAL, needs_person=True)
            return
        wait = max(backoff(self._failures, random.random), answer.retry_after)
        if verdict is Verdict.SLOW_DOWN:
            self._pacer.throttled(self._clock.monotonic())
            self._note_rate()
            if not self._unclear:
                self._slow_down(words, answer.retry_after)
                return
        self._fail(_kind(answer), words, wait)

    def _fail_without_answer(self, error: TransportError | CredentialsError) -> None:
        words, is_ours = str(error), isinstance(error, CredentialsError)
        if isinstance(error, TransportError) and error.action:
            words += f" (what to do: {error.action})"
        self._fail(words, words, backoff(self._failures, random.random), needs_person=is_ours)

    def _slow_down(self, words: str, wait: float) -> None:
        """Obey the service's limit; this is ordinary, so it is told once a minute at most."""
        self._failures += 1
        telemetry.request_throttled()
        now = self._clock.monotonic()
        if now - self._slowed_told_at >= SLOWED_TOLD_EVERY:
            self._slowed_told_at = now
            telemetry.slowed_down(self._pacer.rate, words)
        self._pauses.rest(wait)

    def _succeed(self, answer: Answer, verdict: Verdict) -> None:
        if verdict is Verdict.ACCEPTED:
            if answer.code != "200":
                telemetry.accepted_with_remark(answer.code, answer.message)
            self.accepted_at = self._clock.now()
        self.moved_at = self._clock.monotonic()
        if self._episodes.ends():
            telemetry.delivery_recovered(self._failures, self._episodes.take_untold())
        self.trouble = None
        self._failures = 0

    def _fail(self, kind: str, words: str, wait: float, *, needs_person: bool = False) -> None:
        """Note trouble, tell it where it is news, and wait."""
        self._failures += 1
        telemetry.request_failed()
        if self.trouble is None or words != self.trouble.reason:
            since = self.trouble.since if self.trouble else self._clock.now()
            self.trouble = self.last_trouble = Trouble(words, since, needs_person)
        if self._episodes.fails(kind, self._clock.monotonic()):
            telemetry.delivery_failing(words, self._episodes.take_untold())
        self._pauses.rest(wait)


def _kind(answer: Answer) -> str:
    """Give what tells kinds of trouble apart: words may hold the number of a request."""
    return f"{answer.status} {answer.code}"


def _words(answer: Answer) -> str:
    return f"HTTP {answer.status}, code {answer.code or 'unreadable'}: {answer.message or answer.excerpt}"
