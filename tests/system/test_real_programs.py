"""With programs that are not ours: the real logrotate turns the logs, the real nginx writes them."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal

pytestmark = pytest.mark.system


def program(name: str) -> str:
    """Give a program's path, or skip the test."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian's package of the same name)")
    return path


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as running:
        yield running


def contents(host: Host) -> list[str]:
    return [str(event["content"]) for event in journal(host.root / "accepted.jsonl")]


@pytest.mark.parametrize(
    "mode", ["create", "copytruncate", "create\ncompress\ndelaycompress", "create\ndateext\ndateformat -%s"]
)
def test_logrotate_loses_and_repeats_nothing(tmp_path: Path, emulator: Emulator, mode: str) -> None:
    """Every line written before, between and after rotations by the real logrotate arrives exactly once."""
    rotate = program("logrotate")
    host = Host(tmp_path, emulator)
    host.logs.chmod(0o755)
    rules = tmp_path / "logrotate.conf"
    rules.write_text(f"{host.logs}/app.log {{\nrotate 9\n{mode}\n}}\n")
    rules.chmod(0o644)
    host.write("app.log")
    host.start()
    expected: set[int] = set()

    def write(*numbers: int) -> None:
        expected.update(numbers)
        host.write("app.log", *(f"ERROR {number}" for number in numbers))

    def arrived() -> bool:
        return len(contents(host)) >= len(expected)

    for step in range(5):
        write(*range(step * 100, step * 100 + 100))
        if step % 2:
            # every other rotation comes while lines are unread
            eventually(arrived)
        subprocess.run([rotate, "-f", "-s", str(tmp_path / "state.logrotate"), str(rules)], check=True)
        # logrotate names by the second: a generation must not meet the next one's name
        for old in host.logs.glob("app.log-*[0-9]"):
            old.rename(old.with_name(f"{old.name}-{step}"))
        # a generation that comes and goes between two looks is out of reach (docs/limits.md): wait until it is seen
        write(1000 + step)
        eventually(arrived)

    assert host.stop() == 0
    assert sorted(int(content.split()[1]) for content in contents(host)) == sorted(expected)
    assert emulator.violations == ()


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
