"""The agent's HTTP server: health, metrics, status, and the page; what there is stands in `answers`.

It never holds up the agent: each answer is made in a thread of its own, of which there are few, from what the loops
left to be looked at. Who is slow to ask or to take the answer is left.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from shipper import telemetry
from shipper.config.kinds import split_address
from shipper.errors import ShipperError, StateError
from shipper.printable import printable
from shipper.web.answers import GET, JSON, POST, TEXT, Answer, Request, Site
from shipper.web.history import History
from shipper.web.page import door
from shipper.web.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.agent.supervisor import Agent
    from shipper.web.access import Access

MOST_CONNECTIONS = 16
PATIENCE = 10.0
GIVING_WAY = 0.5
"""Seconds that a connection has to give its place to another one."""
MOST_BYTES = 1024 * 1024
"""Of what is sent along with a question."""


class WebServer:
    """Listens as soon as it is made; answers after `start`, until `stop`."""

    def __init__(self, listen: str, access: Access, agent: Agent) -> None:
        """Take the address.

        Args:
            listen: as configured, `127.0.0.1:9595`.
            access: who may ask for what.
            agent: tells how it is.

        Raises:
            StateError: the address cannot be listened on.
        """
        host, port = split_address(listen)
        self._history = History(agent.survey.status)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server((host, port), family, access, Site(agent, self._history, Workshop()))
        except OSError as error:
            raise StateError(f"[http] cannot listen on {listen}: {error.strerror or error}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="http")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._history.start()
        self._thread.start()

    def stop(self) -> None:
        """End; answers that are being given are not waited for."""
        self._history.stop()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, access: Access, site: Site) -> None:
        self.address_family = family
        self.access = access
        self.site = site
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        # those that have not asked yet, the longest silent first
        self._silent: dict[socket.socket, None] = {}
        self._silent_lock = threading.Lock()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which may take seconds."""
        TCPServer.server_bind(self)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Give a place; when there is none, that of the longest silent: probes must find one, whoever holds many."""
        if not self._places.acquire(blocking=False):
            with self._silent_lock:
                longest = next(iter(self._silent), None)
                if longest is not None:
                    del self._silent[longest]
                    # it may have gone by itself
                    with suppress(OSError):
                        longest.shutdown(socket.SHUT_RDWR)
            if not self._places.acquire(timeout=GIVING_WAY):
                return False
        with self._silent_lock:
            self._silent[request] = None
        return True

    def heard(self, request: socket.socket) -> None:
        """Note that a connection is not silent, or is none any more."""
        with self._silent_lock:
            self._silent.pop(request, None)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.heard(request)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Tell of our own mistakes; a client that went away is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            telemetry.http_failed(error)


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    protocol_version = "HTTP/1.0"
    server_version, sys_version = "shipper", ""

    def parse_request(self) -> bool:
        """Take the head of a request, up to its end."""
        is_right = super().parse_request()
        self.server.heard(self.connection)
        return is_right

    def do_GET(self) -> None:
        """Answer, and close the connection."""
        self._give(self._answer(GET))

    do_HEAD = do_GET  # noqa: N815  the standard library's name

    def do_POST(self) -> None:
        """Do what is asked for, answer, and close the connection."""
        self._give(self._answer(POST))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing for each request: probes and scrapes come every few seconds."""

    def _give(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _answer(self, answers: Mapping[str, Callable[[Site, Request], Answer]]) -> Answer:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query, max_num_fields=20).items()}
        except ValueError:
            return Answer(400, TEXT, b"this is no address\n")
        refusal = self.server.access.refusal(
            url.path, headers, changes=answers is POST, shown=query.get("token", "") if url.path == "/" else ""
        )
        if refusal is not None:
            return _refused(url.path, *refusal)
        answer = answers.get(url.path)
        if answer is None:
            status = 405 if url.path in GET or url.path in POST else 404
            return Answer(status, TEXT, f"there is {', '.join(answers)}\n".encode())
        try:
            return answer(self.server.site, Request(url.path, query, self._body(headers)))
        except ShipperError as error:
            return Answer(400, JSON, orjson.dumps({"error": printable(str(error))}))

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if self.command != "POST":
            return b""
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MOST_BYTES):
            raise ShipperError(f"the body must have a length, of at most {MOST_BYTES} bytes")
        return self.rfile.read(int(length))


def _refused(path: str, status: int, said: str) -> Answer:
    if status == 401 and path == "/":
        # people come here with a browser: they are asked for the token
        body, headers = door()
        return Answer(status, "text/html; charset=utf-8", body, headers)
    return Answer(status, TEXT, f"{said}\n".encode(), {"WWW-Authenticate": "Bearer"} if status == 401 else {})
