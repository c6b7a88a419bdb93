"""What SQLite and the disk say, as what it means to whoever uses the store."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shipper.errors import StateError, StoreDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Use a store's database; a failing disk passes, damage does not (hazards 5.3, 5.4).

    Raises:
        StateError: it cannot be used now.
        StoreDamagedError: its content is damaged.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        # the low byte is the kind of the error
        if isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise StoreDamagedError(f"the store {file} is damaged: {error}") from error
        raise StateError(f"the store {file} cannot be used now: {error}") from error
