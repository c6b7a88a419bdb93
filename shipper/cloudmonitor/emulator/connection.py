"""One client's connection: HTTP/1.1 off the socket and back onto it."""

from __future__ import annotations

import socket
import struct
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Protocol, cast

from shipper.cloudmonitor.emulator.contract import MAX_BODY_BYTES, Request
from shipper.cloudmonitor.emulator.page import SECURITY_HEADERS
from shipper.cloudmonitor.emulator.rpc_contract import is_rpc
from shipper.cloudmonitor.emulator.service import Answer, Dialect, Ending

if TYPE_CHECKING:
    import threading

    from shipper.cloudmonitor.emulator.page import Page
    from shipper.cloudmonitor.emulator.service import Service

_MAX_SKIPPED = 64 * 1024**2
_MAX_DIGITS = 12
_CHUNK = 64 * 1024


class Owner(Protocol):
    """What a connection needs of the server that it belongs to."""

    service: Service
    page: Page
    idle: float
    stopping: threading.Event


class Connection(BaseHTTPRequestHandler):
    """Reads requests, asks the service or the page, writes each answer with one send."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = _CHUNK

    @property
    def _owner(self) -> Owner:
        return cast(Owner, self.server)

    def setup(self) -> None:
        """Give up on clients that fall silent."""
        super().setup()
        self.connection.settimeout(self._owner.idle)

    def do_POST(self) -> None:
        """Take an upload."""
        length = self._body_length()
        if length is None and "Content-Length" not in self.headers and "Transfer-Encoding" not in self.headers:
            # a call of the RPC API may have no body at all
            length = 0 if self.path.startswith("/?") else None
        if length is None:
            self.close_connection = True
            self._send(self._owner.service.refuse_unread("Content-Length is missing, no number, or beyond all limits"))
            return
        body = self._read_body(length)
        if body is None:
            self.close_connection = True
            self._send(self._owner.service.reject(400, "fewer bytes than Content-Length says were sent"))
            return
        answer = self._owner.service.answer(Request(self.command, self.path, self._header_texts(), body))
        if answer.status == HTTPStatus.BAD_REQUEST:
            self.close_connection = True  # where the length was wrong, what follows is no request
        self._send(answer)

    do_PUT = do_POST  # noqa: N815 - http.server finds methods by this name

    def do_GET(self) -> None:
        """Show the page, or answer one of its questions; or take a call of the RPC API, which may be put so."""
        request = Request(self.command, self.path, self._header_texts(), b"")
        if is_rpc(request):
            self._send(self._owner.service.answer(request))
            return
        self._send(self._owner.page.answer(self.path, self._header_texts()), SECURITY_HEADERS)

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no proper HTTP in the service's shape, and hang up."""
        self.close_connection = True
        # of a target that is too long nothing else is known
        is_call = getattr(self, "raw_requestline", b"").partition(b" ")[2].startswith(b"/?")
        dialect = Dialect.RPC if is_call else Dialect.UPLOAD
        self._send(self._owner.service.reject(code, message or HTTPStatus(code).phrase, dialect))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing for a request: there are thousands in a second, and the stats count them."""

    def _header_texts(self) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, value in self.headers.items():
            folded = name.lower()
            text = value.strip(" \t")
            texts[folded] = f"{texts[folded]}, {text}" if folded in texts else text
        return texts

    def _body_length(self) -> int | None:
        given = self.headers.get("Content-Length", "").strip(" \t")
        if not (given.isascii() and given.isdigit() and len(given) <= _MAX_DIGITS) or int(given) > _MAX_SKIPPED:
            return None
        return int(given)

    def _read_body(self, length: int) -> bytes | None:
        """Read the body, of one over the limit enough to see that it is; None when the client went away meanwhile."""
        body = self.rfile.read(min(length, MAX_BODY_BYTES + 1))
        missing = length - len(body)
        while missing and (skipped := self.rfile.read(min(missing, _CHUNK))):
            missing -= len(skipped)
        return None if missing else body

    def _send(self, answer: Answer, further: dict[str, str] | None = None) -> None:
        if answer.ending is not Ending.ANSWERED:
            self.close_connection = True
            if answer.ending is Ending.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if answer.delay:
            self._owner.stopping.wait(answer.delay)
        if self.request_version < "HTTP/1.1":
            self.close_connection = True
        lines = [
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"Date: {self._owner.service.date()}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in (further or {}).items()),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "\r\n"]).encode("ascii")
        self.wfile.write(head if self.command == "HEAD" else head + answer.body)
