"""Strings as TOML 1.0 has them. Pure."""

from __future__ import annotations

import json


def basic_string(text: str) -> str:
    """Give text in double quotes; marks that are not seen, or turn text around, are written out.

    Raises:
        ValueError: it holds half a character, which TOML cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate)") from None
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return json.dumps(char)[1:-1] if ord(char) < 0x20 else f"\\U{ord(char):08x}"
