"""`shipper run` with wrong input: one clear message, the spec's exit code, nothing started, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RULE = "[[rule]]\nid = 'r'\nmatch = 'ERROR (?<n>\\d+)'\nevent = 'E'\n"
CONFIG = """
state_dir = "{root}/state"
[cloudmonitor]
endpoint = "http://127.0.0.1:1"
[[source]]
name = "app"
paths = ["{root}/*.log"]
"""
KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "very-secret"}


def run(root: Path, *arguments: str, keys: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIBABA")}
    environment |= {"HOME": str(root)} | (KEYS if keys else {})
    return subprocess.run(
        [sys.executable, "-m", "shipper", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def refuse(result: subprocess.CompletedProcess[str], *said: str) -> None:
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "very-secret" not in result.stderr
    for words in said:
        assert words in result.stderr


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d/a.toml").write_text(RULE)
    (tmp_path / "shipper.toml").write_text(CONFIG.format(root=tmp_path))
    return tmp_path


def config(root: Path) -> tuple[str, str]:
    return "-c", str(root / "shipper.toml")


def test_no_configuration(root: Path) -> None:
    """The message says how to name one."""
    refuse(run(root, "-c", str(root / "missing.toml")), "missing.toml: does not exist", "-c FILE or $SHIPPER_CONFIG")


def test_a_wrong_key(root: Path) -> None:
    """File, line, key, and what was probably meant."""
    (root / "shipper.toml").write_text(CONFIG.format(root=root).replace("paths", "path"))
    refuse(run(root, *config(root)), "shipper.toml:7:1: unknown key 'path' in [source]; did you mean 'paths'?")


def test_a_broken_pattern(root: Path) -> None:
    """File, line, rule, column in the pattern, and what `regex` says."""
    (root / "rules.d/a.toml").write_text(RULE.replace("\\d+)", "\\d+"))
    refuse(run(root, *config(root)), "a.toml:3:1: rule 'r': 'match' is not a valid pattern at column", "missing )")


def test_all_problems_of_all_rule_files_at_once(root: Path) -> None:
    """Not one a start."""
    (root / "rules.d/a.toml").write_text(RULE.replace("event", "evnt"))
    (root / "rules.d/b.toml").write_text(RULE.replace("'r'", "'s'") + "content = '{number}'\n")
    refuse(run(root, *config(root)), "did you mean 'event'?", "b.toml:5:1: rule 's': 'content' uses {number}")


def test_no_credentials_at_all(root: Path) -> None:
    """What was looked at, and how to give them."""
    refuse(run(root, *config(root), keys=False), "ALIBABA_CLOUD_ACCESS_KEY_ID")


def test_a_state_directory_that_cannot_be_written(root: Path) -> None:
    """The message names it."""
    (root / "state").write_text("a file")
    refuse(run(root, *config(root)), "the state directory", "cannot be written")


def test_an_unknown_region(root: Path) -> None:
    """With the nearest one."""
    text = CONFIG.format(root=root).replace('endpoint = "http://127.0.0.1:1"', 'region = "cn-hangzou"')
    (root / "shipper.toml").write_text(text)
    refuse(run(root, *config(root)), "cn-hangzhou")


def test_usage_and_help(root: Path) -> None:
    """A wrong option is exit code 2; help has examples."""
    refuse(run(root, "--confg", "x"), "usage: shipper run")
    helped = run(root, "--help")

    assert helped.returncode == 0
    assert "shipper run -c ./shipper.toml" in helped.stdout


def test_the_agent_loads_no_terminal_library() -> None:
    """Memory counts: the agent's process imports neither click nor rich."""
    script = (
        "import sys; import shipper.cli.run, shipper.agent.supervisor; "
        "print([name for name in ('click', 'rich') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert found.stdout == "[]\n", found.stderr


def test_an_agent_without_stderr_works_and_writes_into_no_file_of_its_own(root: Path) -> None:
    """Its log goes nowhere; what libraries write to descriptor 2 does, too."""
    program = (
        "import os, sys\n"
        "from shipper import telemetry\n"
        "from shipper.cli import run\n"
        "run._run = lambda _: telemetry.configure('info', 'text') or telemetry.agent_stopping(1) or 0\n"
        "code = run.main([])\n"
        "os.write(1, os.readlink('/proc/self/fd/2').encode() + b' %d' % code)\n"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.stdout == "/dev/null 0"
