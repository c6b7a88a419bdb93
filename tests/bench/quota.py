"""The row of the quota: how much of a core it takes to use all of an account's requests.

A backlog lies in the log; once it is read, the agent does nothing but send it at 20 requests a second to the emulator,
which counts as the service does.
"""

from __future__ import annotations

import shutil
import time
from typing import Final

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.bench.collector import WrongCountError
from tests.bench.families import BenchRule
from tests.bench.measuring import Bench, Measured, Row
from tests.bench.processes import cpu_seconds, pinned, wait_until
from tests.bench.shippers import Agent

EVENTS_PER_SECOND: Final = 2000
WARM_UP: Final = 5 * EVENTS_PER_SECOND
_RULES: Final = "[[rule]]\nid = 'r'\nmatch = 'LOUD (?<n>[0-9]+)'\nevent = 'Loud'\n"


class Paced(Agent):
    """`shipper run` at the service's quota."""

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        super()._configure(rules, port)
        (self.root / "rules.toml").write_text(_RULES)
        config = self.root / "shipper.toml"
        config.write_text(config.read_text().replace("requests_per_second = 0", "requests_per_second = 20"))


def quota(bench: Bench) -> Measured:
    """Send a backlog; gives the CPU that the agent uses meanwhile, after the pace was found, in % of a core."""
    root = bench.place("quota")
    count = WARM_UP + int(EVENTS_PER_SECOND * bench.seconds)
    with pinned(bench.cores.other), Emulator(Settings()) as service:
        agent = Paced(root, [], int(service.url.rpartition(":")[2]))
        line = "2026-11-26 10:00:00 ERROR [worker-3] com.example.Cart - cannot reach the stock service: LOUD %d\n"
        (agent.logs / "app.log").write_text("".join(line % number for number in range(count)))
        agent.start(bench.cores.measured)
        try:
            wait_until(lambda: service.stats().events >= WARM_UP, "the backlog is not sent")
            began, cpu, before = time.monotonic(), cpu_seconds(agent.pid), service.stats()
            wait_until(lambda: service.stats().events >= count, "the backlog is not sent", 60 + 4 * bench.seconds)
            seconds, cpu, after = time.monotonic() - began, cpu_seconds(agent.pid) - cpu, service.stats()
        finally:
            agent.stop()
    if service.stats().events != count:
        raise WrongCountError(f"{count} lines, {service.stats().events} events")
    shutil.rmtree(root)
    sent = after.events - before.events
    return Measured(
        100 * cpu / seconds,
        {
            "events/s": sent / seconds,
            "of the quota, %": 100 * sent / seconds / EVENTS_PER_SECOND,
            "requests refused": after.throttled - before.throttled,
        },
    )


ROWS = (Row("quota", "sending at an account's quota, CPU", "% of a core", quota, once=True),)
