"""Whether content was read before, under whatever name: rotation copies, renames and compresses (1.2, 1.3, 1.12).

Heads are compared, and where there is more than was read, the bytes before that place. Short content is compared as a
whole: a log that begins with a banner has the head of the one before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.archives import CompressedLog
from shipper.tailing.copies import SURE_BYTES, is_beginning
from shipper.tailing.identity import HEAD_BYTES, confirms
from shipper.tailing.positions import KnownContent
from shipper.tailing.tailer import recognises

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.events import Checkpoint
    from shipper.tailing.files import LogFile
    from shipper.tailing.followed import Followed


def is_in_open_file(content: LogFile | CompressedLog, size: int, relatives: Iterable[Followed]) -> bool:
    """Tell whether a generation holds only what some open file of its family holds too, or held until now.

    Args:
        content: of the generation.
        size: its bytes on the disk.
        relatives: the open files.

    Raises:
        OSError: one of them cannot be read.
    """
    head = content.read_at(0, HEAD_BYTES)
    return any(_is_in(content, size, head, followed) for followed in relatives)


def _is_in(content: LogFile | CompressedLog, size: int, head: bytes, followed: Followed) -> bool:
    if followed.held:
        # its content changed: what it held is being looked for, this may be it, or a copy of its beginning
        held = KnownContent(followed.checkpoint(), followed.tailer.head, is_over=False)
        if known_part(content, [held])[0]:
            return True
    file = followed.tailer.file
    if isinstance(content, CompressedLog) or followed.finite:
        mine = file.read_at(0, HEAD_BYTES)
        if len(mine) < HEAD_BYTES:
            return bool(head) and mine.startswith(head)
        return head == mine
    return is_beginning(content, size, file, file.status().st_size)


def known_part(content: LogFile | CompressedLog, known: Iterable[KnownContent]) -> tuple[bool, Checkpoint | None]:
    """Tell whether a generation was read, and where to go on if only its beginning was.

    Args:
        content: of the generation.
        known: what was read of its family.

    Returns:
        Whether nothing of it is left to be read here, and else the position up to which it was read.

    Raises:
        OSError: it cannot be read.
    """
    head = content.read_at(0, HEAD_BYTES)
    furthest: Checkpoint | None = None
    for each in known:
        position = each.checkpoint
        if not head or not position.offset:
            continue
        if content.reaches(position.offset):
            if recognises(content, position):
                if not (each.is_over and content.reaches(position.offset + 1)):
                    return True, None
                # its beginning may have been read in one place, and its rest in another
                if furthest is None or position.offset > furthest.offset:
                    furthest = position
        elif _is_shorter_part(content, head, each):
            return True, None
    return False, furthest


def _is_shorter_part(content: LogFile | CompressedLog, head: bytes, known: KnownContent) -> bool:
    """Tell whether content that ends before the place up to which other content was read is its beginning."""
    if known.head:
        length = min(len(known.head), len(head))
        return known.head[:length] == head[:length] and (length >= SURE_BYTES or not content.reaches(length + 1))
    return known.checkpoint.head.length >= SURE_BYTES and confirms(known.checkpoint.head, head)
