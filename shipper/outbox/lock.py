"""One agent per state directory: a lock that the kernel frees when its holder dies, however it dies (hazard 5.7)."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from shipper.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path


class StateLock:
    """Holds `FILE` in the state directory for as long as it is not closed; the pid inside is for the message only."""

    def __init__(self, directory: Path, name: str = "agent.lock", holder: str = "agent") -> None:
        """Take the lock, making the directory (0700) if need be.

        Raises:
            StateError: another process holds it, or the directory cannot be written.
        """
        path = directory / name
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"the state directory {directory} cannot be written: {error.strerror}; "
                "give state_dir a directory that this user may write"
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StateError(
                f"the state directory {directory} is in use by another {holder} (pid {pid or 'unknown'}); "
                "stop it, or give this one its own state_dir"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)
