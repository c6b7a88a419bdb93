"""The wire form of events, and how many of them one request can carry (spec, section 5; API reference, sections 4, 6).

An event is a compact JSON object in raw UTF-8. One that is larger than a request is cut at a character boundary,
and says at its end how much is missing. Everything is measured on the encoded JSON, so escapes count.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from shipper.events import wire_time
from shipper.printable import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shipper.events import Event

MAX_EVENTS = 100
"""Events one request may hold."""

MAX_BYTES = 500_000
"""Bytes one request's body may have, brackets and commas included; the service says "500 KB" (section 6)."""

_BRACKETS = 2
_LARGEST_MARK = 64  # more than `… [cut N bytes]` can need for any N that memory holds


def encode(event: Event) -> bytes:
    """Give an event as it travels, cut to what one request can carry. Never fails on any text."""
    return encode_bounded(event.name, event.content, event.group_id, wire_time(event.time))


def encode_bounded(name: str, content: str, group_id: int, time: str) -> bytes:
    """Give the wire form of an event, cut to what one request can carry.

    The name is bounded first, so that at least the mark of the cut content fits beside it.

    Args:
        name: the event's name.
        content: its details; what is cut of it is replaced by `… [cut N bytes]`, N in bytes of its UTF-8.
        group_id: application group, 0 for none.
        time: as the service wants it, see `events.wire_time`.
    """
    whole = encode_whole(name, content, group_id, time)
    room = MAX_BYTES - _BRACKETS
    if len(whole) <= room:
        return whole
    frame = len(encode_whole("", "", group_id, time))
    name = _cut(encodable(name), room - frame - _LARGEST_MARK)
    content = _cut(encodable(content), room - len(encode_whole(name, "", group_id, time)))
    return encode_whole(name, content, group_id, time)


def encode_whole(name: str, content: str, group_id: int, time: str) -> bytes:
    """Give the wire form of an event of any size; what JSON cannot hold (lone surrogates) becomes U+FFFD."""
    try:
        return orjson.dumps({"content": content, "groupId": group_id, "name": name, "time": time})
    except orjson.JSONEncodeError:
        return orjson.dumps(
            {"content": encodable(content), "groupId": group_id, "name": encodable(name), "time": encodable(time)}
        )


def body(payloads: Sequence[bytes]) -> bytes:
    """Join encoded events to the JSON array that one request posts."""
    return b"[" + b",".join(payloads) + b"]"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request of a transport may hold.

    Attributes:
        events: how many events.
        total: bytes of all of them together, with what stands around and between them.
        size: gives the bytes that an encoded event takes in the request.
    """

    events: int
    total: int
    size: Callable[[bytes], int] = len

    def take(self, payloads: Iterable[bytes]) -> int:
        """Tell how many encoded events, from the first on, fit one request.

        At least 1 when there is any: an event that is too large by itself is for the service to refuse.
        """
        count = 0
        needed = _BRACKETS
        for payload in payloads:
            needed += self.size(payload) + (1 if count else 0)
            if count and (count == self.events or needed > self.total):
                break
            count += 1
        return count

    def require(self, payloads: Sequence[bytes]) -> None:
        """Refuse what does not fit one request.

        Raises:
            ValueError: there are none, too many, or they are too large.
        """
        if not 0 < len(payloads) <= self.events:
            raise ValueError(f"one request takes 1 to {self.events} events, not {len(payloads)}")
        needed = _BRACKETS + sum(map(self.size, payloads)) + len(payloads) - 1
        if needed > self.total:
            raise ValueError(f"one request takes {self.total:,} bytes, these events need {needed:,}")


UPLOAD = Limits(MAX_EVENTS, MAX_BYTES)
"""The upload's (section 6)."""


def _quoted(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:
        return orjson.dumps(encodable(text))


def _cut(text: str, room: int) -> str:
    """Give `text`, or as much of its beginning as fits `room` bytes of JSON together with the mark."""
    if len(_quoted(text)) - 2 <= room:
        return text
    total = len(text.encode())

    def cut_at(length: int) -> str:
        kept = text[:length]
        return f"{kept}… [cut {total - len(kept.encode())} bytes]"

    # a longer head never needs less room: each character costs at least a byte, the mark's number shrinks by a
    # digit at most; and no head of more characters than `room` has bytes can fit
    lengths = range(min(len(text), room) + 1)
    return cut_at(bisect_right(lengths, room, key=lambda length: len(_quoted(cut_at(length))) - 2) - 1)
