"""`shipper support-bundle`: everything is in it, and no secret."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

SECRET, KEY, PASSWORD = "s3cr3t-of-the-key", "LTAI-key-id", "pr0xy-pass"


def bundle(directory: Path, *arguments: str, variable: str = SECRET) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shipper", "support-bundle", "-c", str(directory / "shipper.toml"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=directory,
        env={"ALIBABA_CLOUD_TEST": variable, "PATH": "/usr/bin:/bin", "HOME": str(directory)},
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "app.toml").write_text("[[rule]]\nid = 'a'\nmatch = 'ERROR'\nevent = 'E'\n")
    (tmp_path / "shipper.toml").write_text(
        f"""
state_dir = "{tmp_path}/state"
[cloudmonitor]
proxy = "http://me:{PASSWORD}@proxy.example:3128"
[cloudmonitor.credentials]
access_key_id = "{KEY}"
access_key_secret = "${{ALIBABA_CLOUD_TEST}}"
[[source]]
name = "app"
paths = ["{tmp_path}/*.log"]
fields = {{ note = "{SECRET}" }}
"""
    )
    return tmp_path


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        return {
            name.partition("/")[2]: file.read()
            for name in opened.getnames()
            if (file := opened.extractfile(name)) is not None
        }


def test_it_holds_what_helps_and_no_secret(installed: Path) -> None:
    """Wherever a secret stands, also in a place that is not for secrets; and only its owner may read it."""
    done = bundle(installed)
    assert done.returncode == 0, done.stderr
    path = installed / done.stdout.strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = members(path)

    assert {"versions.json", "configuration.json", "rules/000-app.toml", "problems.txt", "state.json"} <= set(found)
    assert json.loads(found["status.json"])["findings"][0]["reason"].startswith("the agent does not run; ")
    written = json.loads(found["configuration.json"])
    assert written["source"][0]["name"] == "app"
    assert written["cloudmonitor"]["proxy"] == "http://***@proxy.example:3128"
    assert b"ERROR" in found["rules/000-app.toml"]
    everything = b"".join(found.values())
    for secret in (SECRET, KEY, PASSWORD):
        assert secret.encode() not in everything
    assert json.loads(found["versions.json"])["environment"] == ["ALIBABA_CLOUD_TEST"]


def test_a_broken_configuration_is_in_it_too(installed: Path) -> None:
    """That is when it is needed; an existing file is not written over."""
    (installed / "shipper.toml").write_text(
        "[cloudmonitor]\nregoin = 'x'\n[cloudmonitor.credentials]\naccess_key_id='id'\n"
    )
    done = bundle(installed, "--output", "b.tar.gz")
    assert done.returncode == 0, done.stderr
    found = members(installed / "b.tar.gz")
    assert b"did you mean 'region'?" in found["problems.txt"]
    assert json.loads(found["configuration.json"])["cloudmonitor"]["credentials"] == {"access_key_id": "***"}
    again = bundle(installed, "--output", "b.tar.gz")

    assert again.returncode == 2
    assert "b.tar.gz: File exists" in again.stderr
