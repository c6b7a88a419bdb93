"""Requests that are none, or too much: answered or refused at a bounded cost, whoever asks; and probes get through."""

from __future__ import annotations

import json
import select
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shipper.web.access import Access
from shipper.web.connections import ALL, MANY
from shipper.web.server import MOST_HEAD_BYTES, _Server
from shipper.web.workshop import MOST_AT_ONCE, MOST_WAITING
from tests.conftest import eventually
from tests.e2e.host import Host
from tests.web.conftest import Visitor, visitor

SLOW = {"id": "x", "match": "(a|aa)+$", "event": "E", "match_timeout": "1s"}
SLOW_LINES = ("a" * 100 + "b\n") * 200


@pytest.fixture
def agent(host: Host, port: int) -> Visitor:
    host.start()
    return visitor(host, port)


def send(port: int, *pieces: bytes) -> bytes:
    """Send a request as it is, and give what comes back."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # answered before all of it was taken
            pass
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def request(port: int, *headers: str, line: str = "GET /healthz HTTP/1.1", body: bytes = b"") -> int:
    head = "\r\n".join([line, *headers, "", ""])
    answer = send(port, head.encode(), body)
    return int(answer.split(b" ", 2)[1])


def peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_a_head_has_a_bound_before_anything_is_looked_at(host: Host, agent: Visitor) -> None:
    """Whether it is one line that is too long, one header, or many; from as many as there are places."""
    here = f"Host: 127.0.0.1:{agent.port}"
    before = peak_memory(host.running.pid)
    big = "x" * 60_000
    heads = [[here, *(f"X-{n}: {big}" for n in range(99))], [here, f"X: {big}"], [here, *["X: y"] * 5000]]
    threads = [
        threading.Thread(target=lambda head=head: codes.append(request(agent.port, *head))) for head in heads * 5
    ]
    codes: list[int] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [431] * len(threads)
    assert request(agent.port, here, line=f"GET /{big} HTTP/1.1") == 431
    assert peak_memory(host.running.pid) - before < ALL * MOST_HEAD_BYTES + (16 << 20)
    assert agent.ask("/healthz")[0] == 200
    assert request(agent.port, here, f"X: {'x' * (MOST_HEAD_BYTES - 200)}") == 200


def test_what_decides_is_there_once_and_is_what_it_must_be(agent: Visitor) -> None:
    """A proxy before the agent might have looked at the other of two; a name is followed by a port or by nothing."""
    port, here = agent.port, f"Host: 127.0.0.1:{agent.port}"
    token = f"Authorization: Bearer {agent.token}"
    assert request(port, here, token, line="GET /status HTTP/1.1") == 200
    for twice in (here, token, "Origin: http://evil.example", "Sec-Fetch-Site: same-origin", "Content-Length: 0"):
        assert request(port, here, token, twice, twice, line="GET /status HTTP/1.1") == 400
    for strange in (f"127.0.0.1:{port}@evil.example", "127.0.0.1:80:80", "localhost:", "[127.0.0.1]", "", "@localhost"):
        assert request(port, f"Host: {strange}") == 403


def test_a_body_that_is_not_what_it_says_is_answered(agent: Visitor) -> None:
    """Its length in more digits than a number has, more than came, and values in each other more than anybody reads."""
    there = [f"Host: 127.0.0.1:{agent.port}", f"Authorization: Bearer {agent.token}"]
    there.append(f"Origin: http://127.0.0.1:{agent.port}")
    line = "POST /api/workshop HTTP/1.1"
    for length in ("9" * 5000, "-1", "1_0", "²", "0x10", "1048577"):
        assert request(agent.port, *there, f"Content-Length: {length}", line=line) == 400
    assert request(agent.port, *there, "Transfer-Encoding: chunked", line=line, body=b"2\r\n{}\r\n0\r\n\r\n") == 400
    assert request(agent.port, *there, "Content-Length: 100", line=line, body=b"{}") == 400
    for depth in (100, 900, 5000):
        nested = b'{"rule": {"content": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
        code = request(agent.port, *there, f"Content-Length: {len(nested)}", line=line, body=nested)
        assert code in {200, 400}


def test_a_lone_carriage_return_ends_no_header(agent: Visitor) -> None:
    """For a proxy it may not have: then Host and token would have been something else there."""
    assert request(agent.port, f"X: a\rHost: 127.0.0.1:{agent.port}") == 400
    assert request(agent.port, f"Host: 127.0.0.1:{agent.port}", line="GET /healthz\r HTTP/1.1") == 400


@pytest.mark.parametrize("path", ["/metrics", "/", "/api/workshop", "/healthz"])
def test_probes_get_through_a_flood(host: Host, agent: Visitor, path: str) -> None:
    """Of questions without a token, again and again, with many files to tell of."""
    for n in range(300):
        host.write(f"{n}.log", "ERROR 1")
    stopping = threading.Event()
    here = f"Host: 127.0.0.1:{agent.port}"

    def ask_on() -> None:
        while not stopping.is_set():
            send(agent.port, f"GET {path} HTTP/1.1\r\n{here}\r\n\r\n".encode())

    crowd = [threading.Thread(target=ask_on) for _ in range(2 * MANY)]
    for each in crowd:
        each.start()
    try:
        assert [agent.ask(probe)[0] for probe in ("/healthz", "/readyz") * 10] == [200] * 20
    finally:
        stopping.set()
        for each in crowd:
            each.join()


def test_a_connection_for_which_there_is_no_thread_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host may have no more of them for a while."""

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    access = Access(frozenset({"localhost"}), is_loopback=True, token="secret")
    site: Any = None
    with _Server(("127.0.0.1", 0), socket.AF_INET, access, site) as server:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            for _ in range(2 * ALL):
                with closing(socket.create_connection(("127.0.0.1", int(server.server_address[1])))):
                    server.handle_request()
        for _ in range(3 * ALL):
            with closing(socket.create_connection(("127.0.0.1", int(server.server_address[1])))) as connection:
                server.handle_request()
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert connection.recv(12).endswith(b"403")


