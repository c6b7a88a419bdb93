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

_DIGEST_BYTES = 16


def event_id(hostname: str, head: bytes, offset: int, record: bytes, rule: str) -> str:
    """Give the id of the event that a rule makes of a record: 32 hex digits."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for field in (hostname.encode("utf-8", "replace"), head, b"%d" % offset, record, rule.encode("utf-8", "replace")):
        digest.update(len(field).to_bytes(8))
        digest.update(field)
    return digest.hexdigest()
