"""Changes the dead letters of backfills, which lie in a store of their own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from shipper.backfill.store import LOCK, STORE
from shipper.cloudmonitor import batching
from shipper.errors import StateError
from shipper.outbox.lock import StateLock
from shipper.outbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def change(directory: Path, deed: str, ids: Sequence[int] | None) -> list[int]:
    """Retry or drop dead letters, or drop places; what is to be sent again, the next backfill sends.

    Args:
        directory: the state directory.
        deed: `retry`, `drop` or `drop_places`.
        ids: their numbers; None means all.

    Returns:
        The numbers of those that were there.

    Raises:
        StateError: a backfill is running, or there is no store, or it cannot be used.
    """
    if not (directory / STORE).exists():
        raise StateError(f"there is no store of backfills in {directory}: none has run with this state_dir yet")
    with closing(StateLock(directory, *LOCK)), closing(Store(directory, batching.encode, STORE)) as store:
        return list(getattr(store.dead_letters, deed)(ids))
