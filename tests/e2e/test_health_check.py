"""What the container image asks to know whether its agent is well: engines keep and show what that prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from shipper.cloudmonitor.emulator import Emulator
from tests.e2e.host import Host
from tests.pages import ROOT
from tests.system.dockerfile import instructions
from tests.web.conftest import free_port

RECIPE = dict(instructions((ROOT / "packaging/container/Dockerfile").read_text()))


def check(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SHIPPER_CONFIG": str(host.config)}
    return subprocess.run([sys.executable, "-m", "shipper", *words], env=environment, capture_output=True, text=True)


def test_the_recipes_health_check_says_it_by_its_exit_code_alone(tmp_path: Path, emulator: Emulator) -> None:
    """Nothing is printed, so no token of the page either, which a status has in its last line."""
    program, *words = json.loads(RECIPE["HEALTHCHECK"].partition(" CMD ")[2])
    assert program == "/opt/shipper/bin/shipper"
    host = Host(tmp_path, emulator, extra=f'[http]\nlisten = "127.0.0.1:{free_port()}"')
    host.start()
    well = check(host, *words)
    assert (well.returncode, well.stdout + well.stderr) == (0, "")
    token = (tmp_path / "state/http.token").read_text().strip()
    assert token in check(host, "status").stdout
    assert host.stop() == 0
    stopped = check(host, *words)
    assert (stopped.returncode, stopped.stdout + stopped.stderr) == (1, "")
