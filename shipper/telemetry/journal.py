"""Where what happens is told and counted: one log to stderr, in text or JSON, and counts for the status.

Only the other modules of this package tell; everybody else calls their functions.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

import orjson

from shipper.printable import printable, printable_path

log = logging.getLogger("shipper")
_lock = threading.Lock()
_counts: Counter[str] = Counter()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        return f"{moment.isoformat(timespec='milliseconds')} {record.levelname:<7} {printable(record.getMessage())}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "code": getattr(record, "code", ""),
            "message": record.getMessage(),
        }
        fields.update(getattr(record, "fields", {}))
        # the name of a file may be no UTF-8, which JSON cannot hold
        told = {name: printable_path(value) if isinstance(value, str) else value for name, value in fields.items()}
        return orjson.dumps(told, default=str).decode()


class _StderrHandler(logging.Handler):
    """Writes to what stderr is now: a progress bar puts itself between, so that lines and bar do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except OSError:
            # nobody reads the log any more; the work goes on
            self.handleError(record)


def configure(level: str, form: str) -> None:
    """Send the product's log to stderr, as `log_level` and `log_format` say."""
    handler = _StderrHandler()
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level.upper())


def counts() -> dict[str, int]:
    """Give a copy of all counts since the process began."""
    with _lock:
        return dict(_counts)


def count(name: str, amount: int = 1) -> None:
    """Add to a count."""
    with _lock:
        _counts[name] += amount


def tell(level: int, code: str, sentence: str, **fields: object) -> None:
    """Say something, with its code and what programs want to know of it."""
    log.log(level, "%s", sentence, extra={"code": code, "fields": fields})
