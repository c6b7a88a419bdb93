"""What is told of the files that are read, and of what tells that they changed."""

from __future__ import annotations

import logging

from shipper.telemetry import journal

FEW = 20
"""Of so many files alike, in one look at the directories, each is told; how many more there were is one line."""


def file_found(path: str, offset: int, *, quietly: bool = False) -> None:
    """Tell that a file is read from now on; `quietly` when it is one of many."""
    journal.count("files_found")
    said = f"Reading {path} from offset {offset}."
    journal.tell(logging.INFO, "file_found", said, quietly=quietly, path=path, offset=offset)


def file_resumed(path: str, offset: int, *, quietly: bool = False) -> None:
    """Tell that a known file is read on from its checkpoint; `quietly` when it is one of many."""
    journal.count("files_resumed")
    said = f"Reading {path} on from offset {offset}."
    journal.tell(logging.INFO, "file_resumed", said, quietly=quietly, path=path, offset=offset)


def more_files(source: str, amount: int) -> None:
    """Tell how many more files of a source are read from now on."""
    said = f"Reading {amount} more files of source '{source}'; `shipper status --all` lists them."
    journal.tell(logging.INFO, "more_files", said, source=source, amount=amount)


def file_rewritten(path: str, offset: int, copy: str | None) -> None:
    """Tell that a file was truncated or its content replaced (hazards 1.3, 1.5)."""
    journal.count("files_rewritten")
    rest = f"what was left unread is read from {copy}" if copy else "no copy holds more of what it was"
    journal.tell(
        logging.INFO,
        "file_rewritten",
        f"{path} was truncated or rewritten after offset {offset}; {rest}; the file is read from 0.",
        path=path,
        offset=offset,
    )


def file_finished(path: str, offset: int) -> None:
    """Tell that a rotated or deleted file was read to its end and closed."""
    journal.count("files_finished")
    journal.tell(logging.INFO, "file_finished", f"Finished {path} at offset {offset}.", path=path, offset=offset)


def rest_found(path: str, before: str, offset: int) -> None:
    """Tell that the rest of a rotated file was found under another name (hazard 1.6)."""
    journal.count("rests_found")
    journal.tell(
        logging.INFO,
        "rest_found",
        f"{path} holds what is left of {before}; reading it from offset {offset}.",
        path=path,
        before=before,
        offset=offset,
    )


def generation_found(path: str, of: str) -> None:
    """Tell that a generation came and was rotated away between two looks, and is read now (hazard 1.2)."""
    journal.count("generations_found")
    journal.tell(
        logging.INFO,
        "generation_found",
        f"{path} was rotated away from {of} before it was seen; reading it from its beginning.",
        path=path,
        of=of,
    )


def rest_not_found(path: str, offset: int) -> None:
    """Tell that a file went away while nobody looked; whether something was left unread is not known (hazard 1.6)."""
    journal.count("rests_not_found")
    journal.tell(
        logging.WARNING,
        "rest_not_found",
        f"{path}, read up to offset {offset}, was rotated or deleted while the agent was down and is not found "
        "in its directory nor under the source's `rotated` globs; lines after that offset, if any, are not read.",
        path=path,
        offset=offset,
    )


def file_skipped(path: str, source: str, reason: str, *, quietly: bool = False) -> None:
    """Tell, once for each reason, why a path that a source matches is not read; `quietly` when it is one of many."""
    journal.count("files_skipped")
    journal.tell(
        logging.WARNING,
        "file_skipped",
        f"{path} (source '{source}') is not read: {reason}.",
        quietly=quietly,
        path=path,
        source=source,
        reason=reason,
    )


def more_files_skipped(source: str, amount: int) -> None:
    """Tell how many more paths that a source matches are not read."""
    said = f"{amount} more files of source '{source}' are not read; `shipper status --all` says why."
    journal.tell(logging.WARNING, "more_files_skipped", said, source=source, amount=amount)


def bytes_lost(path: str, reason: str, amount: int, *, told: bool = False) -> None:
    """Tell that bytes of a file will never be read; further ones of a reason that was told are only counted."""
    journal.count("bytes_lost", amount)
    if told:
        return
    journal.tell(
        logging.ERROR,
        "bytes_lost",
        f"{amount} bytes of {path} are lost: {reason}.",
        path=path,
        reason=reason,
        bytes=amount,
    )


def format_not_kept(path: str, form: str) -> None:
    """Tell, once for each file, that lines are not in the format that their source says (hazards 4.2, 4.3)."""
    journal.count("formats_not_kept")
    journal.tell(
        logging.WARNING,
        "format_not_kept",
        f"{path} has lines that are not in the format '{form}'; they are matched as they are.",
        path=path,
        format=form,
    )


def file_failed(path: str, reason: str) -> None:
    """Tell that an open file cannot be read any more; it is opened again by the next scan (hazard 2.3)."""
    journal.count("files_failed")
    journal.tell(logging.WARNING, "file_failed", f"{path} cannot be read now: {reason}.", path=path, reason=reason)


def directory_not_watched(directory: str, reason: str) -> None:
    """Tell that a directory gives no hints, so that it is only polled (hazard 2.2)."""
    journal.count("directories_not_watched")
    sentence = f"{directory} cannot be watched ({reason}); it is looked at every second instead."
    journal.tell(logging.WARNING, "directory_not_watched", sentence, directory=directory, reason=reason)


def reading_paused(reason: str) -> None:
    """Tell, once, that no new lines are read because there is no room for their events."""
    journal.count("pauses")
    journal.tell(
        logging.WARNING, "reading_paused", f"Reading pauses: {reason}. Nothing is lost while the logs are kept."
    )


def reading_resumed() -> None:
    """Tell that reading goes on."""
    journal.tell(logging.INFO, "reading_resumed", "There is room again; reading goes on.")


def watches_exhausted(directory: str, amount: int, remedy: str) -> None:
    """Tell that the kernel gives no more watches, so that directories are only polled (hazard 2.2)."""
    journal.count("directories_not_watched", amount)
    more = f" and {amount - 1} more" if amount > 1 else ""
    journal.tell(
        logging.WARNING,
        "watches_exhausted",
        f"The limit of watched directories is reached: {remedy}. {directory}{more} cannot be watched; "
        "looked at every second instead, nothing is lost.",
        directory=directory,
        directories=amount,
    )


def inotify_not_begun(reason: str, remedy: str) -> None:
    """Tell that no directory can be watched, so that all are only polled (hazard 2.2)."""
    journal.count("watchers_not_begun")
    journal.tell(
        logging.WARNING,
        "inotify_not_begun",
        f"No directory can be watched ({reason}): {remedy}. All are looked at every second instead, nothing is lost.",
        reason=reason,
    )


def file_system_polled(directory: str, kind: str) -> None:
    """Tell, once for a mounted file system, that it does not tell all changes and is polled (hazard 2.3)."""
    journal.count("file_systems_polled")
    journal.tell(
        logging.INFO,
        "file_system_polled",
        f"{directory} lies on a file system of type {kind}, which does not tell of every change; "
        "it is looked at every second.",
        directory=directory,
        kind=kind,
    )


def hints_overflowed(*, tell: bool) -> None:
    """Count that more happened in the watched directories than could be told; all of them are looked at (hazard 2.2).

    Args:
        tell: say so in the log, too; a storm would otherwise fill it.
    """
    journal.count("hints_overflowed")
    if tell:
        journal.tell(
            logging.INFO,
            "hints_overflowed",
            "More changed in the watched directories than the kernel could tell; "
            "all of them are looked at at once, nothing is lost. Further times are counted, not told, for 10 minutes.",
        )
