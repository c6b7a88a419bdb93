"""With programs that are not ours: the real nginx writes the logs (hazards 1.6, 5.1)."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal
from tests.system.programs import program

pytestmark = pytest.mark.system


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as running:
        yield running


def contents(host: Host) -> list[str]:
    return [str(event["content"]) for event in journal(host.root / "accepted.jsonl")]


NGINX = """
daemon off; pid {root}/nginx.pid; error_log {root}/logs/error.log;
events {{}}
http {{
  access_log {root}/logs/access.log combined;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} location /boom {{ return 502; }} }}
}}
"""
RULE = """
[[rule]]
id = "web-5xx"
match = '"GET (?<url>\\S+) HTTP/[\\d.]+" (?<status>5\\d\\d) '
event = "Web5xx"
content = "{status} {url}"
"""


def test_nginx_with_a_kill_and_a_rotation(tmp_path: Path, emulator: Emulator) -> None:
    """What nginx logged with 5xx arrives, through SIGKILL of the agent and a rotation while it is down."""
    nginx = program("nginx")
    host = Host(tmp_path, emulator, rules=RULES + RULE)
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "nginx.conf").write_text(NGINX.format(root=tmp_path, port=port))
    server = subprocess.Popen([nginx, "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL)

    def get(path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()

    def answers() -> bool:
        with contextlib.suppress(OSError):
            get("/")
            return True
        return False

    try:
        eventually(answers)
        host.start()
        for number in range(300):
            get(f"/boom?{number}")
            get(f"/fine?{number}")
            if number == 100:
                host.kill()
            if number == 200:
                (host.logs / "access.log").rename(host.logs / "access.log.1")
                server.send_signal(signal.SIGUSR1)
                eventually((host.logs / "access.log").exists)
                host.start()
        expected = {f"502 /boom?{number}" for number in range(300)}
        eventually(lambda: expected <= set(contents(host)))
        assert host.stop() == 0
        assert set(contents(host)) == expected
    finally:
        server.terminate()
        server.wait(10)
