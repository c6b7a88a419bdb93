"""A storm of one rule beside a quiet one: a real agent, and a service with its quota (hazard 6.4)."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import RULES, Host, journal

STORM = 6000
QUIET = 8
BOTH = RULES + "\n[[rule]]\nid = 'quiet'\nmatch = 'RARE (?<n>\\d+)'\nevent = 'Rare'\ncontent = '{n}'\n"
MORE = re.compile(r"(\d+) more between ")


@pytest.mark.parametrize("storm", ["keep", "fold"])
def test_a_storm_delays_no_other_rule_and_every_count_is_exact(tmp_path: Path, storm: str) -> None:
    """Also when the agent is killed in the middle of it: then some events come twice, and none is missing."""
    accepted = tmp_path / "accepted.jsonl"
    settings = Settings(store=accepted)
    with Emulator(settings) as service:
        host = Host(tmp_path, service, rules=BOTH)
        told = f"[store]\nstorm = '{storm}'\nstorm_backlog = 1000\n"
        host.config.write_text(host.config.read_text().replace("[store]\n", told))
        host.write("quiet.log", "nothing")
        host.start()
        host.write("loud.log", *(f"ERROR {n}" for n in range(STORM)))
        eventually(lambda: journal(accepted))
        for n in range(QUIET):
            host.write("quiet.log", f"RARE {n}")
            eventually(lambda n=n: any(e["name"] == "Rare" and e["content"] == str(n) for e in journal(accepted)))  # type: ignore[misc]
        before = len([event for event in journal(accepted) if event["name"] == "NumberedError"])
        if storm == "keep":
            host.kill()
            host.start()
        eventually(lambda: counted(accepted) >= STORM, seconds=60)
        assert host.stop(signal.SIGTERM) == 0

    # the storm was not over when the last of the quiet ones was there
    assert before < STORM
    rare = [event["content"] for event in journal(accepted) if event["name"] == "Rare"]
    # the last one too may come twice: the agent may be killed before it has noted the answer
    assert (list(dict.fromkeys(rare)) if storm == "keep" else rare) == [str(n) for n in range(QUIET)]
    if storm == "fold":
        assert counted(accepted) == STORM
        assert any(MORE.match(str(event["content"])) for event in journal(accepted))
    else:
        whole = {event["content"] for event in journal(accepted) if event["name"] == "NumberedError"}
        assert whole == {f"loud.log {n}" for n in range(STORM)}


def counted(accepted: Path) -> int:
    """How many lines of the storm the accepted events tell of; an event that came twice counts once."""
    contents = {str(event["content"]) for event in journal(accepted) if event["name"] == "NumberedError"}
    return sum(int(more[1]) if (more := MORE.match(content)) else 1 for content in contents)
