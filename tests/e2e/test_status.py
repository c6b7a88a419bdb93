"""What `shipper status` tells of a running agent, and of one that runs no more."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from tests.cloudmonitor.recording import RecordingServer, reply
from tests.conftest import eventually
from tests.e2e.host import Host
from tests.web.conftest import free_port


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
    assert re.search(r"500.* what to do: ", found["delivery"]["last_error"])
    assert found["delivery"]["failed_at"] < found["told_at"]
    (rule,) = found["rules"]
    assert rule["last"] == "2026-01-02T03:04:05Z"
    text = status(host).stdout
    assert "last error at " in text
    assert "1 matched, last 2026-01-02 " in text
    assert "rules      1 in force since " in text
    assert host.stop() == 0
    service.stop()


def on_a_terminal(host: Host, *arguments: str, rows: int = 24, **environment: str) -> tuple[int, str]:
    """Run it on a terminal of 80 columns; with `--watch` until it has shown something, then Ctrl-C."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    command = [sys.executable, "-m", "shipper", "status", "-c", str(host.config), *arguments]
    # readline, where it is loaded, puts the size of its own terminal into the environment
    given = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "LINES", "COLUMNS"}}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, env={**given, "TERM": "xterm", **environment}) as shown:
        os.close(theirs)
        said, is_told = b"", False
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            said += more
            if "--watch" in arguments and not is_told and b"dead letters" in said:
                shown.send_signal(signal.SIGINT)
                is_told = True
        code = shown.wait(60)
    os.close(ours)
    return code, said.decode()


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    """Of the health and of what is wrong, not of all; unless NO_COLOR says otherwise."""
    service = RecordingServer()
    host = Host(tmp_path, service)
    service.stop()
    code, said = on_a_terminal(host)
    lines = said.splitlines()
    assert code == 1
    assert lines[0] == "\x1b[1;31mstopped\x1b[0m"
    assert lines[1].startswith("\x1b[31m  agent: the agent does not run")
    assert any(line.startswith("queue ") and "\x1b" not in line for line in lines)
    code, said = on_a_terminal(host, NO_COLOR="1")
    assert "\x1b[3" not in said
    assert "stopped" in said


def test_what_is_watched_fits_the_screen(tmp_path: Path) -> None:
    """Files and rules give way to what is wrong, what waits and what was lost; long lines go on in the next row."""
    service = RecordingServer()
    host = Host(tmp_path, service)
    service.stop()
    for n in range(60):
        host.write(f"{n}.log", "ERROR 1")
    code, said = on_a_terminal(host, "--watch", "--all", rows=16)
    rows = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in said.splitlines()]
    shown = [row for row in rows if row.strip()]
    assert code == 130, said
    assert shown[0].startswith("stopped  20")
    assert "dead letters  0" in shown
    assert any(row.startswith("(no room for ") for row in shown)
    assert len(rows[: rows.index("dead letters  0") + 2]) <= 16, said


def test_who_wants_to_hear_nothing_gets_the_exit_code(tmp_path: Path) -> None:
    """As a container's health check does, whose output others may read."""
    service = RecordingServer()
    host = Host(tmp_path, service, extra=f'[http]\nlisten = "127.0.0.1:{free_port()}"')
    assert (status(host, "--quiet").returncode, status(host, "-q").stdout) == (1, "")
    host.start()
    done = status(host, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "token=" in status(host).stdout
    assert status(host, "--quiet", "--json").returncode == 2
    assert host.stop() == 0
    service.stop()


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
