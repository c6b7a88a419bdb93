"""Where the content of a file went: looks for a checkpoint's bytes under other names (hazards 1.3, 1.6, 1.8)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, LogFile, confirmed
from shipper.tailing.identity import GUARD_BYTES, HEAD_BYTES
from shipper.tailing.tailer import recognises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.events import Checkpoint, FileIdentity
    from shipper.tailing.files import Files


def find_rest(
    checkpoint: Checkpoint,
    rotated: Sequence[str],
    own: frozenset[str],
    is_taken: Callable[[FileIdentity], bool],
    files: Files = HOST_FILES,
) -> tuple[str, LogFile] | None:
    """Find and open the file that holds a checkpoint's content now: by identity first, then by content alone.

    Args:
        checkpoint: what to look for; one at offset 0 can be recognised nowhere.
        rotated: further globs, absolute or relative to the file's directory, which is always searched.
        own: directories of the agent, not searched.
        is_taken: tells the files that are known as something else, so cannot be it by content.
        files: the file system.
    """
    if not checkpoint.offset:
        return None
    directory = os.path.dirname(checkpoint.path)
    globs = [f"{directory}/*", *(glob if os.path.isabs(glob) else f"{directory}/{glob}" for glob in rotated)]
    places = [(found.path, found.identity) for found in discover(globs, (), own, files).files.values()]
    same = [path for path, identity in places if identity == checkpoint.identity]
    alike = [path for path, identity in places if identity != checkpoint.identity and not is_taken(identity)]
    for path in same + alike:
        if file := confirmed(files, path, lambda opened: recognises(opened, checkpoint)):
            return path, file
    return None


def is_prefix(candidate: LogFile, of: LogFile) -> bool:
    """Tell whether a file's bytes look like the beginning of another's: its head, and the bytes at its end."""
    size = candidate.status().st_size
    if not size or size > of.status().st_size:
        return False
    head = min(size, HEAD_BYTES)
    end = max(0, size - GUARD_BYTES)
    return all(candidate.read_at(at, length) == of.read_at(at, length) for at, length in ((0, head), (end, size - end)))
