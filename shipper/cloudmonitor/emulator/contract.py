"""The contract of `/event/custom/upload`: what the service takes, and the words with which it says no.

Source of every rule: API reference, sections 2, 3, 5 and 16. Pure: a request and the time go in, a judgement
comes out. Where the reference leaves a choice the stricter one is taken, so that a client that passes here has
no bad habit.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shipper.cloudmonitor import signing
from shipper.cloudmonitor.emulator.reported import ReportedEvent, read_events
from shipper.events import wire_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UPLOAD_PATH = "/event/custom/upload"
MAX_BODY_BYTES = 500_000
"""500 KB; whether the service means 1000 or 1024 is not documented: the smaller reading is enforced."""
NO_PERMISSION = "cannot upload event, please use ram to auth"
"""The service's own words (API reference, section 5.3)."""
RATE_LIMIT = "rate limit exceeded: too many requests in one second for this account"
"""Contains `rate limit`, which the Java SDK looks for (API reference, section 5.3)."""

_METHODS = ("POST", "PUT")
_SIGNATURE = re.compile(r"[0-9A-F]{40}", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{1,2}) (" + "|".join(_MONTHS) + r") (\d{4}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)
_MAX_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key that may upload.

    Attributes:
        id: the AccessKey id, the part of `Authorization` before the colon.
        secret: what signatures are made with; never shown.
        tokens: STS tokens that are valid with this key; empty for a lasting key.
        permitted: False for a user whose policy does not allow uploading events.
        account: keys of one account share its rate limit; empty means the key's id.
    """

    id: str
    secret: str = field(repr=False)
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    permitted: bool = True
    account: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as received.

    Attributes:
        method: the verb.
        target: path and query as sent.
        headers: names in lower case, values without the white space around them.
        body: the bytes; of a body over the limit at least the first `MAX_BODY_BYTES + 1`.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The request keeps the contract.

    Attributes:
        account: whom it counts for.
        events: what it reports; never empty.
    """

    account: str
    events: tuple[ReportedEvent, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request breaks the contract.

    Attributes:
        code: HTTP status and `code` of the answer.
        message: `msg` of the answer; names what is wrong.
        account: whom the request counts for; None when that is not known.
        word: `Code` of the answer where it is a word: of the RPC API.
    """

    code: int
    message: str
    account: str | None = None
    word: str = ""


class _RefusedError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Contract:
    """Judges requests against the keys that exist.

    Args:
        keys: who may upload.
        skew: how far `Date` may be from the server's time, in seconds; the RPC gateway's 15 minutes by default.
    """

    def __init__(self, keys: Iterable[AccessKey], skew: float = 900.0) -> None:
        self._keys = {key.id: key for key in keys}
        self._skew = timedelta(seconds=skew)

    def judge(self, request: Request, now: datetime) -> Acceptance | Refusal:
        """Judge one upload.

        Who asks is judged before what is asked: 403 for the key, its signature, token, date and permission, then
        400 for headers and body.

        Args:
            request: the request as received.
            now: the server's time, aware.
        """
        account = None
        try:
            _check_route(request)
            key = self._authenticate(request)
            account = key.account or key.id
            self._check_date(request, now)
            if not key.permitted:
                raise _RefusedError(403, NO_PERMISSION)
            _check_headers(request)
            _check_body(request)
            try:
                events = read_events(request.body, wire_time(now))
            except ValueError as error:
                raise _RefusedError(400, str(error)) from None
        except _RefusedError as refused:
            return Refusal(refused.code, refused.message[:_MAX_MESSAGE], account)
        return Acceptance(account, events)

    def _authenticate(self, request: Request) -> AccessKey:
        authorization = request.headers.get("authorization", "")
        key_id, colon, given = authorization.partition(":")
        if not (key_id and colon and given):
            raise _RefusedError(403, "Authorization must be <AccessKeyId>:<signature>")
        key = self._keys.get(key_id)
        if key is None:
            raise _RefusedError(403, "the AccessKey id in Authorization is not known")
        _check_token(request, key)
        signed = signing.sign_string(request.method, request.target, request.headers)
        expected = signing.signature(key.secret, signed)
        if not _SIGNATURE.fullmatch(given):
            raise _RefusedError(403, "the signature in Authorization must be 40 upper-case hex digits")
        if not hmac.compare_digest(given, expected):
            shown = signed
            for token in key.tokens:
                shown = shown.replace(token, "***")
            raise _RefusedError(403, f"the signature does not match; server string to sign is:{shown}")
        return key

    def _check_date(self, request: Request, now: datetime) -> None:
        text = request.headers.get("date", "")
        moment = _read_date(text)
        if moment is None:
            raise _RefusedError(403, "the date header must be like Fri, 27 Aug 2021 06:33:55 GMT")
        if abs(moment - now) > self._skew:
            minutes = self._skew.total_seconds() / 60
            raise _RefusedError(403, f"the date header is more than {minutes:g} minutes off the server's time")


def _check_route(request: Request) -> None:
    if request.target.partition("?")[0] != UPLOAD_PATH:
        raise _RefusedError(404, f"nothing is here; events are uploaded to {UPLOAD_PATH}")
    if request.method not in _METHODS:
        raise _RefusedError(405, f"the method must be {' or '.join(_METHODS)}")


def _check_token(request: Request, key: AccessKey) -> None:
    """Judge the STS headers, which three official clients send and no page documents (section 10.5)."""
    token = request.headers.get("x-cms-security-token")
    caller = request.headers.get("x-cms-caller-type")
    if token is None:
        if caller is not None:
            raise _RefusedError(403, "x-cms-caller-type is sent without the header x-cms-security-token")
        if key.tokens:
            raise _RefusedError(403, "this AccessKey is temporary: the security token is missing")
        return
    if caller != "token":
        raise _RefusedError(403, "a security token needs the header x-cms-caller-type: token")
    if token not in key.tokens:
        raise _RefusedError(403, "the security token is not known or has expired")


def _read_date(text: str) -> datetime | None:
    """Read an RFC 1123 date in GMT with English names; the day may have one digit."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second = found.groups()
    try:
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None


def _check_headers(request: Request) -> None:
    headers = request.headers
    if headers.get("content-type") != "application/json":
        raise _RefusedError(400, "Content-Type must be exactly application/json, without a charset")
    if headers.get("x-cms-api-version") != "1.0":
        raise _RefusedError(400, "the header x-cms-api-version must be 1.0")
    if headers.get("x-cms-signature") != "hmac-sha1":
        raise _RefusedError(400, "the header x-cms-signature must be hmac-sha1")
    if not headers.get("x-cms-ip"):
        raise _RefusedError(400, "the header x-cms-ip is missing")


def _check_body(request: Request) -> None:
    body = request.body
    if len(body) > MAX_BODY_BYTES:
        raise _RefusedError(400, f"the body is over 500 KB ({MAX_BODY_BYTES} bytes)")
    if not body:
        raise _RefusedError(400, "the body is empty; it must be a JSON array of events")
    if request.headers.get("content-length") != str(len(body)):
        raise _RefusedError(400, "Content-Length is missing or is not the number of the body's bytes")
    if request.headers.get("content-md5", "").upper() != signing.content_md5(body):
        raise _RefusedError(400, "Content-MD5 is missing or is not the hex MD5 of the body's bytes")
