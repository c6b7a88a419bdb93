"""`shipper emulator` as people start it: a real process."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.cloudmonitor.emulator.upload import BODY, TARGET, Reply, exchange, upload_headers
from tests.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHIPPER = [sys.executable, "-m", "shipper", "emulator"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "SHIPPER_EMULATOR_SECRET"}
    return kept | {"NO_COLOR": "1"} | more


class Running:
    """An emulator process; what it says is collected."""

    def __init__(self, *arguments: str, **more: str) -> None:
        self.process = subprocess.Popen(
            [*SHIPPER, "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**more),
        )
        self.said = ""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        eventually(lambda: "Ctrl-C ends it." in self.said, what="the emulator did not start")
        self.port = int(self.said.partition("http://127.0.0.1:")[2].split()[0])

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def upload(self, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            return exchange(connection, "POST", TARGET, headers, BODY)
        finally:
            connection.close()

    def end(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        code = self.process.wait(30)
        self._listener.join(30)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        self._listener.join(30)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextlib.contextmanager
def running(*arguments: str, **more: str) -> Iterator[Running]:
    made = Running(*arguments, **more)
    try:
        yield made
    finally:
        made.close()


def refuse(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command line that must not start."""
    return subprocess.run([*SHIPPER, *arguments], capture_output=True, text=True, env=environment(**more), timeout=60)


def test_start_upload_sigterm(tmp_path: Path) -> None:
    """It says where it listens and how to be used, takes an upload, and ends at SIGTERM with a summary and 143."""
    store = tmp_path / "events.jsonl"
    with running("--store", str(store), "--qps", "0") as emulator:
        for expected in (
            f'endpoint = "http://127.0.0.1:{emulator.port}"',
            "ALIBABA_CLOUD_ACCESS_KEY_ID=testkey",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET=testsecret",
            "No secret was given",
            f"http://127.0.0.1:{emulator.port}/",
        ):
            assert expected in emulator.said
        assert emulator.upload(upload_headers()).outcome == (200, "200")
        assert emulator.upload(upload_headers(secret="wrong")).outcome == (403, "403")
        assert emulator.end(signal.SIGTERM) == 143
        assert "Requests: 2, accepted: 1, events: 1" in emulator.said
        assert "Refused by code: 403: 1" in emulator.said
        assert "Traceback" not in emulator.said
        assert emulator.process.stdout is not None
        assert emulator.process.stdout.read() == ""
    assert orjson.loads(store.read_bytes())["name"] == "disk_full"


def test_sigint_ends_with_130(tmp_path: Path) -> None:
    """Ctrl-C ends it with the summary and 130, also while a connection is open."""
    secret = tmp_path / "secret"
    secret.write_text("of a file\n")
    with (
        running("--access-key-id", "me", "--access-key-secret-file", str(secret)) as emulator,
        socket.create_connection(("127.0.0.1", emulator.port)),
    ):
        assert emulator.upload(upload_headers(key_id="me", secret="of a file")).outcome == (200, "200")
        assert emulator.end(signal.SIGINT) == 130
        assert "events: 1" in emulator.said
        assert "of a file" not in emulator.said


def test_secret_of_the_environment_and_faults() -> None:
    """The secret comes from its variable and is never shown; faults and their count are."""
    with running("--faults", "500:1", "--seed", "1", SHIPPER_EMULATOR_SECRET="hidden") as emulator:
        assert "hidden" not in emulator.said
        assert "Injected faults: 500 1" in emulator.said
        assert emulator.upload(upload_headers(secret="hidden")).outcome == (500, "500")
        assert emulator.end(signal.SIGTERM) == 143
        assert "Injected faults: 500: 1" in emulator.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--faults", "500:2"], ["--faults", "0 to 1"]),
        (["--faults", "foo:0.1"], ["--faults", "foo", "throttle"]),
        (["--listen", "8686"], ["--listen", "127.0.0.1:8686"]),
        (["--listen", "127.0.0.1:99999"], ["--listen", "127.0.0.1:8686"]),
        (["--listen", "0.0.0.0:0"], ["--page-token-file"]),
        (["--skew", "soon"], ["--skew", "1m", "duration"]),
        (["--qps", "-1"], ["--qps"]),
        (["--access-key-secret", " "], ["--access-key-secret", "empty"]),
        (["--access-key-secret-file", "/nonexistent/secret"], ["/nonexistent/secret", "No such file"]),
        (["--access-key-secret", "a", "--access-key-secret-file", "b"], ["not both"]),
        (["--access-key-id", "a:b"], ["--access-key-id", "colon"]),
        (["--listen", "127.0.0.1:0", "--store", "/nonexistent/events.jsonl"], ["/nonexistent/events.jsonl", "No such"]),
    ],
)
def test_wrong_use_is_one_clear_message(arguments: list[str], words: list[str]) -> None:
    """A wrong option, or a store that cannot be written, is said in one message with exit code 2."""
    done = refuse(*arguments)
    assert done.returncode == 2
    assert [word for word in words if word not in done.stderr.replace("\n", " ")] == []
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_taken_port_is_one_clear_message() -> None:
    """A port in use is said with its address and what to do, with exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refuse("--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert len(done.stderr.splitlines()) == 1


def test_help_has_examples() -> None:
    """The help shows how to use it."""
    done = refuse("--help")
    assert done.returncode == 0
    assert 'shipper emulator --faults "500:0.1,throttle:0.05' in done.stdout
