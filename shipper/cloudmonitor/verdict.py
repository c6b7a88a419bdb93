"""What the service answered, and what that means for the batch (spec, section 6; API reference, sections 5.1-5.4).

Every rule leans towards keeping events: only an answer that surely accepts them counts as accepted, and what nobody
understands is tried again.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCERPT_CHARACTERS = 200
"""How much of a body that is no answer is kept for the log (API reference, section 5.4, rule 6)."""

LONGEST_RETRY_AFTER = 300.0
"""Seconds: whatever an answer asks for, the agent looks again after five minutes."""
UNCLEAR_TRIES = 3
"""How many 403 of unknown meaning in a row are taken for throttling (API reference, section 5.4, rule 4)."""

_MESSAGE_CHARACTERS = 1000
_THROTTLE_WORDS = ("rate limit", "flow control", "throttl", "too many", "qps", "speed")
_ACCOUNT_WORDS = (
    *("ram to auth", "signature", "accesskey", "access key", "token", "expired", "forbidden", "denied"),
    *("authori", "verification"),  # the documented causes of a 403: not authorised, verification failed (section 5.2)
)
_ACCOUNT_STATUSES = frozenset({401, 404, 405, 407, 415, 451})
# a gateway in front of the service says its code in words, often with HTTP 400 (section 5.3, rows "RPC")
_GATEWAY_CODES = (
    ("throttling", "SLOW_DOWN"),
    ("signaturenonceused", "RETRY"),
    ("signature", "ACCOUNT"),
    ("invalidaccesskeyid", "ACCOUNT"),
    ("invalidsecuritytoken", "ACCOUNT"),
    ("invalidtimestamp", "ACCOUNT"),
    ("forbidden", "ACCOUNT"),
    ("nopermission", "ACCOUNT"),
    ("internalerror", "RETRY"),
    ("serviceunavailable", "RETRY"),
)
_NUMBER = re.compile(r"[1-9][0-9]{2}")
_STRING_TO_SIGN = re.compile(r"string[\W_]*to[\W_]*sign", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the service, or of what stood between.

    Attributes:
        status: the HTTP status.
        code: the body's `code` as text; empty when the body is not readable.
        message: the service's words, bounded, without the signed text that some answers echo (it holds the token).
        request_id: the service's id of the request, empty when it gave none.
        excerpt: the beginning of a body that is not readable; empty otherwise.
        server_date: the header `Date`, aware; None when absent or not readable.
        retry_after: seconds that it asks to wait; 0 when it asks for none.
    """

    status: int
    code: str = ""
    message: str = ""
    request_id: str = ""
    excerpt: str = ""
    server_date: datetime | None = None
    retry_after: float = 0.0


class Verdict(enum.Enum):
    """What an answer means for the batch that it answers.

    Attributes:
        ACCEPTED: the service has the events.
        RETRY: nothing is known, or a temporary fault; send again after a backoff.
        SLOW_DOWN: too fast for the account; halve the rate and send again.
        SPLIT: something in this body is at fault; find the event by halving.
        ACCOUNT: credentials, permission or address are at fault; keep everything, tell the operator, probe slowly.
        UNCLEAR: a 403 whose words are unknown; `settle_unclear` tells which of two it counts as.
    """

    ACCEPTED = "accepted"
    RETRY = "retry"
    SLOW_DOWN = "slow down"
    SPLIT = "split"
    ACCOUNT = "account"
    UNCLEAR = "unclear"


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Make an `Answer` of what came over HTTP. Never fails, whatever came.

    Args:
        status: the HTTP status.
        headers: the answer's headers; looked up as `Date` and `Retry-After`.
        body: what was read of the body, UTF-8 JSON if all is well.
    """
    date = _read_date(headers.get("Date"))
    retry_after = _read_retry_after(headers.get("Retry-After"), date)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    code = _text(found, "code", "Code") if isinstance(found, dict) else ""
    if not code:
        excerpt = _bounded(body.decode("utf-8", "replace"), EXCERPT_CHARACTERS)
        return Answer(status, excerpt=excerpt, server_date=date, retry_after=retry_after)
    return Answer(
        status,
        code,
        _bounded(_text(found, "msg", "message", "Message"), _MESSAGE_CHARACTERS),
        _bounded(_text(found, "requestId", "RequestId"), EXCERPT_CHARACTERS),
        server_date=date,
        retry_after=retry_after,
    )


def judge(answer: Answer) -> Verdict:
    """Tell what an answer means. Success is HTTP 200 and code 200 (or 206, which is worth a log line), nothing else."""
    if answer.code and not _NUMBER.fullmatch(answer.code):
        for prefix, name in _GATEWAY_CODES:
            if answer.code.lower().startswith(prefix):
                return Verdict[name]
    number = _deciding_number(answer)
    if number == 403:
        return _judge_403(answer.message or answer.excerpt)
    if number in {200, 206}:
        verdict = Verdict.ACCEPTED if _NUMBER.fullmatch(answer.code) else Verdict.RETRY
    elif number in {400, 413, 414}:
        verdict = Verdict.SPLIT
    elif number in {408, 429}:
        verdict = Verdict.SLOW_DOWN
    elif number in _ACCOUNT_STATUSES or 300 <= number < 400:
        verdict = Verdict.ACCOUNT
    else:
        verdict = Verdict.RETRY
    return verdict


def settle_unclear(verdict: Verdict, in_a_row: int) -> Verdict:
    """Decide an UNCLEAR verdict; any other passes unchanged.

    Args:
        verdict: what `judge` said.
        in_a_row: how many answers were UNCLEAR without another between, this one included.

    Returns:
        SLOW_DOWN for the first `UNCLEAR_TRIES`, then ACCOUNT.
    """
    if verdict is not Verdict.UNCLEAR:
        return verdict
    return Verdict.SLOW_DOWN if in_a_row <= UNCLEAR_TRIES else Verdict.ACCOUNT


def _deciding_number(answer: Answer) -> int:
    """Choose between HTTP status and body code.

    The code wins over HTTP 200. Beside a 4xx it is the more precise of two refusals. Beside anything else (a broken
    gateway, a redirect) it is not the service that spoke last, so the status stands.
    """
    if not _NUMBER.fullmatch(answer.code):
        return answer.status
    code = int(answer.code)
    if answer.status in {200, 206}:
        return answer.status if code == 200 else code
    if 400 <= answer.status < 500 and code >= 400:
        return code
    return answer.status


def _judge_403(said: str) -> Verdict:
    """Tell the three causes of a 403 apart; throttling first, its texts also say "denied"."""
    words = said.lower()
    if any(word in words for word in _THROTTLE_WORDS):
        return Verdict.SLOW_DOWN
    if any(word in words for word in _ACCOUNT_WORDS):
        return Verdict.ACCOUNT
    return Verdict.UNCLEAR


def _text(found: Mapping[str, object], *names: str) -> str:
    for name in names:
        value = found.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _bounded(text: str, limit: int) -> str:
    echo = _STRING_TO_SIGN.search(text)
    if echo:
        text = f"{text[: echo.end()]} [masked]"
    return text if len(text) <= limit else text[:limit] + "…"


def _read_retry_after(text: str | None, now: datetime | None) -> float:
    """Read seconds, or a date, which counts from the answer's own (RFC 9110, section 10.2.3)."""
    if text and text.strip().isascii() and text.strip().isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    moment = _read_date(text)
    if moment is None or now is None:
        return 0.0
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_AFTER)


def _read_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
