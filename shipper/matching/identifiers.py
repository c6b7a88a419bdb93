"""`{id}`: the same for live reading, retry, restart, renamed, copied or compressed files and backfill (spec, 4).

BLAKE2b with a digest of 16 bytes, in hex, over these fields, each as its length in 8 bytes (big endian) and its bytes:

1. the hostname (UTF-8),
2. the file's first line without its terminator, at most its first 64 KiB (uncompressed content),
3. the record's byte offset in the uncompressed content (decimal digits),
4. the record's bytes as they are in the file, without the terminator of its last line,
5. the rule's id (UTF-8).

Receivers drop duplicates by it: this layout never changes.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

_DIGEST_BYTES = 16
_SIZE = Struct(">Q").pack


class EventIds:
    """The ids of the events that one rule makes on one host. Not safe for use by two threads."""

    def __init__(self, hostname: str, rule: str) -> None:
        """Prepare."""
        self._host = _field(hostname.encode("utf-8", "replace"))
        self._rule = _field(rule.encode("utf-8", "replace"))
        self._head: bytes | None = None

    def of(self, head: bytes, offset: int, record: bytes) -> str:
        """Give the id of the event of a record: 32 hex digits.

        Args:
            head: the file's first line, see above.
            offset: of the record.
            record: its bytes.
        """
        if head is not self._head:
            # one file after the other: a first line may be long
            self._head, self._begun = head, blake2b(self._host + _field(head), digest_size=_DIGEST_BYTES)
        digest = self._begun.copy()
        at = b"%d" % offset
        digest.update(b"".join((_SIZE(len(at)), at, _SIZE(len(record)), record, self._rule)))
        return digest.hexdigest()


def _field(data: bytes) -> bytes:
    return _SIZE(len(data)) + data
