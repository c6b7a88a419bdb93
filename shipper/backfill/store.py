"""How the store and the lock of backfills are called in a state directory (spec, section 6)."""

from __future__ import annotations

from typing import Final

STORE: Final = "backfill.db"
LOCK: Final = ("backfill.lock", "backfill")
