"""The JSON Schemas that editors use: made of what reads the files, and of the same opinion where they can have one."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from shipper.config.json_schema import config_schema
from shipper.config.load import load_config
from shipper.config.model import Config
from shipper.errors import ConfigurationError
from shipper.matching.rule_file import RuleFile, RuleTable
from shipper.matching.rule_schema import rules_schema
from shipper.matching.rulebook import load_rules
from tests.schemas import DIRECTORY, SCHEMAS, text_of

ROOT = Path(__file__).parents[1]
PACKS = sorted((ROOT / "rules").glob("*.toml"))
RULE = "[[rule]]\nid = 'a'\nmatch = 'x'\nevent = 'E'\n"
SOURCE = "[[source]]\nname = 'a'\npaths = ['/x']\n"


def plain(value: object) -> Any:
    """Give TOML's values as an editor sees them: times are texts."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else value


def faults(schema: dict[str, Any], text: str) -> list[str]:
    return [fault.message for fault in Draft7Validator(schema).iter_errors(plain(tomllib.loads(text)))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_shipped_is_what_the_definitions_say(name: str) -> None:
    """After a change of a key: `make schemas`."""
    Draft7Validator.check_schema(SCHEMAS[name]())
    assert (DIRECTORY / name).read_text() == text_of(name)


@pytest.mark.parametrize("file", PACKS, ids=lambda file: file.stem)
def test_the_shipped_packs_are_valid(file: Path) -> None:
    assert faults(rules_schema(), file.read_text()) == []


def keys(cls: type[Any]) -> Iterator[tuple[str, type[Any]]]:
    """Give every key of a table and of those in it, with the table's class."""
    for item in dataclasses.fields(cls):
        if item.metadata:
            yield item.name, cls
            for inner in ("table", "tables"):
                if inner in item.metadata:
                    yield from keys(item.metadata[inner])


@pytest.mark.parametrize(
    ("cls", "schema"),
    [(Config, config_schema()), (RuleTable, rules_schema()), (RuleFile, rules_schema())],
    ids=["shipper.toml", "rule", "rule file"],
)
def test_every_key_that_may_be_given_is_known(cls: type[Any], schema: dict[str, Any]) -> None:
    text = str(schema)
    for name, owner in keys(cls):
        assert f"'{name}': {{" in text, (owner, name)


@pytest.mark.parametrize(
    "more",
    [
        "match_timeout = 5",
        "match_timeout = '5 parsecs'",
        "mtach = 'x'",
        "ignore = 'x'",
        "final = 'yes'",
        "sources = [1]",
        "group_id = -1",
        "[rule.threshold]\ncount = 2",
        "[rule.threshold]\ncount = 0\nwithin = '1m'",
        "[rule.throttle]\nmax = 1\nper = '1m'\nby = 'x'",
        "[[rule.redact]]\nreplace = 'x'",
        "[[rule.test]]\nline = 'x'\nexpect = 'nothing'",
        "[[rule.test]]\nline = 'x'\nexpect = { evnt = 'x' }",
        "[rule.time]\nfmt = 'x'",
    ],
)
def test_what_is_wrong_in_a_rule_is_wrong_for_the_editor_too(tmp_path: Path, more: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE + more + "\n")
    with pytest.raises(ConfigurationError):
        load_rules([path])
    assert faults(rules_schema(), path.read_text())


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        (SOURCE, True),
        (SOURCE + "group_id = 7\nfields = { a = 1, b = 'x', c = true }\n[source.multiline]\npreset = 'java'\n", True),
        ("drain_timeout = '${DRAIN:-5s}'\nlog_level = '${LEVEL:-info}'\n[store]\nmax_queue_bytes = '1GiB'\n", True),
        ("[store]\nmax_queue_bytes = 1000000\noverflow = 'drop_oldest'\nstorm = 'keep'\n", True),
        (SOURCE + "paths_ = ['/x']\n", False),
        ("[[source]]\nname = 'a'\n", False),
        (SOURCE + "format = 'dokcer'\n", False),
        ("drain_timeout = 5\n", False),
        ("drain_timeout = '5'\n", False),
        ("[store]\nmax_queue_bytes = '1 lot'\n", False),
        ("[cloudmonitor]\nmax_requests_per_second = -1\n", False),
        ("[cloudmonitor]\nendpoint = 'ftp://x'\n", False),
        ("[store]\nstorm = 'fold'\nstorm_backlog = 10\n", True),
        ("[store]\nstorm = 'folded'\n", False),
        ("[http]\nlisten = '127.0.0.1:1'\n", True),
        ("[http]\nlisten = 'everywhere'\n", False),
    ],
)
def test_a_configuration_is_judged_alike(tmp_path: Path, text: str, is_fine: bool) -> None:
    """By the program and by the schema."""
    path = tmp_path / "shipper.toml"
    path.write_text(text)
    path.chmod(0o600)
    try:
        load_config(path, {})
        loads = True
    except ConfigurationError:
        loads = False
    assert (loads, not faults(config_schema(), text)) == (is_fine, is_fine)
