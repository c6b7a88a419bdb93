r"""Cuts bytes into whole records: lines that end in \n, none longer than the limit (hazards 3.1, 3.2). Pure.

Offsets count bytes and are taken before decoding; nothing here changes a byte.
"""

from __future__ import annotations

FIRST_LINE_BYTES = 64 * 1024
_UTF8_CONTINUATION = range(0x80, 0xC0)


def whole_records(data: bytes, limit: int) -> int:
    """Tell how many bytes at the start of `data` are whole lines of at most `limit` bytes each.

    Args:
        data: bytes from the start of a line on.
        limit: the longest line, its newline not counted.

    Returns:
        The length of the longest such prefix; 0 when the first line is unfinished or over the limit
        (`line_is_over(data, limit)` tells which).
    """
    end = data.rfind(b"\n") + 1
    start = 0
    # one backward search per `limit` bytes finds every line that is too long without visiting the short ones
    while end - start > limit:
        newline = data.rfind(b"\n", start, start + limit + 1)
        if newline < 0:
            return start
        start = newline + 1
    return end


def line_is_over(data: bytes, limit: int) -> bool:
    """Tell whether the first line in `data` is longer than `limit` bytes, finished or not."""
    return len(data) > limit and data.find(b"\n", 0, limit + 1) < 0


def cut_head(data: bytes, limit: int) -> int:
    """Give the length of the head to keep of a line over the limit: never through a UTF-8 character."""
    end = limit
    while end > limit - 3 and data[end] in _UTF8_CONTINUATION:
        end -= 1
    # four continuation bytes in a row are no UTF-8: then any cut is as good
    return limit if data[end] in _UTF8_CONTINUATION else end


def strip_terminator(line: bytes) -> bytes:
    r"""Take away exactly one \n and then one \r (hazard 3.3)."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def first_line(data: bytes) -> tuple[bytes, bool]:
    """Give the first line of a file, at most `FIRST_LINE_BYTES`, without its terminator; and whether it is final."""
    newline = data.find(b"\n", 0, FIRST_LINE_BYTES)
    if newline >= 0:
        return strip_terminator(data[: newline + 1]), True
    return data[:FIRST_LINE_BYTES], len(data) >= FIRST_LINE_BYTES
