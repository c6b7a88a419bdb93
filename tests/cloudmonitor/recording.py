"""A tiny HTTP server on loopback that records what it is sent, and answers what a test says."""

from __future__ import annotations

import contextlib
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came over the wire; header names in the letters they were sent in."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        found = [value for sent, value in self.headers if sent == name]
        assert len(found) <= 1, f"{name} was sent {len(found)} times"
        return found[0] if found else None


class LoopbackServer:
    """Serves HTTP on a port of loopback in a thread of its own, from its making to `stop`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificate: Path | None = None) -> None:
        """Listen; with TLS when given a PEM file of key and certificate."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class RecordingServer(LoopbackServer):
    """Records every request; `answer` writes the answer to it."""

    def __init__(self, certificate: Path | None = None) -> None:
        """Listen; with TLS when given a PEM file of key and certificate."""
        self.requests: list[Recorded] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = reply()
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                recorded.requests.append(Recorded(self.requestline, self.headers.items(), body, self.client_address[1]))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client read enough
                    recorded.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler, certificate)

    @property
    def last(self) -> Recorded:
        return self.requests[-1]


def reply(
    status: int = 200, body: bytes = b'{"code":"200","msg":""}', **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Make an answer of a status, a body and headers (`Set_Cookie` stands for `Set-Cookie`)."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def replies(*answers: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer one after the other."""
    waiting = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        waiting.pop(0)(handler)

    return answer


@contextlib.contextmanager
def refusing(marker: bytes, body: bytes) -> Iterator[RecordingServer]:
    """Serve, refusing requests in whose body a marker stands with 400 and this body."""
    server, bad = RecordingServer(), reply(400, body)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (bad if marker in server.last.body else reply())(handler)

    server.answer = answer
    yield server
    server.stop()
