"""The emulator as a server: connections, counts, start and stop."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from shipper import telemetry
from shipper.cloudmonitor.emulator import Emulator, ReportedEvent, Settings
from shipper.errors import StateError
from tests.cloudmonitor.emulator.upload import (
    BODY,
    TARGET,
    connect,
    events_body,
    exchange,
    fetch,
    upload,
    upload_headers,
)
from tests.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence


def raw_request(headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {TARGET} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body


def open_socket(emulator: Emulator) -> socket.socket:
    host, _, port = emulator.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_many_clients_keep_their_connections() -> None:
    """Several clients at once, many requests on each connection: every event is accepted exactly once."""
    clients, requests = 4, 25
    with Emulator(Settings(qps=0, remember=10_000)) as emulator:

        def client(number: int) -> None:
            connection = connect(emulator)
            connection.connect()
            socket_of_connection = connection.sock
            for request in range(requests):
                body = events_body({"name": f"n{number}", "content": str(request)}, {"name": "second", "content": ""})
                assert exchange(connection, "POST", TARGET, upload_headers(body), body).outcome == (200, "200")
            assert connection.sock is socket_of_connection
            connection.close()

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = {(f"n{number}", str(request)) for number in range(clients) for request in range(requests)}
        events = emulator.events()
        assert len(events) == 2 * clients * requests
        assert {(event.name, event.content) for event in events if event.name != "second"} == expected
        stats = emulator.stats()
        assert (stats.requests, stats.accepted, stats.events) == (100, 100, 200)
        assert stats.names == {"second": 100} | {f"n{number}": 25 for number in range(clients)}
        assert emulator.violations == ()


def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent in one go are each answered."""
    with Emulator() as emulator, open_socket(emulator) as client:
        client.sendall(raw_request(upload_headers(), BODY) * 2 + raw_request(upload_headers(b"{}"), b"{}"))
        data = b""
        while part := client.recv(65536):  # the refused request ends the connection
            data += part
    assert re.findall(rb"HTTP/1\.1 (\d+) ", data) == [b"200", b"200", b"400"]


def test_client_that_dies_in_its_request_breaks_no_rule() -> None:
    """A connection cut off in the middle of a body, as by a kill, accepts nothing and is no violation."""
    with Emulator() as emulator:
        with open_socket(emulator) as client:
            client.sendall(raw_request(upload_headers(), BODY)[:-10])
        with open_socket(emulator) as client:
            client.sendall(b"POST /event")
        assert upload(emulator).outcome == (200, "200")
        assert emulator.violations == ()
        assert emulator.stats().requests == 1


def test_silent_client_is_let_go() -> None:
    """A connection on which nothing comes is closed after the idle time."""
    with Emulator(Settings(idle=0.05)) as emulator, open_socket(emulator) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", b"POST\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70000],
)
def test_garbage_is_answered_and_ends_the_connection(garbage: bytes) -> None:
    """What is no HTTP, such as TLS on this port, gets a short answer, harms nobody and leaves the emulator working."""
    with Emulator() as emulator:
        with open_socket(emulator) as client:
            client.sendall(garbage)
            received = b""
            try:
                while part := client.recv(65536):
                    received += part
            except ConnectionResetError:
                pass  # it hung up before it had read all of the garbage
        assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) or len(garbage) > 65536
        assert upload(emulator).outcome == (200, "200")


