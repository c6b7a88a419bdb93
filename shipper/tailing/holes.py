"""NULs in logs: the hole that a writer without O_APPEND leaves (hazard 1.4), and space allocated in advance (3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from shipper.tailing.content import Content


@runtime_checkable
class Sparse(Protocol):
    """Content that may have holes."""

    def data_after(self, offset: int) -> int:
        """Give where data begin at or behind an offset; the file's size when there are none."""


def is_nul(data: bytes) -> bool:
    """Tell whether there is something, and nothing but NULs."""
    return data.endswith(b"\0") and data == bytes(len(data))


def padding(content: Content, offset: int, data: bytes, *, may_go_on: bool) -> int:
    """Count the NULs at an offset that reach to the end of the file; 0 when something follows, or may.

    Args:
        content: the file.
        offset: where `data` were read.
        data: what is there.
        may_go_on: whether there may be more behind `data`.
    """
    if not is_nul(data):
        return 0
    if not may_go_on:
        return len(data)
    file: object = content
    if not isinstance(file, Sparse):
        return 0
    end = file.data_after(offset + len(data))
    return 0 if content.reaches(end + 1) else end - offset


def hole_at(content: Content, offset: int, width: int) -> int:
    """Give the bytes of a hole at an offset, a multiple of `width`: it need not be read, however large it is."""
    file: object = content
    if not isinstance(file, Sparse):
        return 0
    found = file.data_after(offset) - offset
    return found - found % width
