"""The contract of the RPC API's `PutCustomEvent`: what the gateway takes, and the words with which it says no.

Source of every rule: API reference, sections 5.3, 8.1 and 8.4. Pure, like `contract`. It knows both signatures: V3, and
V2, which older clients send.
"""

from __future__ import annotations

import hmac
import re
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from shipper.cloudmonitor import rpc_signing
from shipper.cloudmonitor.emulator.contract import Acceptance, AccessKey, Refusal, Request
from shipper.cloudmonitor.emulator.reported import read_events
from shipper.events import wire_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ACTION = "PutCustomEvent"
VERSION = "2019-01-01"
MAX_EVENTS = 50
"""Events of one call (section 8.1)."""
THROTTLED = ("Throttling.User", "Request was denied due to user flow control.")
"""The gateway's own words (section 5.3)."""

_METHODS = ("POST", "GET")
_MOST_NONCES = 100_000
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_FIELDS = {"EventName": "name", "Content": "content", "GroupId": "groupId", "Time": "time"}
_EVENT_FIELD = re.compile(r"EventInfo\.([1-9]\d{0,3})\.(\w+)", re.ASCII)
_AUTHORIZATION = re.compile(
    rf"{rpc_signing.ALGORITHM} Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{{64}})", re.ASCII
)


def is_rpc(request: Request) -> bool:
    """Tell whether a request is a call of the RPC API."""
    path, _, query = request.target.partition("?")
    return path == "/" and ("x-acs-action" in request.headers or "Action=" in query or _is_form(request.headers))


class _RefusedError(Exception):
    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(message)
        self.refusal = status, word, message


