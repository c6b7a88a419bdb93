"""`shipper check` when only a part of what it is given can be read, and on files that two sources claim."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from shipper.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Check = Callable[[str], "Outcome"]

RULES = """
[[rule]]
id = "slow"
sources = ["app"]
match = 'slow'
event = "Slow"
content = "{service}: {line}"

[[rule]]
id = "bad"
match = '(a'
event = "E"
"""
SOURCE = """
[[source]]
name = "app"
paths = ["HERE/*.log"]
fields = { service = "x" }
"""
BAD_PATTERN = "error: bad.toml:11:1: rule 'bad': 'match' is not a valid pattern at column 3 of the pattern: missing )"


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    err: str

    @property
    def errors(self) -> int:
        return self.err.count("error: ")


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """Check a configuration in a directory with one rule file, and keys in the environment."""
    for name in [name for name in os.environ if name.startswith(("ALIBABA_CLOUD_", "SHIPPER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text(RULES)

    def run(config: str) -> Outcome:
        (tmp_path / "shipper.toml").write_text(config.replace("HERE", str(tmp_path)))
        code = app.main(["check", "-c", "shipper.toml"])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, " ".join(captured.err.split()).replace(f"{tmp_path}/", ""))

    return run


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('rules = ["bad.toml"]\nstate_dri = "x"\n' + SOURCE, "shipper.toml:2:1: unknown key 'state_dri'"),
        ('rules = ["bad.toml"]\n' + SOURCE + 'encodin = "x"\n', "shipper.toml:7:1: unknown key 'encodin'"),
        ('rules = ["bad.toml"]\n' + SOURCE + "zone = 7\n", "shipper.toml:7:1: 'zone' must be"),
        (
            'log_level = "info"\nlog_level = "info"\nrules = ["bad.toml"]\n' + SOURCE,
            "shipper.toml:2:19: not valid TOML",
        ),
        ('rules = ["bad.toml"]\n' + SOURCE + 'name = "twice"\n', "shipper.toml:7:15: not valid TOML"),
        ('rules = ["bad.toml"]\nlog_level =\n' + SOURCE, "shipper.toml:2:12: not valid TOML"),
        ('rules = ["${RULES:-bad}.toml"]\nstate_dri = "x"\n' + SOURCE, "shipper.toml:2:1: unknown key 'state_dri'"),
    ],
)
def test_a_broken_configuration_hides_no_broken_rule_and_makes_none(check: Check, config: str, said: str) -> None:
    """Its own mistake and the bad pattern, and nothing else: a source's name and fields are known as ever."""
    done = check(config)

    assert done.code == 2
    assert f"error: {said}" in done.err
    assert BAD_PATTERN in done.err
    assert done.errors == 2
    assert "fits no configured source" not in done.err


@pytest.mark.parametrize(
    "config",
    [
        "rules = [\n",
        "rules = 7\n",
        "a = 'x\n" * 50,
        "source = 3\nrules = []\n",
        "source = [3]\n",
        "\x00",
        "[[source]]\n",
    ],
)
def test_a_configuration_of_which_nothing_can_be_read_is_one_clear_error(check: Check, config: str) -> None:
    """No rule is judged by it, and there is no traceback."""
    done = check(config)

    assert done.code == 2
    assert "error: shipper.toml:" in done.err
    assert "bad.toml" not in done.err


def test_a_file_that_two_sources_match_is_said(check: Check, tmp_path: Path) -> None:
    """It is read once, for both; when they want it in different ways the first one's holds: a warning (1.11)."""
    (tmp_path / "bad.toml").write_text("")
    (tmp_path / "a.log").write_text("x\n")
    (tmp_path / "b.log").hardlink_to(tmp_path / "a.log")
    (tmp_path / "c.txt").write_text("x\n")
    other = '[[source]]\nname = "other"\npaths = ["HERE/*"]\nexclude = ["*.toml"]\nencoding = "latin-1"\n'

    done = check('rules = ["bad.toml"]\nstate_dir = "state"\n' + SOURCE + other)
    apart = check('rules = ["bad.toml"]\nstate_dir = "state"\n' + SOURCE + other.replace("*.toml", "*.[tl]o*"))

    assert (done.code, apart.code) == (0, 0)
    assert (
        "shipper.toml:10:1: warning: source 'other': a.log and 1 more file: matched by source 'app', too, "
        "which comes first: its encoding, format, multiline and limits hold for both"
    ) in done.err
    assert "matched by source" not in apart.err
    same = check('rules = ["bad.toml"]\nstate_dir = "state"\n' + SOURCE + other.replace('encoding = "latin-1"\n', ""))
    assert "matched by source" not in same.err


def test_as_a_process_it_ends_with_the_code_of_the_contract(check: Check, tmp_path: Path) -> None:
    """`python -m shipper check`: problems on stderr alone, 2."""
    (tmp_path / "c.toml").write_text('rules = ["bad.toml"]\nrules = ["bad.toml"]\n')

    command = [sys.executable, "-m", "shipper", "check", "-c", "c.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert "c.toml:2:21: not valid TOML" in done.stderr
    assert "rule 'bad'" in done.stderr
    assert "Traceback" not in done.stderr
