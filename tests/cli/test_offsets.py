"""`shipper offsets` and `shipper status` on a store whose agent does not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from shipper.cloudmonitor import batching
from shipper.outbox.lock import StateLock
from shipper.outbox.store import Store

CONFIG = """
state_dir = "{root}/state"
[[source]]
name = "app"
paths = ["{root}/*.log"]
"""


def shipper(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (root / "shipper.toml").write_text(CONFIG.format(root=root))
    command = [sys.executable, "-m", "shipper", *arguments, "-c", str(root / "shipper.toml")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_set_list_forget(tmp_path: Path) -> None:
    """An offset is moved back to its line's beginning, listed, and forgotten; refused while the lock is held (5.7)."""
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    (tmp_path / "state").mkdir(mode=0o700)
    Store(tmp_path / "state", batching.encode).close()
    done = shipper(tmp_path, "offsets", "set", str(log), "6")
    assert done.returncode == 0, done.stderr
    assert "byte 4" in done.stderr
    assert [each["offset"] for each in json.loads(shipper(tmp_path, "offsets", "list", "--json").stdout)] == [4]
    stopped = shipper(tmp_path, "status", "--json")
    assert stopped.returncode == 1, stopped.stderr
    assert json.loads(stopped.stdout)["files"]["lag"] == 4
    with closing(StateLock(tmp_path / "state")):
        refused = shipper(tmp_path, "offsets", "forget", str(log))
    assert refused.returncode == 1, refused.stderr
    assert "in use" in refused.stderr
    assert shipper(tmp_path, "offsets", "forget", str(log)).returncode == 0
    assert json.loads(shipper(tmp_path, "offsets", "list", "--json").stdout) == []


def test_a_name_forges_no_line_and_steers_no_terminal(tmp_path: Path) -> None:
    """A file's name stays on its own line, whatever bytes it has, in lists, messages and the status (10.3, 3.5)."""
    log = tmp_path / "a\nhealthy\x1b[31m\udcff.log"
    log.write_text("one\n")
    (tmp_path / "state").mkdir(mode=0o700)
    Store(tmp_path / "state", batching.encode).close()
    told = [shipper(tmp_path, "offsets", "set", str(log), "0")]
    assert told[0].returncode == 0, told[0].stderr
    told += [shipper(tmp_path, "offsets", "list"), shipper(tmp_path, "status", "--all")]
    told += [shipper(tmp_path, "offsets", "forget", str(log))]

    for done in told:
        shown = done.stdout + done.stderr
        assert r"a\nhealthy\x1b[31m\xff.log" in shown
        assert "\x1b" not in shown
        assert not any(line.startswith("healthy") for line in shown.splitlines())


def test_at_rest_too_the_lag_has_an_age(tmp_path: Path) -> None:
    """How long ago the file with unread bytes was written to; nothing where all is read (6.3)."""
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    written = time.time() - 3600
    os.utime(log, (written, written))
    (tmp_path / "state").mkdir(mode=0o700)
    Store(tmp_path / "state", batching.encode).close()
    assert shipper(tmp_path, "offsets", "set", str(log), "start").returncode == 0
    files = json.loads(shipper(tmp_path, "status", "--json").stdout)["files"]
    assert files["lag"] == 8
    assert 3600 <= files["lag_seconds"] < 4000
    assert datetime.fromisoformat(files["listed"][0]["changed_at"]).timestamp() == pytest.approx(written, abs=1)
    assert "lag 8 bytes, 1.0 h" in shipper(tmp_path, "status").stdout
    assert shipper(tmp_path, "offsets", "set", str(log), "end").returncode == 0

    assert json.loads(shipper(tmp_path, "status", "--json").stdout)["files"]["lag_seconds"] == 0
