"""Text from elsewhere as people may be shown it: log lines, file names, answers of servers (hazards 10.1, 10.3)."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """Escape what could steer a terminal, forge a log line or hide: control characters, but not what people write."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def printable_path(path: str) -> str:
    r"""Give a path as text that JSON can hold: bytes that are no UTF-8 become `\xNN` (hazard 10.3)."""
    return _SURROGATE.sub(_written_out, path)


def encodable(text: str) -> str:
    """Give text that can be encoded: half a character (a lone surrogate), as a file's name may hold, becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
