"""What `shipper status` tells of a running agent, and of one that runs no more."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cloudmonitor.recording import RecordingServer, reply
from tests.conftest import eventually
from tests.e2e.host import Host


def status(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shipper", "status", "-c", str(host.config), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def told(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(status(host, "--json").stdout)
    return found


def test_who_has_ended_is_told_of_as_it_was(tmp_path: Path) -> None:
    """The rules' numbers, a refused edit, what was delivered: from what the agent kept at its end."""
    service = RecordingServer()
    host = Host(tmp_path, service)
    host.start()
    host.write("app.log", "2026-01-02T03:04:05Z ERROR 1", "nothing")
    eventually(lambda: told(host)["delivery"]["delivered"] == 1)
    host.rules.write_text(host.rules.read_text() + "[[rule]]\nid = 3\n")
    eventually(lambda: told(host)["reload"]["refused"] is not None)
    running = told(host)
    assert (running["health"], running["reload"]["rules"]) == ("degraded", 1)
    assert "the key 'match' is missing" in running["reload"]["refused"]
    shown = status(host)
    assert shown.returncode == 0
    assert "what their files say now is refused" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert host.stop() == 0
    ended, shown = told(host), status(host)
    assert (shown.returncode, ended["health"], ended["process"]) == (1, "stopped", None)
    assert (ended["rules"], ended["reload"]) == (running["rules"], running["reload"])
    assert ended["delivery"]["delivered"] == 1
    assert ended["told_at"] > running["told_at"]
    assert "told last at" in shown.stdout
    assert stat.S_IMODE((tmp_path / "state" / "status.last.json").stat().st_mode) == 0o600
    service.stop()


def test_the_last_error_is_told_with_what_to_do(tmp_path: Path) -> None:
    """After the service has come back."""
    service = RecordingServer()
    service.answer = reply(500, b"")
    host = Host(tmp_path, service)
    host.start()
    host.write("app.log", "2026-01-02T03:04:05Z ERROR 1")
    eventually(lambda: told(host)["delivery"]["last_error"] is not None)
    service.answer = reply()
    eventually(lambda: told(host)["delivery"]["delivered"] == 1)
    found = told(host)
    assert "500" in found["delivery"]["last_error"]
    assert found["delivery"]["failed_at"] < found["told_at"]
    (rule,) = found["rules"]
    assert rule["last"] == "2026-01-02T03:04:05Z"
    text = status(host).stdout
    assert "last error at " in text
    assert "1 matched, last 2026-01-02 " in text
    assert "rules      1 in force since " in text
    assert host.stop() == 0
    service.stop()


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    """Unless NO_COLOR says otherwise."""
    service = RecordingServer()
    host = Host(tmp_path, service)
    service.stop()
    for no_color in (False, True):
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm"} | ({"NO_COLOR": "1"} if no_color else {})
        if not no_color:
            environment.pop("NO_COLOR", None)
        with subprocess.Popen(
            [sys.executable, "-m", "shipper", "status", "-c", str(host.config)], stdout=theirs, env=environment
        ) as shown:
            assert shown.wait(60) == 1
        os.close(theirs)
        said = os.read(ours, 65536).decode()
        os.close(ours)
        assert "stopped" in said
        assert ("\x1b[1;31m" in said) != no_color


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told_also_at_rest(tmp_path: Path) -> None:
    """With what to do, by whoever asks."""
    service = RecordingServer()
    host = Host(tmp_path, service)
    service.stop()
    host.write("app.log", "ERROR 1")
    (host.logs / "app.log").chmod(0)
    # root may read everything, but for one without that right
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    command = [*without, sys.executable, "-m", "shipper", "status", "-c", str(host.config)]
    text = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout
    assert "skipped" in text
    assert "the file (mode 0000" in text
