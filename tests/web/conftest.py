"""A host whose agent listens, and requests to it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.e2e.host import Host, no_leaked_agent

__all__ = ["no_leaked_agent"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        yield emulator


@pytest.fixture
def host(tmp_path: Path, port: int, emulator: Emulator) -> Host:
    return Host(tmp_path, emulator, extra=f'[http]\nlisten = "127.0.0.1:{port}"\nhosts = ["logs.example"]\n')


class Visitor:
    """Who has the token, or does not."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.token = token

    def ask(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, str, dict[str, str]]:
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=given | (headers or {}))
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response.read().decode(), told
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, text, _ = self.ask(path)
        assert status == 200, text
        return json.loads(text)

    def post(self, path: str, value: object, code: int = 200, **headers: str) -> Any:
        there = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        status, text, _ = self.ask(path, there | headers, "POST", json.dumps(value).encode())
        assert status == code, text
        return json.loads(text)


def visitor(host: Host, port: int) -> Visitor:
    """Give one who has the token of a running agent."""
    return Visitor(port, (host.root / "state" / "http.token").read_text().strip())
