"""The signatures of the RPC API: V3 (`ACS3-HMAC-SHA256`), which we send, and V2, which older clients send.

Source of every rule: API reference, section 8.4; known answers in section 12.3. The client signs with the first; the
emulator verifies both. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "ACS3-HMAC-SHA256"


def percent_encode(text: str) -> str:
    """Encode for a query or a form as RFC 3986 wants it: only letters, digits and `-_.~` stay."""
    return quote(text, safe="-_.~")


def form(parameters: Mapping[str, str]) -> str:
    """Give parameters as a query or form has them, sorted by name."""
    return "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in sorted(parameters.items()))


def payload_digest(body: bytes) -> str:
    """Give the value of `x-acs-content-sha256`."""
    return hashlib.sha256(body).hexdigest()


def canonical_request(
    method: str, query: Mapping[str, str], headers: Mapping[str, str], signed: Iterable[str], digest: str
) -> str:
    """Give the text whose hash V3 signs.

    Args:
        method: the verb as sent.
        query: the parameters of the target, decoded.
        headers: as sent; names in lower case.
        signed: names of the headers that are signed, in lower case.
        digest: of the body, see `payload_digest`.
    """
    names = sorted(signed)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    return "\n".join((method, "/", form(query), lines, ";".join(names), digest))


def v3_signature(secret: str, canonical: str) -> str:
    """Give the lower-case hex digits of a V3 signature."""
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), f"{ALGORITHM}\n{hashed}".encode(), "sha256").hexdigest()


def v2_string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Give the text that V2 signs.

    Args:
        method: the verb as sent.
        parameters: all of query and body but `Signature`, decoded.
    """
    return f"{method}&%2F&{percent_encode(form(parameters))}"


def v2_signature(secret: str, string_to_sign: str) -> str:
    """Give a V2 signature, base64."""
    digest = hmac.new(f"{secret}&".encode(), string_to_sign.encode(), "sha1").digest()
    return base64.b64encode(digest).decode()
