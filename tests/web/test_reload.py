"""A `shipper.toml` that is not in force as it is written: said by `status` and metrics for as long as that is so."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.e2e.host import RULES, Host
from tests.web.conftest import Visitor, visitor
from tests.web.test_http import ask, values

CURRENT = ("shipper_configuration_current", ())


@pytest.fixture
def agent(host: Host, port: int) -> Visitor:
    host.start()
    return visitor(host, port)


def findings(agent: Visitor, what: str = "configuration") -> list[dict[str, Any]]:
    return [each for each in agent.get("/status")["findings"] if each["what"] == what]


def reload(host: Host, text: str) -> None:
    host.config.write_text(text)
    host.running.send_signal(signal.SIGHUP)


def test_a_refused_reload_is_said_until_one_succeeds(host: Host, port: int, agent: Visitor) -> None:
    """With the first problem and since when, though the agent does all its work; a second refusal is no new trouble."""
    right = host.config.read_text()
    assert values(ask(port, "/metrics")[1])[CURRENT] == 1
    reload(host, right.replace("drain_timeout", "drain_timeuot").replace("linger", "lingre"))
    eventually(lambda: findings(agent))
    (first,) = findings(agent)
    line = right.splitlines().index('drain_timeout = "20s"') + 1
    told = f"what the configuration says now is not in force: {host.config}:{line}:1: unknown key 'drain_timeuot'"
    assert first["reason"].startswith(told)
    assert " and 1 more; reload the agent" in first["reason"]
    assert first["health"] == "degraded"
    found = values(ask(port, "/metrics")[1])
    assert (found[CURRENT], found["shipper_finding", ("degraded", "configuration")]) == (0, 1)
    assert (found["shipper_healthy", ()], found["shipper_rules_current", ()]) == (1, 1)
    assert ask(port, "/readyz") == (200, "ok\n")

    reload(host, right.replace("[cloudmonitor]", "[cloudmonitor"))
    eventually(lambda: findings(agent)[0]["reason"] != first["reason"])
    assert findings(agent)[0]["since"] == first["since"]
    reload(host, right)
    eventually(lambda: findings(agent) == [])
    assert values(ask(port, "/metrics")[1])[CURRENT] == 1
    assert agent.get("/status")["health"] == "healthy"
    assert host.stop() == 0


def test_what_waits_for_a_restart_is_said_until_it_is_in_force(host: Host, port: int, agent: Visitor) -> None:
    """Which keys, never what they are; all else of the file is in force. The old value, or a restart, ends it."""
    right = host.config.read_text()
    changed = right.replace('linger = "50ms"', 'linger = "60ms"').replace("testsecret", "another")
    reload(host, changed.replace('"20s"', '"21s"').replace('name = "app"', 'name = "other"'))
    eventually(lambda: findings(agent))
    (found,) = findings(agent)
    assert found["reason"] == (
        "changes of cloudmonitor.linger, cloudmonitor.credentials.access_key_secret, drain_timeout take effect when "
        "the agent is restarted"
    )
    assert found["reason"][0].upper() + found["reason"][1:] in host.log.read_text()
    assert values(ask(port, "/metrics")[1])[CURRENT] == 0
    host.write("a.log", "ERROR 1")
    eventually(lambda: [file["sources"] for file in agent.get("/status")["files"]["listed"]] == [["other"]])
    reload(host, right.replace('"20s"', '"21s"'))
    waiting = "changes of drain_timeout take effect when the agent is restarted"
    eventually(lambda: [each["reason"] for each in findings(agent)] == [waiting])
    reload(host, right)
    eventually(lambda: findings(agent) == [])
    reload(host, right.replace('"20s"', '"21s"'))
    eventually(lambda: findings(agent))
    assert host.stop() == 0
    host.start()
    assert findings(visitor(host, port)) == []
    assert values(ask(port, "/metrics")[1])[CURRENT] == 1
    assert host.stop() == 0


def test_a_configuration_that_was_left_for_its_rules_is_said_after_these_are_mended(
    tmp_path: Path, host: Host, agent: Visitor
) -> None:
    """The rules come into force by themselves, `shipper.toml` only with a reload: nobody would know of it otherwise."""
    right = host.config.read_text()
    host.rules.write_text(RULES.replace("(?<number>", "((?<number>"))
    eventually(lambda: findings(agent, "rules"))
    # nothing new in it: it is in force as it was
    host.running.send_signal(signal.SIGHUP)
    eventually(lambda: host.log.read_text().count("The rule files are not fit") == 2)
    assert findings(agent) == []

    reload(host, right.replace('name = "app"', 'name = "other"'))
    eventually(lambda: findings(agent))
    assert (
        f"not in force: the rule files are not fit, the last good rules are in force: {tmp_path}"
        in (findings(agent)[0]["reason"])
    )
    host.rules.write_text(RULES)
    eventually(lambda: findings(agent, "rules") == [])
    assert findings(agent)
    host.running.send_signal(signal.SIGHUP)
    eventually(lambda: findings(agent) == [])
    assert host.stop() == 0
