"""The service without its sockets: an upload goes in, an answer comes out; accepted events are stored before it."""

from __future__ import annotations

import enum
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import orjson

from shipper import telemetry
from shipper.cloudmonitor.emulator.contract import RATE_LIMIT, Acceptance, Contract, Refusal, Request
from shipper.cloudmonitor.emulator.faults import Fault, FaultPlan
from shipper.cloudmonitor.emulator.ledger import Ledger, Receipt, Stats
from shipper.cloudmonitor.emulator.limiter import Limiter
from shipper.cloudmonitor.emulator.rpc_contract import THROTTLED, RpcContract, is_rpc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.cloudmonitor.emulator.journal import Journal
    from shipper.cloudmonitor.emulator.reported import ReportedEvent
    from shipper.cloudmonitor.emulator.settings import Settings

_PROXY_PAGE = (
    b"<html><head><title>Sign in</title></head><body><h1>Please sign in to use this network</h1></body></html>\n"
)


class Ending(enum.Enum):
    """How an exchange ends.

    Attributes:
        ANSWERED: the answer is sent, the connection stays.
        CLOSED: nothing is sent, the connection is closed.
        RESET: nothing is sent, the connection is reset.
    """

    ANSWERED = enum.auto()
    CLOSED = enum.auto()
    RESET = enum.auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    Attributes:
        status: HTTP status.
        body: the bytes.
        content_type: their type.
        ending: whether it is sent at all.
        delay: seconds to wait before.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    ending: Ending = Ending.ANSWERED
    delay: float = 0.0


def utc_now() -> datetime:
    """Give the present time."""
    return datetime.now(UTC)


class Dialect(enum.Enum):
    """How a request was put, and so how it is answered: as an upload, or as a call of the RPC API."""

    UPLOAD = enum.auto()
    RPC = enum.auto()

    def envelope(self, code: str, message: str, request_id: str) -> bytes:
        """Give an answer's body."""
        if self is Dialect.RPC:
            return orjson.dumps({"Code": code, "Message": message or "success", "RequestId": request_id})
        return orjson.dumps({"code": code, "msg": message, "requestId": request_id})


