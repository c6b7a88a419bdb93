"""`[http]`: what a running agent tells over HTTP, and to whom."""

from __future__ import annotations

import http.client
import json
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shipper.agent.status import Queue, Status
from shipper.config.kinds import split_address
from shipper.events import Loss, LostBytes, LostEvents
from shipper.web.access import Access
from shipper.web.connections import ALL
from shipper.web.metrics import exposition
from tests.conftest import eventually
from tests.e2e.host import Host
from tests.system.test_alerts import CASES
from tests.system.test_alerts import RULES as ALERTS

ROOT = Path(__file__).parent.parent.parent
NAME = re.compile(r"\bshipper_[a-z_]+\b")


def ask(port: int, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def values(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_healthy_agent_tells_its_metrics(host: Host, port: int) -> None:
    """They are what happened; the rest needs the token, which lies where nobody else can read it."""
    host.start()
    host.write("app.log", *(f"ERROR {n}" for n in range(30)), "nothing")
    eventually(lambda: values(ask(port, "/metrics")[1]).get(("shipper_events_delivered_total", ())) == 30)
    assert ask(port, "/healthz") == ask(port, "/readyz") == (200, "ok\n")
    found = values(ask(port, "/metrics")[1])
    assert found["shipper_healthy", ()] == 1
    assert found["shipper_rule_matches_total", ("numbered",)] == 30
    assert found["shipper_files", ("idle",)] == 1
    size = (host.logs / "app.log").stat().st_size
    assert found["shipper_read_bytes_total", ()] == size
    assert found["shipper_file_offset_bytes", (str(host.logs / "app.log"),)] == size
    assert found["shipper_queue_events", ()] == 0
    assert found["shipper_last_accepted_timestamp_seconds", ()] > 1.7e9
    token = host.root / "state" / "http.token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert ask(port, "/status")[0] == 401
    assert ask(port, "/status", {"Authorization": "Bearer wrong"})[0] == 401
    status, text = ask(port, "/status", {"Authorization": f"Bearer {token.read_text().strip()}"})
    assert (status, json.loads(text)["health"]) == (200, "healthy")
    assert ask(port, "/metrics", {"Host": "evil.example"})[0] == 403
    assert ask(port, "/metrics", {"Host": "Logs.example:80"})[0] == 200
    assert ask(port, "/metrics", {"Host": f"localhost:{port}"})[0] == 200
    assert ask(port, "/healthz", method="HEAD") == (200, "")
    assert ask(port, "/metrics", method="POST")[0] == 405
    assert token.read_text().strip() not in host.log.read_text()
    assert host.stop() == 0


def test_health_comes_from_progress(host: Host, port: int) -> None:
    """A service that refuses the key makes the agent not ready; its loops are alive, so a restart would not help."""
    text = host.config.read_text().replace("testsecret", "wrong")
    host.config.write_text(text.replace('drain_timeout = "20s"', 'drain_timeout = "1s"'))
    host.start()
    host.write("app.log", "ERROR 1")
    eventually(lambda: ask(port, "/readyz")[0] == 503)
    assert "events cannot be delivered and are kept" in ask(port, "/readyz")[1]
    assert ask(port, "/healthz") == (200, "ok\n")
    found = values(ask(port, "/metrics")[1])
    assert found["shipper_healthy", ()] == 0
    assert found["shipper_finding", ("unhealthy", "delivery")] == 1
    assert host.stop() == 0


def test_who_never_asks_holds_nobody_up(host: Host, port: int) -> None:
    """Connections are few, and the silent ones give way; the agent stops although they are open."""
    host.start()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(ALL + 16)]
    for each in silent[-5:]:
        # half a request is none
        each.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
    assert [ask(port, "/healthz")[0] for _ in range(20)] == [200] * 20
    assert host.stop() == 0
    for each in silent:
        each.close()


def start(host: Host) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shipper", "run", "-c", str(host.config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_what_cannot_be_listened_on_starts_nothing(host: Host, port: int) -> None:
    """One message, exit 2; the store is free again."""
    with socket.create_server(("127.0.0.1", port)):
        done = start(host)
    assert done.returncode == 2
    assert f"[http] cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    text = host.config.read_text()
    host.config.write_text(text.replace(f"127.0.0.1:{port}", f"0.0.0.0:{port}"))
    done = start(host)
    assert done.returncode == 2
    assert "[http] listens on 0.0.0.0, where others can ask: give token_file" in done.stderr
    host.config.write_text(text.replace("hosts = ", 'token_file = "none"\nhosts = '))
    done = start(host)
    assert done.returncode == 2
    assert "none cannot be used: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_others_can_ask_metrics_need_the_token() -> None:
    """Health does not: who probes has no secret."""
    access = Access(frozenset({"0.0.0.0", "localhost"}), is_loopback=False, token="secret")
    headers = {"host": "localhost:9595"}

    assert access.refusal("/healthz", headers) is None
    assert access.refusal("/metrics", headers) is not None
    assert access.refusal("/metrics", {**headers, "authorization": "Bearer secret"}) is None
    assert access.refusal("/metrics", {**headers, "authorization": "bearer  secret"}) is None
    assert access.refusal("/metrics", {**headers, "authorization": "Basic secret"}) is not None
    assert access.refusal("/healthz", {}) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:9595", ("127.0.0.1", 9595)), ("[::1]:0", ("::1", 0)), ("localhost:80", ("localhost", 80))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected


def test_what_alerts_look_at_is_there_before_anything_happens(host: Host, port: int) -> None:
    """A series that begins with the first loss, or the first delivery, shows neither an increase nor an outage."""
    host.start()
    samples = {name for name, _ in values(ask(port, "/metrics")[1])}
    found = values(ask(port, "/metrics")[1])
    assert host.stop() == 0
    named = {name for rule in ALERTS.values() for name in NAME.findall(rule["expr"])}

    assert named - samples == {"shipper_finding"}
    assert found["shipper_last_accepted_timestamp_seconds", ()] == 0
    assert {key: found[key] for key in found if key[0].startswith("shipper_lost_")} == {
        **{("shipper_lost_bytes_total", (reason.value,)): 0 for reason in LostBytes},
        **{("shipper_lost_events_total", (reason.value,)): 0 for reason in LostEvents},
    }
    assert found["shipper_rule_timeouts_total", ("numbered",)] == 0


def test_each_reason_of_a_loss_is_described() -> None:
    """Who is alarmed by it looks there."""
    text = (ROOT / "docs/limits.md").read_text()

    assert [reason for reason in (*LostBytes, *LostEvents) if f"`{reason}`" not in text] == []


def test_losses_are_told_whatever_their_reason_is() -> None:
    """A store that a newer version wrote may hold one that this one does not know."""
    losses = (Loss("bytes", "nul", 7), Loss("bytes", "eaten", 1), Loss("events", "queue_full", 3))
    status = Status((), None, None, None, None, Queue(0, 0, 1, ()), None, losses, 0, 0, 0)
    found = values(exposition(status).decode())

    assert found["shipper_lost_bytes_total", ("nul",)] == 7
    assert found["shipper_lost_bytes_total", ("eaten",)] == 1
    assert found["shipper_lost_bytes_total", ("truncated",)] == 0
    assert found["shipper_lost_events_total", ("queue_full",)] == 3


def test_alerts_dashboard_and_documentation_name_metrics_that_are_there(host: Host, port: int) -> None:
    """And the documentation names all of them."""
    host.start()
    host.write("app.log", "ERROR 1", "\0" * 10)
    eventually(lambda: values(ask(port, "/metrics")[1]).get(("shipper_events_delivered_total", ())) == 1)
    families = list(text_string_to_metric_families(ask(port, "/metrics")[1]))
    there = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    assert host.stop() == 0
    named = {name for rule in ALERTS.values() for name in NAME.findall(rule["expr"])}
    tried = {name for case in CASES for series in case.series for name in NAME.findall(series)}
    assert len(ALERTS) >= 8
    assert all(rule["annotations"]["action"] for rule in ALERTS.values())
    dashboard = json.loads((ROOT / "packaging/grafana/shipper.json").read_text())
    shown = {name for panel in dashboard["panels"] for each in panel["targets"] for name in NAME.findall(each["expr"])}
    documented = set(NAME.findall((ROOT / "docs/metrics.md").read_text()))

    assert named == tried
    assert named <= there
    assert shown <= there
    assert there == documented
