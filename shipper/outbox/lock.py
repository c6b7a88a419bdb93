"""One agent per state directory: a lock that the kernel frees when its holder dies, however it dies (hazard 5.7)."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from shipper.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

# `holder` takes the lock for an instant, which must not keep an agent from starting
_TRIES = 3
_BETWEEN_TRIES = 0.05


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
        if not self._take():
            pid = _pid_in(self._descriptor)
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

    def _take(self) -> bool:
        for number in range(_TRIES):
            time.sleep(_BETWEEN_TRIES if number else 0)
            if _flock(self._descriptor, fcntl.LOCK_EX):
                return True
        return False


def holder_of(directory: Path, name: str = "agent.lock") -> str | None:
    """Tell which process holds the lock of a state directory, without making anything there.

    Returns:
        Its process id as text, `"unknown"` when it has not written it yet; None when nobody holds the lock.

    Raises:
        StateError: the lock is not to be read by this user.
    """
    try:
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(
            f"the state directory {directory} cannot be read: {error.strerror}; run this as the agent's user or as root"
        ) from None
    try:
        return None if _flock(descriptor, fcntl.LOCK_SH) else _pid_in(descriptor) or "unknown"
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _pid_in(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
