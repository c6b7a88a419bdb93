"""What of a file was judged before, by which rules: told by its content, whatever its name or its compression is now.

A file that has not changed since is known by its inode. Any other content must begin as an earlier one did, and have
the checksum that was noted at the offset; it is read for that, which is quicker than judging it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.tailing.archives import CompressedLog
from shipper.tailing.content import recognises
from shipper.tailing.identity import HEAD_BYTES, confirms

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Sequence

    from shipper.outbox.passes import Pass
    from shipper.tailing.files import LogFile

    Content = LogFile | CompressedLog

STEP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rules that have the same of a file still to judge.

    Attributes:
        rules: their digests.
        start: where an earlier run came with them; None for the beginning.
        replaces: earlier passes that going on makes needless.
    """

    rules: frozenset[bytes]
    start: Pass | None = None
    replaces: tuple[int, ...] = ()


def stretches(file: Content, rules: Collection[bytes], passes: Iterable[Pass]) -> Generator[None, None, list[Stretch]]:
    """Find out what is left to judge of a file.

    Args:
        file: the file.
        rules: digests of the rules that are to judge it.
        passes: how far earlier runs came, with whatever content.

    Yields:
        None now and then, where the content has to be read to find out.

    Returns:
        What is to be judged from where; nothing when all was. Raises `OSError`.
    """
    head = file.read_at(0, HEAD_BYTES)
    candidates = [each for each in passes if each.rules & set(rules) and confirms(each.checkpoint.head, head)]
    candidates = [each for each in candidates if each.checkpoint.offset]
    trusted = [each for each in candidates if _is_unchanged(file, each)]
    stamp = _stamp(file)
    finished = [each for each in trusted if each.checkpoint.finished and stamp == (each.size, each.checkpoint.modified)]
    done = frozenset[bytes]().union(*(each.rules for each in finished))
    left = set(rules) - done
    if not left:
        return []
    doubtful = [each for each in candidates if each not in trusted]
    known = trusted + (yield from _confirmed(file, doubtful))
    return _stretches(frozenset(left), known)


def _stretches(rules: frozenset[bytes], known: Sequence[Pass]) -> list[Stretch]:
    farthest: dict[bytes, Pass | None] = dict.fromkeys(rules)
    for each in sorted(known, key=lambda one: one.checkpoint.offset):
        farthest.update(dict.fromkeys(each.rules & rules, each))
    found: dict[tuple[int, int, int], list[bytes]] = {}
    starts: dict[tuple[int, int, int], Pass | None] = {}
    for rule, start in farthest.items():
        key = (0, 0, 0) if start is None else (start.checkpoint.offset, start.begin, start.checkpoint.line)
        found.setdefault(key, []).append(rule)
        starts[key] = start
    made = []
    for key, some in sorted(found.items()):
        together = frozenset(some)
        needless = tuple(each.number for each in known if each.number is not None and each.rules <= together)
        made.append(Stretch(together, starts[key], needless))
    return made


def _is_unchanged(file: Content, earlier: Pass) -> bool:
    """Tell whether it is the file that it was, so that what was noted of it holds without reading it."""
    if not earlier.checkpoint.identity.may_be(file.identity):
        return False
    if not isinstance(file, CompressedLog):
        return recognises(file, earlier.checkpoint)
    return _stamp(file) == (earlier.size, earlier.checkpoint.modified)


def _stamp(file: Content) -> tuple[int, int]:
    status = file.status()
    return status.st_size, status.st_mtime_ns


def _confirmed(file: Content, doubtful: Sequence[Pass]) -> Generator[None, None, list[Pass]]:
    """Read a content, and give the passes whose checksums it has."""
    confirmed: list[Pass] = []
    for begin in sorted({each.begin for each in doubtful}):
        place, checksum = begin, 0
        for each in sorted((one for one in doubtful if one.begin == begin), key=lambda one: one.checkpoint.offset):
            while place < each.checkpoint.offset:
                data = file.read_at(place, min(STEP_BYTES, each.checkpoint.offset - place))
                if not data:
                    break
                checksum = zlib.crc32(data, checksum)
                place += len(data)
                yield
            if place < each.checkpoint.offset:
                # it ends before, and so it does for those behind
                break
            if checksum == each.checksum:
                confirmed.append(each)
    return confirmed