def test_header_given_twice_is_judged_as_both() -> None:
    """A second signed header is not overlooked: the signature is judged over both."""
    headers = upload_headers()
    raw = raw_request(headers, BODY).replace(
        b"x-cms-ip: 192.0.2.10\r\n", b"x-cms-ip: 192.0.2.10\r\nX-CMS-IP: 6.6.6.6\r\n"
    )
    with Emulator() as emulator, open_socket(emulator) as client:
        client.sendall(raw)
        assert client.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_old_http_gets_its_answer_and_the_end() -> None:
    """A client of HTTP/1.0 is answered and the connection closed."""
    with Emulator() as emulator, open_socket(emulator) as client:
        client.sendall(raw_request(upload_headers(), BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        data = b""
        while part := client.recv(65536):
            data += part
    assert data.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close\r\n" in data


def test_accepted_events_are_told_before_the_answer() -> None:
    """`on_accept` has seen the events of a request by the time its client has the answer."""
    told: list[ReportedEvent] = []

    def on_accept(events: Sequence[ReportedEvent]) -> None:
        told.extend(events)

    with Emulator(on_accept=on_accept) as emulator:
        upload(emulator)
        assert [event.name for event in told] == ["disk_full"]
        upload(emulator, b"{}")
        assert len(told) == 1


def test_mistake_of_the_callback_is_told() -> None:
    """An exception in `on_accept` ends that connection, is logged and counted, and the emulator goes on."""

    def on_accept(events: Sequence[ReportedEvent]) -> None:
        raise LookupError(len(events))

    before = telemetry.counts().get("emulator_failures", 0)
    with Emulator(on_accept=on_accept) as emulator:
        with pytest.raises(http.client.RemoteDisconnected):
            upload(emulator)
        assert fetch(emulator, "/").status == 200
        eventually(lambda: telemetry.counts().get("emulator_failures", 0) == before + 1)


def test_memory_is_bounded_and_counts_are_exact() -> None:
    """Only the last events are remembered, names and violations up to their bound; the counts know all."""
    with Emulator(Settings(qps=0, remember=150)) as emulator:
        for batch in range(12):
            body = events_body(*({"name": f"n{batch * 100 + i}", "content": ""} for i in range(100)))
            assert upload(emulator, body).status == 200
        stats = emulator.stats()
        assert stats.events == 1200
        assert len(stats.names) == 1000
        assert stats.other_names == 200
        events = emulator.events()
        assert 150 <= len(events) < 250
        assert events[-1].name == "n1199"


def test_stop_ends_idle_connections_and_keeps_what_is_known() -> None:
    """After a stop nothing listens, connections are ended, what is known can be asked for; stopping twice is fine."""
    emulator = Emulator()
    with emulator:
        client = open_socket(emulator)
        client.sendall(raw_request(upload_headers(), BODY))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    with client:
        assert client.recv(1) == b""
    emulator.stop()
    assert (emulator.stats().events, len(emulator.events()), emulator.violations) == (1, 1, ())
    with pytest.raises(OSError, match="refused"):
        open_socket(emulator)
    with pytest.raises(RuntimeError, match="once"):
        emulator.start()


def test_it_must_be_started() -> None:
    """Before the start there is no address and no count."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = Emulator().url


def test_taken_port_is_one_clear_error() -> None:
    """A port in use is said with its address and what to do."""
    with Emulator() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(StateError, match=rf"127\.0\.0\.1:{port}: Address already in use; .*port 0"):
            Emulator(Settings(port=port)).start()


def test_unknown_listen_address_is_one_clear_error() -> None:
    """An address that is not this host's is said."""
    with pytest.raises(StateError, match="cannot listen on"):
        Emulator(Settings(host="192.0.2.1")).start()


def test_ipv6_loopback() -> None:
    """The emulator listens on IPv6 too, and its URL can be used as it is."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 on this host: {error}")
    with Emulator(Settings(host="::1")) as emulator:
        assert emulator.url.startswith("http://[::1]:")
        connection = http.client.HTTPConnection("::1", int(emulator.url.rpartition(":")[2]), timeout=20)
        assert exchange(connection, "POST", TARGET, upload_headers(), BODY).outcome == (200, "200")
        connection.close()


def test_secrets_are_not_shown() -> None:
    """The settings' text holds neither the key's secret nor its tokens."""
    assert "testsecret" not in repr(Settings(page_token="t0ken"))
    assert "t0ken" not in repr(Settings(page_token="t0ken"))
