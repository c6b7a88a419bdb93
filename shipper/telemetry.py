"""One function for each notable happening: one sentence in the log, one count.

ERROR means that data was lost or a person must act; WARNING is surprising but nothing is lost; INFO is a change
of condition. Nothing is said per line or per event, and never a secret or a log line's content.
The codes are stable names for programs that read the log (`log_format = "json"`).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

import orjson

_log = logging.getLogger("shipper")
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
        return orjson.dumps(fields, default=str).decode()


def printable(text: str) -> str:
    """Escape what could steer a terminal or forge a log line: control characters, but not what people write."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def configure(level: str, form: str) -> None:
    """Send the product's log to stderr, as `log_level` and `log_format` say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    _log.handlers[:] = [handler]
    _log.propagate = False
    _log.setLevel(level.upper())


def counts() -> dict[str, int]:
    """Give a copy of all counts since the process began."""
    with _lock:
        return dict(_counts)


def _count(name: str, amount: int = 1) -> None:
    with _lock:
        _counts[name] += amount


def _tell(level: int, code: str, sentence: str, **fields: object) -> None:
    _log.log(level, "%s", sentence, extra={"code": code, "fields": fields})
