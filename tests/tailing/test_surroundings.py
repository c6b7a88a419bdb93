"""Which names rotation gives."""

from __future__ import annotations

import pytest

from shipper.tailing.surroundings import log_of

ROTATED = {
    "app.log": [
        "app.log.1", "app.log.0", "app.log.3.gz", "app.log.12.zst", "app.log-20261123", "app.log-20261123.xz",
        "app.log-20261125-1693000000", "app.log.2026-11-23T10.zst", "app.log.2026-11-25T10:00:00+08:00",
        "app.log.2026-11-25_10-00-00.2.gz", "app.log_25Nov2026", "app.log.02-may-2026", "app.log.old", "app.log.bak",
        "app.log-prev", "app.log~", "app.log.1.old.bz2", "app-20261123.log", "app.1.log", "app_2026-11-25.log.gz",
        "app-2026-11-25T10-00-00.000.log", "app.log@1764064800",
    ],
    "0.log": ["0.log.20261125-103000", "0.log.20261125-103000.gz"],
    "c0ffee-json.log": ["c0ffee-json.log.1", "c0ffee-json.log.2.gz"],
    "syslog": ["syslog.1", "syslog.2.gz", "syslog-20261125"],
    "catalina.out": ["catalina.out-20261125", "catalina.out.2026-11-25"],
}  # fmt: skip
OF_THEIR_OWN = [
    "app.log.debug", "app.log.json", "app-error.log", "app-v2.log", "node2.log", "app.log.1.gz.tmp", "app.log.d1",
    "syslog-ng.log", "1.log", "mysql.log-slow", "error.log.pid", "x.log.older", "app.log.gzip",
]  # fmt: skip


@pytest.mark.parametrize(("name", "log"), [(name, log) for log, names in ROTATED.items() for name in [log, *names]])
def test_names_that_rotation_gives_lead_back_to_the_log(name: str, log: str) -> None:
    """Of logrotate, log4j, logback, lumberjack, newsyslog, savelog, the kubelet and docker (hazards 1.2, 1.6)."""
    assert log_of(f"/l-1/{name}") == f"/l-1/{log}"


@pytest.mark.parametrize("name", OF_THEIR_OWN)
def test_other_names_are_logs_of_their_own(name: str) -> None:
    """They are read only when a glob names them."""
    assert log_of(f"/l/{name}") == f"/l/{name}"
