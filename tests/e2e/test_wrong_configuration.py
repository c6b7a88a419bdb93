"""An agent can be asked how it is whatever its configuration says by now, or says to somebody else's environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.e2e.host import Host, journal

LINE = "2026-01-02T03:04:05Z ERROR 1"


def shipper(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shipper", *arguments, "-c", str(host.config)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=host.root)


@pytest.fixture
def credentialed(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host whose agent has its secret as `LoadCredential=` of systemd gives it, and runs."""
    directory = host.root / "credentials" / "shipper.service"
    directory.mkdir(parents=True)
    (directory / "access_key_secret").write_text("testsecret\n")
    (directory / "access_key_secret").chmod(0o400)
    directory.chmod(0o500)
    text = host.config.read_text()
    given = 'access_key_secret = "testsecret"'
    assert given in text
    host.config.write_text(text.replace(given, 'access_key_secret_file = "${CREDENTIALS_DIRECTORY}/access_key_secret"'))
    with monkeypatch.context() as environment:
        environment.setenv("CREDENTIALS_DIRECTORY", str(directory))
        checked = shipper(host, "check")
        assert (checked.returncode, "error" in checked.stderr) == (0, False), checked.stderr
        host.start()
    yield host
    directory.chmod(0o700)


def test_a_credential_of_systemd_is_taken_and_nobody_else_needs_it(credentialed: Host) -> None:
    """The agent signs with it; commands that ask about the state work in a shell that has no such variable."""
    host = credentialed
    host.write("app.log", LINE)
    eventually(lambda: journal(host.root / "accepted.jsonl"))
    eventually(lambda: json.loads(shipper(host, "status", "--json").stdout)["delivery"]["delivered"] == 1)
    status = shipper(host, "status")
    assert (status.returncode, status.stdout.splitlines()[0], status.stderr) == (0, "healthy", "")
    offsets = shipper(host, "offsets", "list")
    assert (offsets.returncode, offsets.stderr) == (0, "")
    assert str(host.logs / "app.log") in offsets.stdout
    letters = shipper(host, "dead-letters", "list")
    assert (letters.returncode, letters.stderr) == (0, "there are none\n")
    assert shipper(host, "support-bundle", "--output", "b.tar.gz").returncode == 0
    shutil.unpack_archive(host.root / "b.tar.gz", host.root / "unpacked")
    (told,) = (host.root / "unpacked").glob("*/status.json")
    assert json.loads(told.read_text())["process"]["pid"] == host.running.pid
    tap = ["tap", "-c", str(host.config)]
    with (host.root / "tap.err").open("wb") as stderr:
        tapping = subprocess.Popen([sys.executable, "-m", "shipper", *tap], stdout=subprocess.DEVNULL, stderr=stderr)
    eventually(lambda: "from now on" in (host.root / "tap.err").read_text() or tapping.poll() is not None)
    checked = shipper(host, "check")
    assert checked.returncode == 2
    assert "the environment variable CREDENTIALS_DIRECTORY is not set" in checked.stderr
    assert "where only the agent has it, check there: `systemctl reload shipper` does" in checked.stderr
    assert host.stop() == 0

    assert tapping.wait(30) == 0
    stopped = json.loads(shipper(host, "status", "--json").stdout)
    assert [each["what"] for each in stopped["findings"]] == ["agent"]
    moved = shipper(host, "offsets", "set", str(host.logs / "app.log"), "start")
    assert moved.returncode == 0, moved.stderr
    assert shipper(host, "offsets", "forget", str(host.logs / "app.log")).returncode == 0


def test_a_mistake_in_the_file_does_not_hide_the_agent(host: Host) -> None:
    """It is told with its place and degrades; the exit code says how the agent itself is, alive or not."""
    host.start()
    host.write("app.log", LINE)
    eventually(lambda: json.loads(shipper(host, "status", "--json").stdout)["delivery"]["delivered"] == 1)
    host.config.write_text(
        host.config.read_text().replace('name = "app"', 'name = "app"\nencodng = "gbk"') + '\n[htp]\nlisten = "x"\n'
    )
    line = host.config.read_text().splitlines().index('encodng = "gbk"') + 1
    said = f"{host.config}:{line}:1: unknown key 'encodng' in [source]; did you mean 'encoding'?"

    status = shipper(host, "status", "--json")
    told = json.loads(status.stdout)
    assert (status.returncode, told["health"], told["delivery"]["delivered"]) == (0, "degraded", 1)
    assert [(each["what"], each["health"]) for each in told["findings"]] == [("configuration", "degraded")] * 2
    assert told["findings"][0]["reason"] == said
    assert "unknown key 'htp'" in told["findings"][1]["reason"]
    assert f"  configuration: {said}" in shipper(host, "status").stdout.splitlines()
    for arguments in (("offsets", "list", "--json"), ("dead-letters", "list", "--json")):
        listed = shipper(host, *arguments)
        assert listed.returncode == 0, listed.stderr
        assert said.replace(": unknown", ": warning: unknown") in listed.stderr
        assert "warning" not in listed.stdout
    assert host.stop() == 0

    stopped = shipper(host, "status", "--json")
    told = json.loads(stopped.stdout)
    assert (stopped.returncode, told["health"], told["files"]["count"]) == (1, "stopped", 1)
    assert [each["what"] for each in told["findings"]] == ["agent", "configuration", "configuration"]
    # where a line begins is a matter of the encoding, which cannot be known now
    refused = shipper(host, "offsets", "set", str(host.logs / "app.log"), "start")
    assert (refused.returncode, f"error: {said}" in refused.stderr) == (2, True)
    assert shipper(host, "offsets", "forget", str(host.logs / "app.log")).returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('state_dri = "/x"', "did you mean 'state_dir'?"),
        ("state_dir = 7", "'state_dir' must be a string"),
        ("state_dir", "not valid TOML"),
    ],
)
@pytest.mark.parametrize("command", [("status",), ("offsets", "list"), ("dead-letters", "list"), ("tap",)])
def test_without_state_dir_nothing_can_be_asked(tmp_path: Path, text: str, said: str, command: tuple[str, ...]) -> None:
    """Exit code 2, as ever, instead of an answer about another directory."""
    file = tmp_path / "shipper.toml"
    file.write_text(text)
    asked = [sys.executable, "-m", "shipper", *command, "-c", str(file)]
    done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
