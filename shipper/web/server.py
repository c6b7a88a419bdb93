"""The agent's HTTP server: health, metrics, status, and the page; what there is stands in `answers`.

It never holds up the agent: each answer is made in a thread of its own, of which there are few, from what the loops
left to be looked at. Who is slow to ask or to take the answer is left.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from shipper import telemetry
from shipper.config.kinds import split_address
from shipper.errors import ShipperError, StateError
from shipper.printable import printable
from shipper.web import connections
from shipper.web.answers import ANSWERED_AT_ONCE, GET, JSON, POST, TEXT, Answer, Request, Site
from shipper.web.history import History
from shipper.web.page import door
from shipper.web.turns import BusyError, Turns
from shipper.web.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from shipper.agent.supervisor import Agent
    from shipper.web.access import Access

MOST_ANSWERS = 4
"""That are made at once, but for those of probes and trials: probes must get through, whoever asks for how much."""
MOST_WAITING = 8
ANSWER_WAIT = 5.0
"""Seconds that a question waits for its turn."""
PATIENCE = 10.0
MOST_HEAD_BYTES = 16 * 1024
"""Of a request before what is sent along: nobody has shown a token yet."""
MOST_BYTES = 1024 * 1024
"""Of what is sent along with a question."""
_ONCE = ("Host", "Authorization", "Origin", "Sec-Fetch-Site", "Content-Length")
"""Headers whose values decide: of two, a proxy might have looked at the other one."""


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
    # a connection that finds no room in the kernel's queue is tried again after a second
    request_queue_size = 2 * connections.ALL

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, access: Access, site: Site) -> None:
        self.address_family = family
        self.access = access
        self.site = site
        self.turns = Turns(MOST_ANSWERS, MOST_WAITING, ANSWER_WAIT)
        self.connections = connections.Connections()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which may take seconds."""
        TCPServer.server_bind(self)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Take a connection if there is a place for it."""
        return self.connections.take(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; there may be none left."""
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.connections.gone(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.gone(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Tell of our own mistakes; a client that went away is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            telemetry.http_failed(error)


class _Bounded:
    """What a client sends, with a bound on the lines of its head."""

    def __init__(self, sent: BinaryIO) -> None:
        self._sent = sent
        self._left = MOST_HEAD_BYTES
        self.is_odd = False
        self.read, self.close = sent.read, sent.close

    def readline(self, most: int) -> bytes:
        """Give the next line. Raises `LineTooLong` when there were too many bytes."""
        line = self._sent.readline(min(most, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        # alone it ends a line for some and not for others, such as a proxy
        self.is_odd = self.is_odd or b"\r" in line.removesuffix(b"\r\n")
        return line


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    rfile: Any
    timeout = PATIENCE
    protocol_version = "HTTP/1.0"
    server_version, sys_version = "shipper", ""
    error_content_type = TEXT
    error_message_format = "%(code)d %(message)s\n"

    def setup(self) -> None:
        """Read no more of a head than there may be."""
        super().setup()
        self.rfile = _Bounded(self.rfile)

    def handle_one_request(self) -> None:
        """Serve a request; one whose first line is over the bound is answered like one whose headers are."""
        try:
            super().handle_one_request()
        except LineTooLong:
            self.requestline = self.request_version = self.command = ""
            self.send_error(431)

    def parse_request(self) -> bool:
        """Take the head of a request, up to its end."""
        is_right = super().parse_request()
        self.server.connections.heard(self.connection)
        if is_right and self.rfile.is_odd:
            self.send_error(400, "a carriage return without a newline in the head")
            return False
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
        try:
            return self._looked_up(answers)
        except BusyError as error:
            return _error(503, error)
        except ShipperError as error:
            return _error(400, error)
        except TimeoutError:
            return _error(408, ShipperError(f"nothing of the body came for {PATIENCE:g} s"))
        except Exception as error:  # noqa: BLE001  a mistake of ours: who asks is told, and the log says what it was
            telemetry.http_failed(error)
            return _error(500, ShipperError("a mistake of ours; the agent's log says more (http_failed)"))

    def _looked_up(self, answers: Mapping[str, Callable[[Site, Request], Answer]]) -> Answer:
        twice = [name for name in _ONCE if len(self.headers.get_all(name, ())) > 1]
        if twice:
            return Answer(400, TEXT, f"{twice[0]} is there twice\n".encode())
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
        request = Request(url.path, query, self._body(headers), self._is_gone)
        if url.path in ANSWERED_AT_ONCE:
            return answer(self.server.site, request)
        with self.server.turns.take("questions are asked", request.is_gone):
            return answer(self.server.site, request)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if self.command != "POST":
            return b""
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MOST_BYTES):
            raise ShipperError(f"the body must have a length, of at most {MOST_BYTES} bytes")
        body: bytes = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ShipperError(f"the body ends after {len(body)} of {length} bytes")
        return body

    def _is_gone(self) -> bool:
        """Tell whether the client has closed the connection."""
        look = select.poll()
        look.register(self.connection, select.POLLIN)
        if not look.poll(0):
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True


def _refused(path: str, status: int, said: str) -> Answer:
    if status == 401 and path == "/":
        # people come here with a browser: they are asked for the token
        body, headers = door()
        return Answer(status, "text/html; charset=utf-8", body, headers)
    return Answer(status, TEXT, f"{said}\n".encode(), {"WWW-Authenticate": "Bearer"} if status == 401 else {})


def _error(status: int, error: ShipperError) -> Answer:
    return Answer(status, JSON, orjson.dumps({"error": printable(str(error))}))
