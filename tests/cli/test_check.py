"""`shipper check` as a user types it: everything that is wrong, at once."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shipper.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Check = Callable[..., "Outcome"]

GOOD_RULE = """
[[rule]]
id = "oom"
match = 'OutOfMemoryError(?:: (?<reason>.*))?'
event = "OutOfMemory"
content = "{reason|unknown}"

  [[rule.test]]
  line = "OutOfMemoryError: x"
  expect = { content = "x" }
"""
BAD_RULES = """
[[rule]]
id = "broken"
mtach = "x"
match = '(foo'
event = "E {nope"

[[rule]]
id = "oom"
match = "(?<x>foo)?bar"
event = "E{hostnme}"
shadow = "yes"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """Run `shipper check` in a directory with one good rule, and keys in the environment."""
    for name in [name for name in os.environ if name.startswith(("ALIBABA_CLOUD_", "SHIPPER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret")
    monkeypatch.setattr("shipper.config.load.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text(GOOD_RULE)
    (tmp_path / "bad.toml").write_text(BAD_RULES)
    (tmp_path / "a.log").write_text("x\n")

    def run(*arguments: str, config: str | None = None) -> Outcome:
        if config is not None:
            file = tmp_path / "shipper.toml"
            file.write_text(config.replace("HERE", str(tmp_path)))
            file.chmod(0o600)
            arguments = ("-c", str(file), *arguments)
        code = app.main(["check", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        err = " ".join(captured.err.split()).replace(f"{tmp_path}/", "")
        return Outcome(code, captured.out, err)

    return run


CONFIG = 'state_dir = "state"\nrules = ["good.toml"]\n[[source]]\nname = "app"\npaths = ["HERE/*.log"]\n'


def test_all_is_well(check: Check) -> None:
    """One line says what was looked at, nothing is on stdout, and the code is 0."""
    done = check(config=CONFIG)

    assert (done.code, done.out, done.err) == (0, "", "ok: 1 source, 1 rule, 1 rule file, 1 test")


def test_rule_files_alone(check: Check) -> None:
    """`-r` needs no configuration."""
    done = check("-r", "good.toml")

    assert (done.code, done.err) == (0, "ok: 0 sources, 1 rule, 1 rule file, 1 test")


def test_every_problem_of_every_file_is_said_with_its_place(check: Check) -> None:
    """Configuration and rules together, so that all can be mended in one go (spec, section 2)."""
    config = CONFIG.replace("state_dir", "state_dri").replace("good.toml", "*.toml") + 'start_at = "begin"\n'

    done = check(config=config)

    assert done.code == 2
    for said in (
        "error: shipper.toml:1:1: unknown key 'state_dri'; did you mean 'state_dir'?",
        "error: shipper.toml:6:1: 'start_at' must be one of \"end\", \"beginning\", not 'begin'",
        "error: bad.toml:4:1: rule 'broken': unknown key 'mtach' in [rule]; did you mean 'match'?",
        "error: bad.toml:5:1: rule 'broken': 'match' is not a valid pattern at column 5 of the pattern: missing )",
        "error: bad.toml:6:1: rule 'broken': 'event' has a single '{' at column 3",
        "error: bad.toml:11:1: rule 'oom': 'event' uses {hostnme}, which is no capture",
        "did you mean 'hostname'?",
        "error: bad.toml:12:1: rule 'oom': 'shadow' must be true or false, not a string",
        "error: good.toml:3:1: rule 'oom': the id is already used at bad.toml:9",
    ):
        assert said in done.err


def test_json_has_the_same_for_programs(check: Check) -> None:
    """A report on stdout, with severity and place of each problem."""
    done = check("-r", "bad.toml", "good.toml", "--json")

    report = done.report
    assert (done.code, report["ok"], report["files"]) == (2, False, 2)
    first = report["problems"][0]
    assert first == {
        "severity": "error",
        "file": "bad.toml",
        "line": 4,
        "column": 1,
        "rule": "broken",
        "message": "unknown key 'mtach' in [rule]; did you mean 'match'?",
    }
    assert check("-r", "good.toml", "--json").report == {
        "ok": True,
        "sources": 0,
        "rules": 1,
        "files": 1,
        "tests": 1,
        "problems": [],
    }


def test_what_is_missing_on_this_host_is_a_warning(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs and credentials may come later: said, each with its place, and the code stays 0."""
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    (tmp_path / "dangling.log").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    config = (
        'state_dir = "file/state"\nrules = ["good.toml", "none/*.toml"]\n'
        '[[source]]\nname = "app"\npaths = ["HERE/no/*.log"]\n'
        '[[source]]\nname = "links"\npaths = ["HERE/*.log"]\n'
    )

    done = check(config=config)

    assert done.code == 0
    for said in (
        "shipper.toml: warning: 'rules': 'none/*.toml' matches no file; no rule comes from it",
        "shipper.toml:1:1: warning: no credentials found",
        "shipper.toml:1:1: warning: 'state_dir': file is no directory",
        "shipper.toml:5:1: warning: source 'app': no/*.log matches no file now; one that appears later will be read",
        "shipper.toml:8:1: warning: source 'links': dangling.log is not read: a link to a file that is not there",
        "5 warnings",
    ):
        assert said in done.err


def test_a_source_without_rules_and_a_configuration_without_sources(check: Check, tmp_path: Path) -> None:
    """Both work, and both do nothing: that deserves a word."""
    (tmp_path / "good.toml").write_text(GOOD_RULE.replace('id = "oom"', 'id = "oom"\nsources = ["ap*"]'))

    unused = check(config=CONFIG + '[[source]]\nname = "db"\npaths = ["HERE/*.log"]\n')
    empty = check(config='rules = ["good.toml"]\nstate_dir = "state"\n')

    assert (unused.code, empty.code) == (0, 0)
    assert "shipper.toml:8:1: warning: source 'db': no rule applies to it, so it makes no event" in unused.err
    assert "shipper.toml:1:1: warning: there is no [[source]]: no log is read" in empty.err


def test_a_region_without_endpoint_is_an_error(check: Check) -> None:
    """`run` would not start with it."""
    done = check(config='[cloudmonitor]\nregion = "cn-hangzho"\n')

    assert done.code == 2
    assert "shipper.toml:2:1: [cloudmonitor]: no public endpoint is known for region 'cn-hangzho'" in done.err
    assert "did you mean 'cn-hangzhou'?" in done.err


def test_a_secret_file_that_others_may_read(check: Check, tmp_path: Path) -> None:
    """A warning with the mode and what to do; the secret is nowhere."""
    (tmp_path / "secret").write_text("s3cr3t")
    (tmp_path / "secret").chmod(0o644)
    keys = '[cloudmonitor.credentials]\naccess_key_id = "id"\naccess_key_secret_file = "HERE/secret"\n'

    done = check(config='rules = ["good.toml"]\nstate_dir = "state"\n' + keys)

    assert done.code == 0
    assert (
        "shipper.toml:5:1: warning: others may read secret (mode 0644), which holds the secret; chmod 600 it"
        in done.err
    )
    assert "s3cr3t" not in done.err


def test_nothing_to_check(check: Check) -> None:
    """No configuration at the default place: said with what to do."""
    done = check()

    assert done.code == 2
    assert "none.toml: does not exist; name the configuration with -c FILE or $SHIPPER_CONFIG" in done.err
