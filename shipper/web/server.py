"""The agent's HTTP server: `/healthz`, `/readyz`, `/metrics`, `/status`. Reads only; nothing can be changed by it.

It never holds up the agent: each answer is made in a thread of its own, of which there are few, from what the loops
left to be looked at. Who is slow to ask or to take the answer is left.
"""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from shipper import telemetry
from shipper.agent.status import Health
from shipper.agent.status_json import to_json
from shipper.config.kinds import split_address
from shipper.errors import StateError
from shipper.web.metrics import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipper.agent.status import Status
    from shipper.web.access import Access

MOST_CONNECTIONS = 16
PATIENCE = 10.0
_TEXT = "text/plain; charset=utf-8"
_ALIVE = frozenset({"intake", "uploader"})
"""Findings that say that a loop stands still: only a restart helps."""

Answer = tuple[int, str, bytes]


class WebServer:
    """Listens as soon as it is made; answers after `start`, until `stop`."""

    def __init__(self, listen: str, access: Access, status: Callable[[], Status]) -> None:
        """Take the address.

        Args:
            listen: as configured, `127.0.0.1:9595`.
            access: who may ask for what.
            status: tells how the agent is.

        Raises:
            StateError: the address cannot be listened on.
        """
        host, port = split_address(listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server((host, port), family, access, status)
        except OSError as error:
            raise StateError(f"[http] cannot listen on {listen}: {error.strerror or error}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="http")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End; answers that are being given are not waited for."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, access: Access, status: Callable[[], Status]
    ) -> None:
        self.address_family = family
        self.access = access
        self.status = status
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which may take seconds."""
        TCPServer.server_bind(self)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Turn away who comes when there are too many."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
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

    def do_GET(self) -> None:
        """Answer, and close the connection."""
        status, kind, body = self._answer()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  the standard library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing for each request: probes and scrapes come every few seconds."""

    def _answer(self) -> Answer:
        path = self.path.partition("?")[0]
        refusal = self.server.access.refusal(path, {name.lower(): value for name, value in self.headers.items()})
        if refusal is not None:
            return refusal[0], _TEXT, f"{refusal[1]}\n".encode()
        answer = _ANSWERS.get(path)
        if answer is None:
            return 404, _TEXT, f"there is {', '.join(_ANSWERS)}\n".encode()
        return answer(self.server.status())


def _healthz(status: Status) -> Answer:
    """Tell whether both loops make progress: where they do not, a restart may help."""
    return _verdict([finding.reason for finding in status.findings if finding.what in _ALIVE])


def _readyz(status: Status) -> Answer:
    """Tell whether the agent does its work: what `shipper status` exits with 0 for."""
    return _verdict([finding.reason for finding in status.findings if finding.health is Health.UNHEALTHY])


def _verdict(reasons: list[str]) -> Answer:
    if not reasons:
        return 200, _TEXT, b"ok\n"
    return 503, _TEXT, "".join(f"{telemetry.printable(reason)}\n" for reason in reasons).encode("utf-8", "replace")


def _metrics(status: Status) -> Answer:
    return 200, CONTENT_TYPE, exposition(status)


def _status(status: Status) -> Answer:
    return 200, "application/json", to_json(status)


_ANSWERS: dict[str, Callable[[Status], Answer]] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
    "/status": _status,
}
