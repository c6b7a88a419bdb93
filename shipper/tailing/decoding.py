"""Encodings as reading needs them: how wide a character is at least, and what a newline looks like (hazard 3.4). Pure.

Offsets are bytes and lines are cut before anything is decoded. In UTF-16 the byte 0x0A may be half of another
character: so newlines are looked for at multiples of the code unit only.
"""

from __future__ import annotations

import codecs

BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARK_BYTES = 4
DECIDED_BY_MARK = frozenset({"auto", "utf-16", "utf-32"})


def may_become_mark(encoding: str, head: bytes) -> bool:
    """Tell whether what is there of a file is the beginning of a byte order mark that would decide its codec."""
    return encoding in DECIDED_BY_MARK and any(mark.startswith(head) and mark != head for mark, _ in BOMS)


def resolve(encoding: str, head: bytes) -> str:
    """Give the codec of a file: `auto`, `utf-16` and `utf-32` are decided by its byte order mark.

    Args:
        encoding: as configured.
        head: the file's first `MARK_BYTES` bytes.
    """
    if encoding not in DECIDED_BY_MARK:
        return encoding
    family = "" if encoding == "auto" else encoding
    for mark, codec in BOMS:
        if head.startswith(mark) and codec.startswith(family):
            return codec
    return "utf-8" if encoding == "auto" else f"{encoding}-le"


def newline_of(encoding: str) -> bytes:
    r"""Give how \n is written."""
    return "\n".encode(encoding)


def find_newline(data: bytes, newline: bytes, start: int, end: int) -> int:
    """Give where the next newline at a multiple of its own width begins, -1 if there is none."""
    width = len(newline)
    at = data.find(newline, start, end)
    while width > 1 and at >= 0 and at % width:
        at = data.find(newline, at + 1, end)
    return at


def find_last_newline(data: bytes, newline: bytes) -> int:
    """Give where the last newline at a multiple of its own width begins, -1 if there is none."""
    width = len(newline)
    at = data.rfind(newline)
    while width > 1 and at >= 0 and at % width:
        at = data.rfind(newline, 0, at + width - 1)
    return at


def mark_of(encoding: str) -> bytes:
    """Give the byte order mark that a file in this encoding may begin with."""
    return next((mark for mark, codec in BOMS if codec == encoding), b"")
