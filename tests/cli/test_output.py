"""Output that nobody takes: no traceback, whatever the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RULE = "[[rule]]\nid = 'r'\nmatch = 'ERROR'\nevent = 'E'\n"


@pytest.mark.parametrize("command", ["check --json -r", "test --json"])
@pytest.mark.parametrize(("target", "code"), [("| true", 0), ("> /dev/full", 1)])
def test_a_reader_that_has_gone_and_a_full_disk(tmp_path: Path, command: str, target: str, code: int) -> None:
    """A closed pipe ends the command quietly, a full disk with one sentence."""
    (tmp_path / "r.toml").write_text(RULE)
    line = f"{sys.executable} -m shipper {command} r.toml {target}; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert "Traceback" not in found.stderr
    assert found.returncode == code
    assert ("the output cannot be written" in found.stderr) == (code == 1)
