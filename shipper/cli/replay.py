"""Plays a sample log, for `shipper demo` on a host whose own logs have nothing to show.

The lines are of the kinds that the real programs write, stamped with the present time as they are written.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SYSLOG, LOG4J, NGINX, POSTGRESQL = "syslog", "log4j", "nginx", "postgresql"
_UPSTREAM = (
    "[error] 31#31: *7 upstream timed out (110: Connection timed out) while reading response header from upstream, "
    'client: 192.0.2.9, server: shop, request: "GET /cart HTTP/1.1", upstream: "http://10.0.0.5:8080/cart"'
)
_KILLED = (
    "web1 kernel: [ 4242.001122] Out of memory: Killed process 4711 (java) total-vm:8123456kB, anon-rss:4012345kB, "
    "file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:9000kB oom_score_adj:0"
)
LINES = (
    (SYSLOG, "web1 sshd[812]: Accepted publickey for deploy from 192.0.2.7 port 50122 ssh2"),
    (SYSLOG, "web1 sshd[901]: Failed password for invalid user admin from 198.51.100.23 port 40022 ssh2"),
    (NGINX, _UPSTREAM),
    (LOG4J, "INFO  [main] com.example.Shop - started in 4.2 s"),
    (LOG4J, "ERROR [worker-3] com.example.Cart - java.lang.OutOfMemoryError: Java heap space"),
    (SYSLOG, _KILLED),
    (SYSLOG, "web1 systemd[1]: shop.service: Failed with result 'oom-kill'."),
    (POSTGRESQL, "[815] FATAL:  sorry, too many clients already"),
    (POSTGRESQL, "[816] ERROR:  deadlock detected"),
    (SYSLOG, "web1 rsyslogd[411]: file '/var/log/syslog': write error - No space left on device"),
    (SYSLOG, "web1 CRON[1001]: (root) CMD (run-parts /etc/cron.hourly)"),
)


class Replay:
    """Writes the sample into a directory, a file for each kind of line, over and over, until stopped."""

    def __init__(self, directory: Path, interval: float = 1.0) -> None:
        """Prepare; `interval` is the seconds between two lines."""
        self._directory = directory
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay")

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """End after the line at hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            kind, text = LINES[number % len(LINES)]
            with (self._directory / f"{kind}.log").open("a", encoding="utf-8") as file:
                file.write(f"{_stamp(kind, datetime.now().astimezone())} {text}\n")
            number += 1
            self._stop.wait(self._interval)


def _stamp(kind: str, now: datetime) -> str:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    if kind == SYSLOG:
        return f"{months[now.month - 1]} {now.day:2} {now:%H:%M:%S}"
    if kind == LOG4J:
        return f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03}"
    if kind == POSTGRESQL:
        return f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03} {now.tzname()}"
    return f"{now:%Y/%m/%d %H:%M:%S}"
