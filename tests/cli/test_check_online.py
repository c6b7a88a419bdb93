"""`shipper check --online`: the way to the service, step by step, as a user sees it."""

from __future__ import annotations

import json
import re
import socket
import time
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from shipper.cli import app
from shipper.cloudmonitor.emulator import AccessKey, Emulator, Settings
from tests.cloudmonitor.recording import RecordingServer, reply
from tests.cloudmonitor.test_client import LOOPBACK_CERTIFICATE

KEYS = (AccessKey("id", "secret"), AccessKey("blind", "secret", permitted=False))
STEPS = ["dns", "tcp", "tls", "credentials", "clock", "signature", "permission"]


class Host:
    """A configuration, and the command."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        (root / "rules.toml").write_text("[[rule]]\nid = 'r'\nmatch = 'ERROR'\nevent = 'E'\n")
        (root / "app.log").touch()

    def check(self, endpoint: str, more: str = "", key: str = "id", secret: str = "secret") -> tuple[int, Any]:
        """Give the exit code and the JSON."""
        config = self.root / "shipper.toml"
        config.write_text(
            f"state_dir = '{self.root}/state'\nrules = ['rules.toml']\n[cloudmonitor]\nendpoint = '{endpoint}'\n"
            f"timeout = '2s'\n{more}\n[cloudmonitor.credentials]\naccess_key_id = '{key}'\n"
            f"access_key_secret = '{secret}'\n[[source]]\nname = 'a'\npaths = ['{self.root}/app.log']\n"
        )
        config.chmod(0o600)
        code = app.main(["check", "--online", "--json", "-c", str(config)])
        return code, json.loads(self.capsys.readouterr().out)


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Host(tmp_path, capsys)


def failed(found: Any) -> dict[str, str]:
    """Give the step that failed, which must be the last."""
    *before, last = found["online"]
    assert all(step["ok"] for step in before)
    assert not last["ok"]
    assert not found["ok"]
    step: dict[str, str] = last
    return step


@pytest.mark.parametrize("transport", ["upload", "openapi"])
def test_the_whole_way(host: Host, transport: str) -> None:
    """Seven steps, and one event that says where it comes from."""
    with Emulator(Settings(keys=KEYS)) as emulator:
        code, found = host.check(emulator.url, f"transport = '{transport}'")
        (receipt,) = emulator.receipts()

    assert code == 0
    assert [(step["name"], step["ok"]) for step in found["online"]] == [(name, True) for name in STEPS]
    assert [event.name for event in receipt.events] == ["ShipperCheck"]
    assert receipt.events[0].content == f"shipper check --online on {socket.gethostname()}"


@pytest.mark.parametrize(
    ("key", "secret", "step", "action"),
    [
        ("id", "wrong", "signature", "check the secret"),
        ("nobody", "secret", "signature", "check access_key_id"),
        ("blind", "secret", "permission", "cms:PutCustomEvent"),
    ],
)
@pytest.mark.parametrize("transport", ["upload", "openapi"])
def test_keys_that_do_not_serve(host: Host, transport: str, key: str, secret: str, step: str, action: str) -> None:
    """The step by name, and what to do; no secret in it."""
    with Emulator(Settings(keys=KEYS)) as emulator:
        code, found = host.check(emulator.url, f"transport = '{transport}'", key, secret)

    last = failed(found)
    assert (code, last["name"]) == (1, step)
    assert action in last["action"]
    assert secret not in json.dumps(found["online"]).replace("access_key_secret", "").replace("the secret", "")


def test_nobody_there(host: Host) -> None:
    """A name that is none, and a port where nobody listens."""
    code, found = host.check("https://no-such-host.invalid")
    assert (code, failed(found)["name"]) == (1, "dns")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        code, found = host.check(f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert (code, failed(found)["name"]) == (1, "tcp")
    assert "refused" in failed(found)["said"]


def test_certificates(host: Host) -> None:
    """One that is not trusted ends the way; ca_file says which are."""
    server = RecordingServer(LOOPBACK_CERTIFICATE)
    code, found = host.check(server.url)
    assert (code, failed(found)["name"]) == (1, "tls")
    assert "ca_file" in failed(found)["action"]
    code, found = host.check(server.url, f"ca_file = '{LOOPBACK_CERTIFICATE}'")
    server.stop()

    assert code == 0
    assert found["online"][2]["said"].startswith("TLSv1.3, certificate valid until 2")


def test_a_wrong_clock_is_said_and_does_not_end_the_way(host: Host) -> None:
    """The second request is dated with the service's time."""
    server = RecordingServer()

    def two_hours_ago(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Date", formatdate(time.time() - 7200, usegmt=True))
        handler.send_header("Content-Length", "14")
        handler.end_headers()
        handler.wfile.write(b'{"code":"200"}')

    server.answer = two_hours_ago
    code, found = host.check(server.url)
    server.stop()

    clock = found["online"][STEPS.index("clock")]
    assert code == 0
    assert re.match(r"this host's is 7(199|200|201) s ahead of the service's", clock["said"])
    assert "NTP" in clock["action"]
    dates = [parsedate_to_datetime(each.header("Date") or "").timestamp() for each in server.requests]
    assert dates[0] - dates[1] == pytest.approx(7200, abs=3)


def test_what_is_no_service(host: Host) -> None:
    """A proxy's page, a redirect, an answer that never comes."""
    server = RecordingServer()
    server.answer = reply(200, b"<html>please sign in</html>")
    code, found = host.check(server.url)
    assert (code, failed(found)["name"]) == (1, "permission")
    assert "please sign in" in failed(found)["said"]
    server.answer = reply(302, b"", Location="http://elsewhere")
    assert "check endpoint and proxy" in failed(host.check(server.url)[1])["action"]
    server.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, found = host.check(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert (code, failed(found)["name"]) == (1, "signature")
    assert "not there within 2 s" in failed(found)["said"]


def test_a_broken_configuration_is_not_walked(host: Host) -> None:
    """First things first; and exit code 2."""
    code, found = host.check("http://127.0.0.1:1", "no_such_key = 1")
    assert (code, found["online"]) == (2, [])


def test_on_a_terminal(host: Host) -> None:
    """One line a step on stderr, and the verdict."""
    with Emulator(Settings(keys=KEYS)) as emulator:
        host.check(emulator.url)
        assert app.main(["check", "--online", "-c", str(host.root / "shipper.toml")]) == 0
    said = host.capsys.readouterr().err
    assert [line.split()[1] for line in said.splitlines() if line.startswith("ok    ")] == STEPS
    assert app.main(["check", "--online", "-c", str(host.root / "shipper.toml")]) == 1
    said = host.capsys.readouterr().err
    assert "failed  tcp" in said
    assert "what to do: let this host reach port" in said
