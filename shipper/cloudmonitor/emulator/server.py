"""The emulator as a server: it listens, gives each connection a thread, and leaves nothing behind when stopped."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.cloudmonitor.emulator.connection import Connection
from shipper.cloudmonitor.emulator.journal import Journal
from shipper.cloudmonitor.emulator.page import Page
from shipper.cloudmonitor.emulator.service import Service, utc_now
from shipper.cloudmonitor.emulator.settings import Settings
from shipper.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any, Self

    from shipper.cloudmonitor.emulator.contract import Refusal
    from shipper.cloudmonitor.emulator.ledger import Receipt, Stats
    from shipper.cloudmonitor.emulator.reported import ReportedEvent

_MAX_CONNECTIONS = 512
_GRACE = 2.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, settings: Settings) -> None:
        self.address_family = family
        self.idle = settings.idle
        self.stopping = threading.Event()
        self.service: Service
        self.page: Page
        self._open: dict[threading.Thread, socket.socket] = {}
        self._open_lock = threading.Lock()
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which may take seconds."""
        TCPServer.server_bind(self)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Turn clients away when there are too many, so that threads stay bounded."""
        return len(self._open) < _MAX_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection its thread, and remember both."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="emulator connection", daemon=True
        )
        with self._open_lock:  # held over the start, so that the thread cannot end before it is remembered
            thread.start()
            self._open[thread] = request

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.pop(threading.current_thread(), None)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection; the FIN is close's, so that a connection to be reset sends none."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Tell of our own mistakes; a client that went away is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            telemetry.emulator_failed(error)

    def end_connections(self) -> None:
        """Let requests under way finish, then end every connection and join its thread."""
        self.stopping.set()
        deadline = time.monotonic() + _GRACE
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            with self._open_lock:
                open_connections = dict(self._open)
            for connection in open_connections.values():
                with contextlib.suppress(OSError):  # closed by the client or by its own thread meanwhile
                    connection.shutdown(how)
            for thread in open_connections:
                thread.join(max(0.0, deadline - time.monotonic()))
            deadline += _GRACE


class Emulator:
    """The stand-in for CloudMonitor: a real HTTP/1.1 server that keeps the contract of the API reference, section 16.

    It can be started once. Used as a context manager it is started and stopped:

        with Emulator(Settings(qps=0)) as emulator:
            client = Client(endpoint=emulator.url, access_key_id="testkey", access_key_secret="testsecret")

    Args:
        settings: what it is told; the defaults listen on a free port of 127.0.0.1 with the key of the test vectors.
        now: the clock that `Date` is judged by, and the receive time; aware.
        monotonic: the clock of the rate limit, in seconds.
        on_accept: called with the events of each accepted request, before its answer is sent, from the
            connection's thread.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        on_accept: Callable[[Sequence[ReportedEvent]], None] | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._now = now
        self._monotonic = monotonic
        self._on_accept = on_accept
        self._service: Service | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the store and listen; returns when connections are accepted.

        Raises:
            StateError: the store cannot be written or the address cannot be listened on.
            RuntimeError: it was started before.
        """
        if self._service is not None:
            raise RuntimeError("an emulator can be started once")
        settings = self._settings
        server = self._listen()
        try:
            self._journal = Journal(settings.store) if settings.store is not None else None
        except OSError as error:
            server.server_close()
            raise StateError(
                f"cannot write the store {settings.store}: {error.strerror}; "
                "name a file in a directory that this user may write"
            ) from None
        self._service = Service(
            settings, self._journal, now=self._now, monotonic=self._monotonic, on_accept=self._on_accept
        )
        server.service = self._service
        server.page = Page(self._service, settings.host, settings.page_token)
        self._server = server
        self._url = f"http://{_authority(settings.host, server.server_address[1])}"
        # the poll is how long a stop may take to be noticed
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, let requests under way finish, end all connections, close the store. Twice does no harm."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.end_connections()
        if self._journal is not None:
            self._journal.close()
        self._server = self._thread = self._journal = None

    @property
    def url(self) -> str:
        """The endpoint, such as `http://127.0.0.1:8686`; stays known after the stop.

        Raises:
            RuntimeError: it was not started.
        """
        self._running()
        return self._url

    @property
    def violations(self) -> tuple[Refusal, ...]:
        """The last 1000 requests against the contract, oldest first: what a correct client never sends.

        Injected faults, the rate limit and connections that were cut off are none. The exact number is in `stats`.
        """
        return self._running().violations()

    def stats(self) -> Stats:
        """Give the counts; also after the stop."""
        return self._running().stats()

    def receipts(self) -> tuple[Receipt, ...]:
        """Give the last accepted requests that are remembered, oldest first; also after the stop."""
        return self._running().receipts()

    def events(self) -> tuple[ReportedEvent, ...]:
        """Give the last accepted events (as many as `Settings.remember`), oldest first; also after the stop."""
        return tuple(event for receipt in self.receipts() for event in receipt.events)

    def _running(self) -> Service:
        if self._service is None:
            raise RuntimeError("the emulator was not started")
        return self._service

    def _listen(self) -> _Server:
        settings = self._settings
        try:
            found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, address = found[0]
            return _Server((str(address[0]), int(address[1])), family, settings)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StateError(
                f"cannot listen on {_authority(settings.host, settings.port)}: {reason}; "
                "stop the program that uses the port, or choose another address (port 0 takes any that is free)"
            ) from None


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
