"""Logs that the agent's user may not read: told by `status`, metrics and probes, until they may be read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.conftest import eventually
from tests.e2e.host import Host
from tests.web.conftest import visitor
from tests.web.test_http import ask, values

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything, but for one without that right"
)


@pytest.fixture
def host(host: Host) -> Host:
    """A host whose agent has no right to read what its user may not."""
    if os.geteuid() == 0:
        host.through = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    return host


def status(host: Host) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "status", "-c", str(host.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_some_files_that_may_not_be_read_degrade(host: Host, port: int) -> None:
    """The most common fault of all: `status`, the metrics and the probes say it, and that what can be done is done."""
    for name in ("1.log", "2.log", "3.log", "4.log"):
        host.write(name, "ERROR 1")
    for name in ("2.log", "3.log", "4.log"):
        (host.logs / name).chmod(0)
    host.start()
    eventually(lambda: values(ask(port, "/metrics")[1]).get(("shipper_events_delivered_total", ())) == 1)
    found = values(ask(port, "/metrics")[1])
    assert (found["shipper_healthy", ()], found["shipper_finding", ("degraded", "files")]) == (1, 1)
    assert found["shipper_files", ("skipped",)] == 3
    assert ask(port, "/readyz") == (200, "ok\n")
    code, (first, finding, *_) = status(host)
    assert (code, first) == (0, "degraded")
    assert finding.startswith(
        f"  files: of source 'app' {host.logs}/2.log and 2 more cannot be read: permission denied: "
    )
    assert "allow it with `setfacl -m u:" in finding
    for name in ("2.log", "3.log", "4.log"):
        (host.logs / name).chmod(0o600)
    eventually(lambda: status(host)[1][0] == "healthy")
    assert host.stop() == 0


def test_a_source_of_which_nothing_can_be_read_makes_the_agent_unready(host: Host, port: int) -> None:
    """`/readyz` knows it at once, though the reading loop be busy and nobody can ask it for its files."""
    shut = host.root / "shut"
    shut.mkdir()
    (shut / "db.log").write_text("ERROR 1\n")
    with host.config.open("a") as config:
        config.write(f'[[source]]\nname = "db"\npaths = ["{shut}/*.log"]\nscan_interval = "500ms"\n')
    shut.chmod(0)
    host.start()
    eventually(lambda: ask(port, "/readyz")[0] == 503)
    said = f"no file of source 'db' can be read: {shut}: the directory cannot be listed: permission denied: "
    assert ask(port, "/readyz")[1].startswith(said)
    assert ask(port, "/healthz") == (200, "ok\n")
    found = values(ask(port, "/metrics")[1])
    assert (found["shipper_healthy", ()], found["shipper_finding", ("unhealthy", "files")]) == (0, 1)
    code, (first, finding, *_) = status(host)
    assert (code, first) == (1, "unhealthy")
    assert said in finding
    agent = visitor(host, port)
    with closing(sqlite3.connect(host.root / "state" / "shipper.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        host.write("app.log", "ERROR 2")
        eventually(lambda: agent.get("/status")["files"] is None)
        assert ask(port, "/readyz")[1].startswith(said)
        store.execute("ROLLBACK")
    shut.chmod(0o700)
    eventually(lambda: ask(port, "/readyz") == (200, "ok\n"))
    eventually(lambda: status(host)[1][0] == "healthy")
    assert host.stop() == 0
