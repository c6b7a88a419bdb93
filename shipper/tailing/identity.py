"""What proves that a file is still the content an offset was taken from (hazards 1.3, 1.5, 1.7, 1.8). Pure.

An inode finds a file; only content confirms it. Two stretches are hashed: the head, which grows with the file up to
`HEAD_BYTES`, and the guard, the last `GUARD_BYTES` before the offset. Inode reuse changes both, a truncation that has
already regrown past the offset changes the guard even when the head (a banner) is the same.
"""

from __future__ import annotations

from hashlib import blake2b

from shipper.events import Fingerprint

HEAD_BYTES = 1024
GUARD_BYTES = 256
_DIGEST_BYTES = 16


def fingerprint(data: bytes) -> Fingerprint:
    """Give length and hash of some bytes."""
    return Fingerprint(len(data), blake2b(data, digest_size=_DIGEST_BYTES).digest())


NOTHING = fingerprint(b"")


def confirms(expected: Fingerprint, data: bytes) -> bool:
    """Tell whether `data` begins with the bytes that `expected` was taken from; no bytes always do."""
    return len(data) >= expected.length and (not expected.length or fingerprint(data[: expected.length]) == expected)
