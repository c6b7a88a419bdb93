"""The Helm chart, as far as it can be judged without Helm; tests/system/test_chart.py renders it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from shipper.config.kinds import parse_duration
from tests.schemas import CHART, VALUES, text_of_values

ROOT = Path(__file__).parent.parent
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads(VALUES.read_text())


def faults(values: dict[str, Any]) -> list[str]:
    return [fault.message for fault in Draft7Validator(SCHEMA).iter_errors(values)]


def changed(path: str, value: object) -> dict[str, Any]:
    """Give the defaults with another value at a place."""
    values: Any = copy.deepcopy(DEFAULTS)
    *above, last = path.split(".")
    table = values
    for name in above:
        table = table[name]
    table[last] = value
    return dict(values)


def test_the_defaults_are_valid() -> None:
    Draft7Validator.check_schema(SCHEMA)

    assert faults(DEFAULTS) == []


def test_the_schema_of_the_configuration_is_the_products() -> None:
    """After a change of a key: `make schemas`."""
    assert VALUES.read_text() == text_of_values()


def test_every_default_is_in_the_schema_and_the_other_way_round() -> None:
    """A value that nobody can see in values.yaml is none."""

    def keys(schema: dict[str, Any]) -> set[str]:
        return set(schema.get("properties", ()))

    assert keys(SCHEMA) - {"global"} == set(DEFAULTS)
    for name, schema in SCHEMA["properties"].items():
        if schema.get("additionalProperties") is False and name != "config":
            assert keys(schema) == set(DEFAULTS[name]), name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tolerationz", []),
        ("config.cloudmonitr", {}),
        ("config.drain_timeout", "5 parsecs"),
        ("config.source", [{"name": "a", "paths": []}]),
        ("config.state_dir", "/state"),
        ("config.http", {"listen": "0.0.0.0:9595"}),
        ("config.cloudmonitor.credentials", {"access_key_id": "a", "access_key_secret": "b"}),
        ("packs", ["../secret"]),
        ("rules", {"app.txt": ""}),
        ("rules", {"../app.toml": ""}),
        ("rules", {"app.toml": {"rule": []}}),
        ("http.port", 70000),
        ("security.user", "root"),
        ("security.privileged", True),
        ("rrsa.roleArn", "arn:aws:iam::1:role/a"),
        ("state.hostPath", "shipper"),
        ("logs.hostPaths", ["/var/log", "/var/log"]),
        ("timezone", "../../etc/passwd"),
        ("image.digest", "latest"),
        ("probes.liveness.httpGet", {}),
        ("podMonitor.enabled", "yes"),
    ],
)
def test_wrong_values_are_refused(path: str, value: object) -> None:
    assert faults(changed(path, value))


def test_it_is_of_this_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert version is not None
    assert about["appVersion"] == version[1]


@pytest.mark.parametrize(
    ("copied", "original"), [("alerts.yml", "prometheus/alerts.yml"), ("shipper.json", "grafana/shipper.json")]
)
def test_what_helm_cannot_reach_outside_of_a_chart_is_the_same_inside(copied: str, original: str) -> None:
    assert (CHART / "files" / copied).read_bytes() == (ROOT / "packaging" / original).read_bytes()


def test_the_default_packs_exist_and_there_is_time_to_drain() -> None:
    assert [name for name in DEFAULTS["packs"] if not (ROOT / "rules" / f"{name}.toml").exists()] == []
    assert parse_duration(DEFAULTS["config"]["drain_timeout"]) + 10 <= DEFAULTS["terminationGracePeriodSeconds"]


def test_the_memory_that_is_requested_is_the_limit() -> None:
    resources = DEFAULTS["resources"]

    assert resources["requests"]["memory"] == resources["limits"]["memory"]
