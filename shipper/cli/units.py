"""Amounts as people read them."""

from __future__ import annotations

_SIZES = ("KiB", "MiB", "GiB", "TiB")
_SPANS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def size(amount: float) -> str:
    """Give a number of bytes in the largest unit that it fills."""
    if amount < 1024:
        return f"{amount:.0f} bytes"
    for unit in _SIZES:
        amount /= 1024
        if amount < 1024 or unit == _SIZES[-1]:
            break
    return f"{amount:.1f} {unit}"


def span(seconds: float) -> str:
    """Give a time span in the largest unit that it fills."""
    for length, name in _SPANS:
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.0f} s"


def took(seconds: float) -> str:
    """Give the time that a computation took."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