class RpcContract:
    """Judges calls against the keys that exist. Remembers nonces, so one lock must be around it.

    Args:
        keys: who may call.
        skew: how far the request's time may be from the server's, in seconds.
    """

    def __init__(self, keys: Iterable[AccessKey], skew: float = 900.0) -> None:
        self._keys = {key.id: key for key in keys}
        self._skew = timedelta(seconds=skew)
        self._nonces: set[str] = set()
        self._in_order: deque[str] = deque()

    def judge(self, request: Request, now: datetime) -> Acceptance | Refusal:
        """Judge one call: who asks first, then what is asked."""
        account = None
        try:
            query = _pairs(request.target.partition("?")[2])
            body = request.body.decode("utf-8", "replace") if _is_form(request.headers) else ""
            parameters = query | _pairs(body)
            if request.method not in _METHODS:
                raise _RefusedError(405, "UnsupportedHTTPMethod", "the method must be POST or GET")
            if "authorization" in request.headers:
                key = self._check_v3(request, query, now)
                action, version = request.headers.get("x-acs-action"), request.headers.get("x-acs-version")
            else:
                key = self._check_v2(request.method, parameters, now)
                action, version = parameters.get("Action"), parameters.get("Version")
            account = key.account or key.id
            if (action, version) != (ACTION, VERSION):
                raise _RefusedError(404, "InvalidAction.NotFound", f"here is only {ACTION} of version {VERSION}")
            if not key.permitted:
                raise _RefusedError(403, "Forbidden.RAM", "User not authorized to operate on the specified resource")
            return Acceptance(account, read_events(_events(parameters), wire_time(now)))
        except _RefusedError as refused:
            status, word, message = refused.refusal
            return Refusal(status, message, account, word)
        except ValueError as error:
            return Refusal(400, str(error), account, "InvalidParameter")

    def _check_v3(self, request: Request, query: Mapping[str, str], now: datetime) -> AccessKey:
        found = _AUTHORIZATION.fullmatch(request.headers["authorization"])
        if found is None:
            raise _RefusedError(400, "IncompleteSignature", f"Authorization must begin with {rpc_signing.ALGORITHM}")
        key = self._key(found[1], request.headers.get("x-acs-security-token"))
        digest = request.headers.get("x-acs-content-sha256", "")
        if digest != rpc_signing.payload_digest(request.body):
            raise _RefusedError(400, "InvalidParameter", "x-acs-content-sha256 is not the SHA-256 of the body")
        signed = found[2].split(";")
        needed = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"}
        if missing := sorted((needed | set(signed)) - request.headers.keys() | needed - set(signed)):
            raise _RefusedError(400, "IncompleteSignature", f"not sent or not signed: {', '.join(missing)}")
        canonical = rpc_signing.canonical_request(request.method, query, request.headers, signed, digest)
        self._compare(found[3], rpc_signing.v3_signature(key.secret, canonical), canonical, key)
        self._check_freshness(request.headers["x-acs-date"], request.headers["x-acs-signature-nonce"], now)
        return key

    def _check_v2(self, method: str, parameters: Mapping[str, str], now: datetime) -> AccessKey:
        for name in ("AccessKeyId", "Signature", "SignatureNonce", "Timestamp"):
            if not parameters.get(name):
                raise _RefusedError(400, f"Missing{name}", f"{name} is mandatory for this action.")
        if parameters.get("SignatureMethod") != "HMAC-SHA1" or parameters.get("SignatureVersion") != "1.0":
            raise _RefusedError(400, "InvalidParameter", "SignatureMethod must be HMAC-SHA1, SignatureVersion 1.0")
        key = self._key(parameters["AccessKeyId"], parameters.get("SecurityToken"))
        rest = {name: value for name, value in parameters.items() if name != "Signature"}
        text = rpc_signing.v2_string_to_sign(method, rest)
        self._compare(parameters["Signature"], rpc_signing.v2_signature(key.secret, text), text, key)
        self._check_freshness(parameters["Timestamp"], parameters["SignatureNonce"], now)
        return key

    def _key(self, key_id: str, token: str | None) -> AccessKey:
        key = self._keys.get(key_id)
        if key is None:
            raise _RefusedError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        if token not in key.tokens if key.tokens else token is not None:
            raise _RefusedError(
                400, "InvalidSecurityToken.MismatchWithAccessKey", "the security token is not this key's"
            )
        return key

    def _compare(self, given: str, expected: str, text: str, key: AccessKey) -> None:
        if not hmac.compare_digest(given.encode(), expected.encode()):
            for token in key.tokens:
                text = text.replace(rpc_signing.percent_encode(token), "***").replace(token, "***")
            # whole: official clients compare it with their own, to tell a wrong secret from a fault of theirs
            said = f"Specified signature is not matched with our calculation. server string to sign is:{text}"
            raise _RefusedError(400, "SignatureDoesNotMatch", said)

    def _check_freshness(self, moment: str, nonce: str, now: datetime) -> None:
        try:
            sent = datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC)
        except ValueError:
            raise _RefusedError(
                400, "InvalidTimeStamp.Format", f"{moment[:40]} is not like 2021-08-27T06:33:55Z"
            ) from None
        if abs(sent - now) > self._skew:
            raise _RefusedError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
        if nonce in self._nonces:
            raise _RefusedError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces.add(nonce)
        self._in_order.append(nonce)
        if len(self._in_order) > _MOST_NONCES:
            self._nonces.discard(self._in_order.popleft())


def _pairs(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def _is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded"


def _events(parameters: Mapping[str, str]) -> bytes:
    """Give the events of a call in the form of the upload's body, so that both are read alike."""
    events: dict[int, dict[str, str]] = {}
    for name, value in parameters.items():
        if (found := _EVENT_FIELD.fullmatch(name)) and found[2] in _FIELDS:
            events.setdefault(int(found[1]), {})[_FIELDS[found[2]]] = value
    if not events:
        raise _RefusedError(400, "MissingEventInfo", "EventInfo is mandatory for this action.")
    if len(events) > MAX_EVENTS:
        raise _RefusedError(400, "InvalidParameter", f"{len(events)} events, more than {MAX_EVENTS} in one call")
    if sorted(events) != list(range(1, len(events) + 1)):
        raise _RefusedError(400, "InvalidParameter", "EventInfo must be numbered from 1 on without a gap")
    for number, event in sorted(events.items()):
        for parameter in ("EventName", "Content"):
            if _FIELDS[parameter] not in event:
                word = f"MissingEventInfo.{number}.{parameter}"
                raise _RefusedError(400, word, f"EventInfo.{number}.{parameter} is mandatory for this action.")
    return orjson.dumps([events[number] for number in sorted(events)])
