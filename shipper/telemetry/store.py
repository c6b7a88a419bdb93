"""What is told of the store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shipper.telemetry import journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def store_set_aside(
    file: str,
    aside: str,
    reason: str,
    *,
    kept: Mapping[str, int],
    partial: Sequence[str],
    missing_events: int,
    missing_dead_letters: int,
    reread: bool,
) -> None:
    """Tell that a damaged store is moved away, and what of it is in the new one (hazard 5.3).

    Args:
        file: the store.
        aside: where the damaged one is kept.
        reason: what is wrong with it.
        kept: rows in the new one, by table.
        partial: tables that could not be read as a whole.
        missing_events: waiting events known to be missing.
        missing_dead_letters: dead letters known to be missing, counted as lost.
        reread: whether all files are read again, for the sake of waiting events that may be missing.
    """
    journal.count("stores_set_aside")
    names = {"files": "positions", "outbox": "waiting events", "dead_letters": "dead letters"}
    # a backfill's positions are those of contents
    counts = {**kept, "files": kept["files"] + kept.get("passes", 0)}
    saved = ", ".join(f"{counts[table]} {name}" for table, name in names.items())
    sentence = f"The store {file} is damaged ({reason}) and is set aside as {aside}; {saved} are saved from it. "
    if partial:
        sentence += f"Not all could be read of: {', '.join(names.get(table, table) for table in partial)}. "
    if missing_dead_letters:
        sentence += f"{missing_dead_letters} dead letters are missing by their numbers (events lost, store_damaged). "
    if reread:
        known = f" ({missing_events} are missing by their numbers)" if missing_events else ""
        sentence += f"Since waiting events may be missing{known}, all files are read again from their beginning"
    else:
        sentence += "Files without a position are read from their beginning"
    journal.tell(
        logging.ERROR,
        "store_set_aside",
        f"{sentence}, so events may arrive twice.",
        file=file,
        aside=aside,
        reason=reason,
        kept=dict(kept),
        partial=list(partial),
        missing_events=missing_events,
        missing_dead_letters=missing_dead_letters,
        reread=reread,
    )


def store_damaged(reason: str) -> None:
    """Tell that damage of the store came to light while it was in use: the agent ends (hazard 5.3)."""
    journal.count("store_failures")
    journal.tell(
        logging.ERROR,
        "store_damaged",
        f"{reason}. The agent ends; its next start sets the store aside and saves from it what can be read.",
        reason=reason,
    )


def store_migrated(file: str, before: int, after: int, copy: str) -> None:
    """Tell that an older store is brought to this version, and where it is kept as it was (hazard 10.4)."""
    journal.tell(
        logging.INFO,
        "store_migrated",
        f"The store {file} is brought from version {before} to {after}; as it was it is kept as {copy}.",
        file=file,
        before=before,
        after=after,
        copy=copy,
    )


def events_dropped(amount: int, *, told: bool = False) -> None:
    """Tell that waiting events were dropped since the queue is full; while it stays so, further ones are counted."""
    journal.count("events_dropped", amount)
    if told:
        return
    journal.tell(
        logging.ERROR,
        "events_dropped",
        f"{amount} waiting events are dropped, the oldest first: the queue holds more than max_queue_bytes, and "
        "overflow is 'drop_oldest'. Until there is room again further ones are only counted (events lost, "
        "queue_full).",
        events=amount,
    )


def store_failing(reason: str) -> None:
    """Tell, once, that the store cannot be written: reading waits, nothing is lost (hazard 5.4)."""
    journal.count("store_failures")
    journal.tell(logging.ERROR, "store_failing", f"Reading waits: {reason}.", reason=reason)


def store_recovered() -> None:
    """Tell that the store can be written again."""
    journal.tell(logging.INFO, "store_recovered", "The store can be written again; reading goes on.")
