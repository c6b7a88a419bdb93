"""`shipper init`: what it writes works as it is, and it overwrites nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from shipper.cli import app, init
from shipper.config.json_schema import config_schema
from shipper.config.load import load_config
from shipper.matching.proving import prove
from shipper.matching.rule_schema import rules_schema
from shipper.matching.rulebook import load_configured_rules


def written(directory: Path) -> tuple[Path, Path]:
    assert app.main(["init", str(directory)]) == 0
    return directory / "shipper.toml", directory / "rules.d" / "first.toml"


def test_what_is_written_is_right_and_proven(tmp_path: Path) -> None:
    """Configuration and rules load without a warning, the rule's tests pass, and the schemas agree."""
    configuration, rules = written(tmp_path / "new")
    config, warnings = load_config(configuration, {})
    rulebook, more = load_configured_rules(config)

    assert (warnings, more) == ((), ())
    assert len(rulebook.cases) == 2
    assert all(outcome.passed for outcome in prove(rulebook.cases))
    for file, schema in ((configuration, config_schema()), (rules, rules_schema())):
        first, _, rest = file.read_text().partition("\n")
        assert Path(first.removeprefix("#:schema ")).is_file()
        assert not list(Draft7Validator(schema).iter_errors(tomllib.loads(rest)))
        assert file.stat().st_mode & 0o777 == 0o600


def test_logs_that_are_here_become_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.log").touch()
    known = (("shop", (f"{tmp_path}/a*.log", "/nowhere/*.log")), ("none", ("/nowhere/*",)))
    monkeypatch.setattr(init, "KNOWN_LOGS", known)
    config, _ = load_config(written(tmp_path / "new")[0], {})

    assert [(source.name, source.paths) for source in config.source] == [("shop", (f"{tmp_path}/a*.log",))]


def test_without_known_logs_an_example_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "KNOWN_LOGS", ())
    config, _ = load_config(written(tmp_path / "new")[0], {})
    assert [source.name for source in config.source] == ["app"]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration, rules = written(tmp_path)
    rules.unlink()
    configuration.write_text("mine")

    assert app.main(["init", str(tmp_path)]) == 1
    assert "there already, and left as it is" in capsys.readouterr().err
    assert configuration.read_text() == "mine"
    assert not rules.exists()
