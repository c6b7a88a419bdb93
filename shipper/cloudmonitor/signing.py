"""The signature of an upload request: HMAC-SHA1 over the verb, three headers, the `x-cms` headers and the target.

Source of every rule: API reference, section 3; known answers in section 12. The client signs with it and the
emulator verifies with it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNED_PREFIXES = ("x-cms-", "x-acs-")


def content_md5(body: bytes) -> str:
    """Give the value of `Content-MD5`: the body's MD5 in upper-case hex, not base64."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest().upper()


def canonical_headers(headers: Mapping[str, str]) -> str:
    """Give the service's own headers (`x-cms-*`, `x-acs-*`) as `name:value` lines.

    Names are lower-cased, names and values trimmed, lines sorted by name; no newline at the end.
    """
    lines = []
    for name, value in headers.items():
        folded = name.strip().lower()
        if folded.startswith(_SIGNED_PREFIXES):
            lines.append((folded, value.strip()))
    return "\n".join(f"{name}:{value}" for name, value in sorted(lines))


def canonical_resource(target: str) -> str:
    """Give the request target with its query parameters sorted by name; values are not encoded again."""
    path, mark, query = target.partition("?")
    if not mark:
        return path
    parameters = sorted(query.split("&"), key=lambda parameter: parameter.partition("=")[0])
    return f"{path}?{'&'.join(parameters)}"


def sign_string(method: str, target: str, headers: Mapping[str, str]) -> str:
    """Give the text that is signed.

    Args:
        method: the verb as sent.
        target: path and query as sent.
        headers: all headers as sent, names in any case. The lines for `Content-MD5`, `Content-Type` and `Date`
            are their texts as sent; an absent header leaves its line empty.
    """
    sent = {name.strip().lower(): value for name, value in headers.items()}
    return "\n".join(
        (
            method,
            sent.get("content-md5", ""),
            sent.get("content-type", ""),
            sent.get("date", ""),
            canonical_headers(headers),
            canonical_resource(target),
        )
    )


def signature(secret: str, sign_string: str) -> str:
    """Give the 40 upper-case hex digits that follow the key id in `Authorization`."""
    return hmac.new(secret.encode(), sign_string.encode(), "sha1").hexdigest().upper()
