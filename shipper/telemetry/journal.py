"""Where what happens is told and counted: one log to stderr, in text or JSON, and counts for the status.

Only the other modules of this package tell; everybody else calls their functions.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

import orjson

from shipper.printable import printable, printable_path

log = logging.getLogger("shipper")
_lock = threading.Lock()
_counts: Counter[str] = Counter()
_PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        said, code = printable(record.getMessage()), getattr(record, "code", "")
        line = f"{moment.isoformat(timespec='milliseconds')} {record.levelname:<7} {said}"
        return "\n".join([f"{line} [{code}]" if code else line, *map(printable, _traceback(record))])


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "code": getattr(record, "code", ""),
            "message": record.getMessage(),
        }
        fields.update(getattr(record, "fields", {}))
        if traceback := _traceback(record):
            fields["traceback"] = "\n".join(traceback)
        # the name of a file may be no UTF-8, which JSON cannot hold
        told = {name: printable_path(value) if isinstance(value, str) else value for name, value in fields.items()}
        return orjson.dumps(told, default=str).decode()


def _traceback(record: logging.LogRecord) -> list[str]:
    """Give the lines that tell where a mistake of ours was made."""
    if not record.exc_info:
        return []
    return logging.Formatter().formatException(record.exc_info).split("\n")


class _StderrHandler(logging.Handler):
    """Writes to what stderr is now: a progress bar puts itself between, so that lines and bar do not mix."""

    def __init__(self, *, to_systemd: bool) -> None:
        super().__init__()
        self._to_systemd = to_systemd

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is None:
            # it was closed at the start
            return
        try:
            priority = self._priority(record)
            sys.stderr.writelines(f"{priority}{line}\n" for line in self.format(record).split("\n"))
            sys.stderr.flush()
        except OSError:
            # nobody reads the log any more; the work goes on
            self.handleError(record)

    def _priority(self, record: logging.LogRecord) -> str:
        """Give what the journal takes for a line's priority, sd-daemon(3)."""
        return f"<{_PRIORITIES.get(record.levelno, 6)}>" if self._to_systemd else ""


def configure(level: str, form: str) -> None:
    """Send the product's log to stderr, as `log_level` and `log_format` say."""
    handler = _StderrHandler(to_systemd=_is_journal())
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level.upper())


def _is_journal() -> bool:
    """Tell whether stderr leads to systemd's journal, systemd.exec(5) on `JOURNAL_STREAM`."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def counts() -> dict[str, int]:
    """Give a copy of all counts since the process began."""
    with _lock:
        return dict(_counts)


def count(name: str, amount: int = 1) -> None:
    """Add to a count."""
    with _lock:
        _counts[name] += amount


def tell(level: int, code: str, sentence: str, *, quietly: bool = False, **fields: object) -> None:
    """Say something, with its code and what programs want to know of it; `quietly` to those who want to hear all."""
    log.log(logging.DEBUG if quietly else level, "%s", sentence, extra={"code": code, "fields": fields})
