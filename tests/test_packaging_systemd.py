"""The unit, as far as it can be judged without systemd; tests/system/test_packaging.py asks systemd itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.config.load import load_config
from shipper.web.trial import MEMORY_BYTES
from shipper.web.workshop import MOST_AT_ONCE
from tests.pages import ROOT, Page

README = Page(ROOT / "packaging/systemd/README.md")
UNIT = (ROOT / "packaging/systemd/shipper.service").read_text()
SETTINGS = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
LOADED = "LoadCredential=access_key_secret:/etc/shipper/access_key_secret"
MIB = 1 << 20


def block(language: str, word: str) -> str:
    """Give the block of the page that holds a word."""
    (found,) = (code for code in README.code if code.language == language and word in "\n".join(code.lines))
    return "\n".join(found.lines)


def test_the_unit_and_its_page_name_the_same_secret() -> None:
    """What is to be uncommented in the unit is what the page has typed; both configure the same file."""
    assert f"\n#{LOADED}\n" in UNIT
    assert LOADED in block("ini", "LoadCredential")
    (key,) = (line for line in block("toml", "CREDENTIALS").splitlines() if line.startswith("access_key_secret_file"))
    assert f"\n#   {key}\n" in UNIT


@pytest.mark.parametrize("variable", [None, "/run/elsewhere"])
def test_the_configuration_with_it_is_sound_with_and_without_the_variable(tmp_path: Path, variable: str | None) -> None:
    """systemd sets it for the agent; commands by hand, and the check before a reload, are started without it."""
    file = tmp_path / "shipper.toml"
    file.write_text(block("toml", "CREDENTIALS"))
    environment = {} if variable is None else {"CREDENTIALS_DIRECTORY": variable}
    config, warnings = load_config(file, environment)
    assert warnings == ()
    expected = f"{variable or '/run/credentials/shipper.service'}/access_key_secret"
    assert config.cloudmonitor.credentials.access_key_secret_file == expected
    inherited = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    checked = subprocess.run(
        [sys.executable, "-m", "shipper", "check", "-c", str(file)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_memory_that_it_may_take_is_more_than_it_needs() -> None:
    """The agent with 10,000 files, and as many trials of the workshop as run at once, stay below both limits."""
    sizes = {"M": MIB, "G": 1 << 30}
    high, most = (int(SETTINGS[name][:-1]) * sizes[SETTINGS[name][-1]] for name in ("MemoryHigh", "MemoryMax"))
    assert 100 * MIB + MOST_AT_ONCE * MEMORY_BYTES < high < most


def test_it_names_its_documentation() -> None:
    """What `systemctl status` and `systemctl help` show."""
    told = re.findall(r"^Documentation=(.*)$", UNIT, re.MULTILINE)
    assert told == ["man:shipper(1)", "file:///usr/share/doc/shipper/README.md"]
