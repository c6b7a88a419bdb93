"""Whether content was read before, under whatever name: rotation copies, renames and compresses (1.2, 1.3, 1.12).

The bytes before the place up to which it was read are compared, or where it ends before that, what is remembered of
them. Equal heads prove nothing: a program may write the same banner into each new log (hazard 1.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.archives import CompressedLog
from shipper.tailing.content import recognises
from shipper.tailing.copies import is_beginning
from shipper.tailing.identity import HEAD_BYTES
from shipper.tailing.positions import KnownContent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shipper.events import Checkpoint
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed

PROOF_BYTES = 64 * 1024


class UndecidedError(Exception):
    """Whether content was read cannot be told before more is known."""


def is_in_open_file(content: LogFile | CompressedLog, size: int, relatives: Iterable[Followed]) -> bool:
    """Tell whether a generation holds only what some open file of its family holds too, or held until now.

    Args:
        content: of the generation.
        size: its bytes on the disk.
        relatives: the open files.

    Raises:
        OSError: one of them cannot be read.
    """
    return any(_is_in(content, size, followed) for followed in relatives)


def _is_in(content: LogFile | CompressedLog, size: int, followed: Followed) -> bool:
    if followed.held:
        # its content changed: what it held is being looked for, this may be it, or a copy of its beginning
        held = KnownContent(followed.checkpoint(), followed.tailer.head, is_over=False, trail=followed.tailer.trail)
        try:
            if known_part(content, [held], goes_on=lambda _: True)[0]:
                return True
        except UndecidedError:
            return True
    file = followed.tailer.file
    if isinstance(content, CompressedLog) or followed.finite:
        # how long a compressed one is nobody knows before it is read
        beginning = content.read_at(0, PROOF_BYTES)
        return bool(beginning) and file.read_at(0, len(beginning)) == beginning
    return is_beginning(content, size, file, file.status().st_size)


def known_part(
    content: LogFile | CompressedLog, known: Iterable[KnownContent], *, goes_on: Callable[[Checkpoint], bool]
) -> tuple[bool, Checkpoint | None]:
    """Tell whether a generation was read, and where to go on if only its beginning was.

    Args:
        content: of the generation.
        known: what was read of its family.
        goes_on: tells of a position that is not over whether it will be read on where its file is.

    Returns:
        Whether nothing of it is left to be read here, and else the position up to which it was read.

    Raises:
        OSError: it cannot be read.
        UndecidedError: it may be a copy of a file that was not looked at yet, or only begin like that.
    """
    head = content.read_at(0, HEAD_BYTES)
    furthest: Checkpoint | None = None
    for each in known:
        position = each.checkpoint
        if not head or not position.offset:
            continue
        if content.reaches(position.offset):
            if recognises(content, position):
                if not content.reaches(position.offset + 1):
                    return True, None
                if not each.is_over and goes_on(position):
                    raise UndecidedError
                # its beginning may have been read in one place, and its rest in another
                if furthest is None or position.offset > furthest.offset:
                    furthest = position
        elif _is_shorter_part(content, head, each):
            return True, None
    return False, furthest


def _is_shorter_part(content: LogFile | CompressedLog, head: bytes, known: KnownContent) -> bool:
    """Tell whether content that ends before the place up to which other content was read is its beginning."""
    if not content.reaches(len(known.head) + 1):
        return known.head.startswith(head)
    if known.trail is None or not head.startswith(known.head):
        return False
    size = content.length if isinstance(content, CompressedLog) else content.status().st_size
    return known.trail.leads_through(content, size)
