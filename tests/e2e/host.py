"""A host for end-to-end tests: a real agent process, an emulated service, and a directory of logs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from shipper.cloudmonitor.emulator.server import Emulator
from tests.cloudmonitor.recording import RecordingServer
from tests.conftest import eventually

RULES = """
[[rule]]
id = "numbered"
match = 'ERROR (?<number>\\d+)'
event = "NumberedError"
content = "{file} {number}"
"""

STARTED: list[subprocess.Popen[Any]] = []


class Host:
    """Everything of one host, below one directory; `through` is a command that the agent is started by, with `exec`."""

    def __init__(
        self, root: Path, emulator: Emulator | RecordingServer, rules: str = RULES, extra: str = "", source: str = ""
    ) -> None:
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir()
        (root / "rules.d").mkdir()
        self.rules = root / "rules.d" / "rules.toml"
        self.rules.write_text(rules)
        self.config = root / "shipper.toml"
        self.config.write_text(
            f"""
state_dir = "{root}/state"
drain_timeout = "20s"
{extra}
[cloudmonitor]
endpoint = "{emulator.url}"
linger = "50ms"
[cloudmonitor.credentials]
access_key_id = "testkey"
access_key_secret = "testsecret"
[store]
min_free_disk = 0
[[source]]
name = "app"
paths = ["{self.logs}/*.log"]
start_at = "beginning"
scan_interval = "500ms"
{source}
"""
        )
        self.config.chmod(0o600)
        self.process: subprocess.Popen[bytes] | None = None
        self.through: tuple[str, ...] = ()
        self.log = root / "agent.log"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the agent, and wait until it says so."""
        told = self.log.read_text().count("Started:") if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.through, sys.executable, "-m", "shipper", "run", "-c", str(self.config)],
                stderr=log,
                cwd=self.root,
            )
        STARTED.append(self.process)
        eventually(
            lambda: self.log.read_text().count("Started:") > told or self.running.poll() is not None,
            what="the agent did not start",
        )
        return self.process

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The agent's process."""
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """As the kernel would: no chance to say anything."""
        self.running.kill()
        self.running.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait; gives the exit code."""
        self.running.send_signal(number)
        return self.running.wait(60)

    def write(self, name: str, *lines: str) -> None:
        """Append lines to a log."""
        with (self.logs / name).open("a") as file:
            file.writelines(line + "\n" for line in lines)

    def rename(self, name: str) -> None:
        """Rotate by rename; earlier generations move on."""
        self._make_room(name)
        (self.logs / name).rename(self.logs / f"{name}.1")

    def copytruncate(self, name: str) -> None:
        """Rotate by copy and truncation."""
        self._make_room(name)
        shutil.copyfile(self.logs / name, self.logs / f"{name}.1")
        os.truncate(self.logs / name, 0)

    def _make_room(self, name: str) -> None:
        for number in range(50, 0, -1):
            if (old := self.logs / f"{name}.{number}").exists():
                old.rename(self.logs / f"{name}.{number + 1}")


def journal(path: Path) -> list[dict[str, object]]:
    """Give the events that the emulator stored; a line that is being written is not one yet."""
    if not path.exists():
        return []
    return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.fixture(autouse=True)
def no_leaked_agent() -> Iterator[None]:
    """Kill the agents that a failed test leaves behind."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.wait()