def test_names_that_a_host_may_have() -> None:
    """With and without a port, in any case."""
    access = Access(frozenset({"[::1]", "localhost", "logs.example"}), is_loopback=True, token="secret")
    for name in ("[::1]", "[::1]:9595", "LOCALHOST:1", "logs.example"):
        assert access.refusal("/healthz", {"host": name}) is None
    for name in ("[::1", "::1", "[::1]x", "logs.example.", "logs.example:99999999", "logs.example:x", "a:b@localhost"):
        assert access.refusal("/healthz", {"host": name}) is not None


def test_probes_do_not_wait_for_a_reading_loop_that_is_busy(host: Host, agent: Visitor) -> None:
    """They are answered again and again while who asks for the files still waits, to be told that it is not known."""
    host.write("app.log", "ERROR 1")
    eventually(lambda: agent.get("/status")["delivery"]["delivered"] == 1)
    with closing(sqlite3.connect(host.root / "state" / "shipper.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        host.write("app.log", "ERROR 2")
        found: list[object] = []
        eventually(lambda: agent.get("/status")["files"] is None)
        asking = threading.Thread(target=lambda: found.append(agent.get("/status")["files"]))
        asking.start()
        answers = [agent.ask(path)[0] for path in ("/healthz", "/readyz") * 5]
        assert asking.is_alive()
        asking.join()
        store.execute("ROLLBACK")
    assert answers == [200] * 10
    assert found == [None]
    eventually(lambda: agent.get("/status")["files"] is not None)


def trials(pid: int) -> list[int]:
    """Give the processes in which the agent tries rules."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def ask_for_a_trial(agent: Visitor) -> socket.socket:
    body = json.dumps({"rule": SLOW, "lines": SLOW_LINES}).encode()
    head = (
        f"POST /api/workshop HTTP/1.1\r\nHost: 127.0.0.1:{agent.port}\r\nAuthorization: Bearer {agent.token}\r\n"
        f"Origin: http://127.0.0.1:{agent.port}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", agent.port), timeout=30)
    connection.sendall(head.encode() + body)
    return connection


def test_who_types_on_leaves_no_trials_behind(host: Host, agent: Visitor) -> None:
    """One that nobody waits for is ended; of too many the last are told at once, and probes are answered."""
    asked = [ask_for_a_trial(agent) for _ in range(MANY)]
    too_many = MANY - MOST_AT_ONCE - MOST_WAITING
    try:
        eventually(lambda: len(select.select(asked, [], [], 0)[0]) >= too_many)
        answered = select.select(asked, [], [], 0)[0]
        assert [each.recv(12)[-3:] for each in answered].count(b"503") == too_many
        assert [agent.ask("/healthz")[0] for _ in range(10)] == [200] * 10
    finally:
        for connection in asked:
            connection.close()
    eventually(lambda: trials(host.running.pid) == [], 5)
    quick = {"rule": {"id": "x", "match": "a", "event": "E"}, "lines": "a"}
    assert agent.post("/api/workshop", quick)["lines"][0]["outcome"] == "matched"


def test_a_trial_ends_with_its_agent(host: Host, agent: Visitor) -> None:
    """Also with one that is killed."""
    with closing(ask_for_a_trial(agent)):
        eventually(lambda: trials(host.running.pid) != [])
        (child,) = trials(host.running.pid)
        # it has come to its limits
        eventually(lambda: "134217728" in Path(f"/proc/{child}/limits").read_text())
        host.kill()
        eventually(lambda: not Path(f"/proc/{child}").exists() or _is_over(child), 3)


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True