class Service:
    """Judges uploads, keeps the accounts' limits, plays the faults, stores what is accepted. For any number of threads.

    A request against the contract is refused whatever faults are asked for, and draws none: so a client's mistakes
    are never hidden, and the n-th good request meets the same fault in every run with the same seed.

    Args:
        settings: keys, limits and faults.
        journal: where accepted events go; None to keep them in memory only. The caller closes it.
        now: the clock that `Date` is judged by.
        monotonic: the clock of the rate limit, in seconds.
        on_accept: called with the events of each request after they are stored and before the answer is sent,
            from the connection's thread.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        on_accept: Callable[[Sequence[ReportedEvent]], None] | None = None,
    ) -> None:
        self._contract = Contract(settings.keys, settings.skew)
        self._rpc_contract = RpcContract(settings.keys, settings.skew)
        self._limiter = Limiter(settings.qps)
        self._faults = FaultPlan(settings.faults, settings.seed)
        self._slow = settings.slow
        self._journal = journal
        self._now = now
        self._monotonic = monotonic
        self._on_accept = on_accept
        self._ledger = Ledger(settings.remember)
        self._store_failing = False
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Take one upload, or one call, to its end."""
        request_id = _new_request_id()
        now = self._now()
        dialect = Dialect.RPC if is_rpc(request) else Dialect.UPLOAD
        with self._lock:
            contract = self._rpc_contract if dialect is Dialect.RPC else self._contract
            judgement = contract.judge(request, now)
            self._ledger.requested()
            if isinstance(judgement, Refusal):
                self._ledger.violated(judgement)
            if judgement.account is not None and not self._limiter.admit(judgement.account, self._monotonic()):
                self._ledger.throttled()
                return self._throttle(dialect, request_id)
            if isinstance(judgement, Refusal):
                return self._refuse(dialect, judgement.code, judgement.message, request_id, judgement.word)
            fault = self._faults.draw()
            if fault is not None:
                self._ledger.injected(fault)
            answer = self._fail(dialect, fault, request_id)
            if answer is not None:
                return answer
            try:
                self._accept(request, judgement, now, request_id)
            except OSError as error:
                reason = error.strerror or str(error)
                if not self._store_failing:
                    telemetry.emulator_store_failed(reason)
                self._store_failing = True
                return self._refuse(dialect, 500, f"the events could not be stored: {reason}", request_id)
            self._store_failing = False
        if self._on_accept is not None:
            self._on_accept(judgement.events)
        return self._acknowledge(dialect, fault, request_id)

    def date(self) -> str:
        """Give the server's time as a `Date` header has it."""
        return format_datetime(self._now().astimezone(UTC), usegmt=True)

    def reject(self, code: int, message: str, dialect: Dialect = Dialect.UPLOAD) -> Answer:
        """Answer what is no upload and no call, or only a part of one; not counted."""
        return Answer(code, dialect.envelope(str(code), message, _new_request_id()))

    def refuse_unread(self, message: str) -> Answer:
        """Refuse an upload whose body cannot be read because nobody knows where it ends: against the contract."""
        with self._lock:
            self._ledger.requested()
            self._ledger.violated(Refusal(400, message))
            return self._refuse(Dialect.UPLOAD, 400, message, _new_request_id())

    def _accept(self, request: Request, acceptance: Acceptance, now: datetime, request_id: str) -> None:
        received = now.isoformat(timespec="milliseconds")
        if self._journal is not None:
            self._journal.append(received, request_id, acceptance)
        first = self._ledger.events + 1
        receipt = Receipt(first, received, request_id, acceptance.account, acceptance.events, len(request.body))
        self._ledger.accepted(receipt)

    def _fail(self, dialect: Dialect, fault: Fault | None, request_id: str) -> Answer | None:
        """Give the answer of a fault that keeps the events from being accepted."""
        match fault:
            case Fault.ERROR:
                return self._refuse(dialect, 500, "internal server error (injected)", request_id, "InternalError")
            case Fault.THROTTLE:
                return self._throttle(dialect, request_id, " (injected)")
            case Fault.RESET:
                return Answer(0, b"", ending=Ending.RESET)
            case Fault.HTML:
                return Answer(200, _PROXY_PAGE, "text/html")
            case Fault.NOT_OK:
                self._ledger.refused(500)
                return Answer(200, dialect.envelope("500", "internal server error (injected)", request_id))
        return None

    def _acknowledge(self, dialect: Dialect, fault: Fault | None, request_id: str) -> Answer:
        match fault:
            case Fault.ACKLOST:
                return Answer(0, b"", ending=Ending.CLOSED)
            case Fault.SLOW:
                return Answer(200, dialect.envelope("200", "", request_id), delay=self._slow)
            case Fault.PARTIAL:
                return Answer(200, dialect.envelope("206", "partial success (injected)", request_id))
        return Answer(200, dialect.envelope("200", "", request_id))

    def _throttle(self, dialect: Dialect, request_id: str, more: str = "") -> Answer:
        if dialect is Dialect.RPC:
            word, message = THROTTLED
            return self._refuse(dialect, 400, message + more, request_id, word)
        return self._refuse(dialect, 403, RATE_LIMIT + more, request_id)

    def _refuse(self, dialect: Dialect, code: int, message: str, request_id: str, word: str = "") -> Answer:
        self._ledger.refused(code)
        said = word if word and dialect is Dialect.RPC else str(code)
        return Answer(code, dialect.envelope(said, message, request_id))

    def stats(self) -> Stats:
        """Give the counts."""
        with self._lock:
            return self._ledger.stats()

    def receipts(self, after: int = 0) -> tuple[Receipt, ...]:
        """Give the remembered requests with events numbered over `after`, oldest first."""
        with self._lock:
            return self._ledger.receipts(after)

    def violations(self) -> tuple[Refusal, ...]:
        """Give the last 1000 requests against the contract, oldest first."""
        with self._lock:
            return self._ledger.violations()


def _new_request_id() -> str:
    return str(uuid.uuid4()).upper()
