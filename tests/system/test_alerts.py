"""The alert rules, judged by Prometheus: each fires when it is needed, and stays quiet when it is not."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.programs import program

ALERTS = Path(__file__).parent.parent.parent / "packaging/prometheus/alerts.yml"
RULES: dict[str, Any] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}


@dataclass(frozen=True)
class Case:
    """Some series, one value a minute in promtool's notation, and what is to be seen of an alert in the end.

    What an answer leaves out is `stale`, as Prometheus notes it; `_` would be an answer that did not come.

    `labels` of what fires, beside the instance and the alert's own; quiet without a `summary`.
    """

    alert: str
    series: dict[str, str]
    minutes: int
    summary: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def test(self) -> dict[str, Any]:
        rule = RULES[self.alert]
        fires = {
            "exp_labels": rule["labels"] | {"instance": "web-1"} | self.labels,
            "exp_annotations": {"summary": self.summary, "action": rule["annotations"]["action"]},
        }
        return {
            "interval": "1m",
            "input_series": [
                {"series": name.replace("{", '{instance="web-1",').replace(",}", "}"), "values": values}
                for name, values in self.series.items()
            ],
            "alert_rule_test": [
                {
                    "eval_time": f"{self.minutes}m",
                    "alertname": self.alert,
                    "exp_alerts": [fires] if self.summary else [],
                }
            ],
        }


WAIT = "events wait on web-1, none was accepted for five minutes, or ever since the start"
LOST = "shipper on web-1 lost data: "
UNREAD = "shipper on web-1 cannot read logs that its sources name"
CASES = [
    Case("ShipperDown", {'up{job="shipper"}': "1 0x9"}, 7, "No metrics from shipper on web-1", {"job": "shipper"}),
    Case("ShipperDown", {'up{job="shipper"}': "1 0x3 1x9"}, 7),
    Case("ShipperUnhealthy", {"shipper_healthy{}": "1 0x9"}, 7, "shipper on web-1 does not do its work"),
    Case("ShipperUnhealthy", {"shipper_healthy{}": "0x3 1x9"}, 7),
    # it has never delivered; its only delivery was at the start; it was restarted while nothing can be delivered
    Case(
        "ShipperDoesNotDeliver",
        {"shipper_queue_events{}": "0 3x20", "shipper_last_accepted_timestamp_seconds{}": "0x20"},
        12,
        f"3 {WAIT}",
    ),
    Case(
        "ShipperDoesNotDeliver",
        {"shipper_queue_events{}": "0 3x20", "shipper_last_accepted_timestamp_seconds{}": "60x20"},
        13,
        f"3 {WAIT}",
    ),
    Case(
        "ShipperDoesNotDeliver",
        {"shipper_queue_events{}": "3x20", "shipper_last_accepted_timestamp_seconds{}": "60x9 0x20"},
        13,
        f"3 {WAIT}",
    ),
    # it delivers, and more comes; it has nothing to deliver
    Case(
        "ShipperDoesNotDeliver",
        {"shipper_queue_events{}": "3x40", "shipper_last_accepted_timestamp_seconds{}": "0+60x40"},
        30,
    ),
    Case(
        "ShipperDoesNotDeliver",
        {"shipper_queue_events{}": "0x40", "shipper_last_accepted_timestamp_seconds{}": "0x40"},
        30,
    ),
    Case("ShipperLags", {"shipper_lag_bytes{}": "0+200000x40"}, 35, "shipper on web-1 falls behind its logs"),
    # now and then the reading loop is too busy to tell
    Case(
        "ShipperLags",
        {"shipper_lag_bytes{}": "0+200000x20 stale 4400000+200000x5 stale stale 6200000+200000x20"},
        29,
        "shipper on web-1 falls behind its logs",
    ),
    Case("ShipperLags", {"shipper_lag_bytes{}": "9000000-100000x40"}, 35),
    Case(
        "ShipperLosesData",
        {'shipper_lost_bytes_total{reason="truncated"}': "0x5 100x20"},
        7,
        f"{LOST}truncated",
        {"reason": "truncated"},
    ),
    Case(
        "ShipperLosesData",
        {
            'shipper_lost_events_total{reason="queue_full"}': "0x5 1x20",
            'shipper_lost_bytes_total{reason="nul"}': "0x20",
        },
        7,
        f"{LOST}queue_full",
        {"reason": "queue_full"},
    ),
    # long ago, and counted on in the store over a restart
    Case("ShipperLosesData", {'shipper_lost_bytes_total{reason="truncated"}': "100x20 stale _x2 100x90"}, 100),
    Case(
        "ShipperQueueIsFilling",
        {"shipper_queue_bytes{}": "0 81x20", "shipper_queue_limit_bytes{}": "100x20"},
        12,
        "The queue of shipper on web-1 is over 80 % full",
    ),
    Case("ShipperQueueIsFilling", {"shipper_queue_bytes{}": "79x20", "shipper_queue_limit_bytes{}": "100x20"}, 12),
    Case(
        "ShipperCannotReadFiles",
        {'shipper_finding{what="files",health="degraded"}': "_ 1x20"},
        17,
        UNREAD,
        {"what": "files"},
    ),
    # first all files of a source, then some
    Case(
        "ShipperCannotReadFiles",
        {
            'shipper_finding{what="files",health="unhealthy"}': "1x9 stale",
            'shipper_finding{what="files",health="degraded"}': "_x10 1x20",
        },
        17,
        UNREAD,
        {"what": "files"},
    ),
    Case(
        "ShipperCannotReadFiles",
        {
            'shipper_finding{what="files",health="degraded"}': "1x9 stale",
            'shipper_finding{what="clock",health="degraded"}': "1x30",
        },
        20,
    ),
    Case(
        "ShipperConfigurationIsNotInForce",
        {"shipper_configuration_current{}": "1 0x20"},
        17,
        "shipper.toml on web-1 is not in force as it is written",
    ),
    Case("ShipperConfigurationIsNotInForce", {"shipper_configuration_current{}": "0x9 1x20"}, 20),
    Case(
        "ShipperRulesAreNotInForce",
        {'shipper_finding{what="rules",health="degraded"}': "_ 1x20"},
        17,
        "Rule files on web-1 are not in force as they are written",
        {"what": "rules", "health": "degraded"},
    ),
    Case("ShipperRulesAreNotInForce", {'shipper_finding{what="rules",health="degraded"}': "1x9 stale"}, 20),
    Case(
        "ShipperClockIsOff",
        {'shipper_finding{what="clock",health="degraded"}': "_ 1x20"},
        17,
        "The clock of web-1 is more than a minute off",
        {"what": "clock", "health": "degraded"},
    ),
    Case("ShipperClockIsOff", {'shipper_finding{what="files",health="degraded"}': "1x20"}, 17),
    Case(
        "ShipperRuleIsSlow",
        {'shipper_rule_timeouts_total{rule="slow"}': "0x5 2x20", 'shipper_rule_timeouts_total{rule="quick"}': "0x20"},
        7,
        "Rule slow on web-1 takes too long",
        {"rule": "slow"},
    ),
    # the count begins anew with the agent
    Case(
        "ShipperRuleIsSlow",
        {'shipper_rule_timeouts_total{rule="slow"}': "7x70 1x20"},
        75,
        "Rule slow on web-1 takes too long",
        {"rule": "slow"},
    ),
    Case("ShipperRuleIsSlow", {'shipper_rule_timeouts_total{rule="slow"}': "7x70 0x20"}, 85),
    Case("ShipperEventsAreRefused", {"shipper_dead_letters{}": "0 4x20"}, 7, "The service refused 4 events of web-1"),
    Case("ShipperEventsAreRefused", {"shipper_dead_letters{}": "4x3 0x20"}, 7),
]


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet() -> None:
    for fires in (True, False):
        assert {case.alert for case in CASES if bool(case.summary) is fires} == RULES.keys()


@pytest.mark.system
@pytest.mark.parametrize("alert", RULES)
def test_an_alert_fires_when_it_is_needed_and_only_then(alert: str, tmp_path: Path) -> None:
    """Also when the series says nothing else from the beginning, and after a restart."""
    promtool = program("promtool")
    tests = [case.test for case in CASES if case.alert == alert]
    cases = tmp_path / "cases.yml"
    # JSON is YAML
    cases.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
def test_prometheus_takes_the_alert_rules() -> None:
    promtool = program("promtool")
    done = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"{len(RULES)} rules found" in done.stdout
