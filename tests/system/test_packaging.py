"""What is shipped beside the program, judged by the programs that it is for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.system.programs import program

pytestmark = pytest.mark.system

PACKAGING = Path(__file__).parent.parent.parent / "packaging"


@pytest.mark.parametrize("with_credential", [False, True])
def test_the_unit_is_sound_and_well_locked(tmp_path: Path, with_credential: bool) -> None:
    """Known keys only; the exposure that systemd sees in it stays low; also with the secret as a credential."""
    analyze = program("systemd-analyze")
    unit = tmp_path / "shipper.service"
    text = (PACKAGING / "systemd/shipper.service").read_text()
    if with_credential:
        text = text.replace("#LoadCredential=", "LoadCredential=")
        assert "\nLoadCredential=" in text
    # what it starts is not installed here, nor is its manual
    unit.write_text(text.replace("/opt/shipper/bin/shipper", "/bin/true"))
    verified = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run([analyze, "security", "--offline=true", unit], capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level.*: ([0-9.]+)", judged.stdout)

    assert found is not None, judged.stdout + judged.stderr
    assert float(found[1]) <= 2.0
