"""The sink of the benchmarks, a process of its own: takes events from anybody and counts them, fast.

It speaks as much HTTP/1.1 as clients that keep their connection need, and answers as the service does; a connection
that does not begin with POST is a stream of lines, one an event. An event is counted by the serial in it (see
`workloads`), whatever it is wrapped in. Orders come on stdin, an answer for each goes to stdout, both JSON lines; the
process ends with its stdin. Nothing is judged here but the count: that requests are right is what the emulator is for.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

import orjson

SERIAL: Final = re.compile(rb"#(\d{9})#")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONTINUE: Final = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_READ: Final = 1024 * 1024
_BODY: Final = b'{"code":"200","msg":"success"}'


class Counts:
    """What was received since the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.events = self.serials = self.requests = self.bytes = 0
        self.last = 0.0
        self.arrivals: dict[str, float] = {}
        self.cpu = time.process_time()

    def take(self, data: bytes) -> None:
        """Count the events in a body or in whole lines."""
        serials = SERIAL.findall(data)
        self.last = time.monotonic()
        self.requests += 1
        self.bytes += len(data)
        self.events += len(serials)
        self.serials += sum(map(int, serials))
        if len(serials) < 10:
            # few at a time: somebody wants to know when each came
            self.arrivals |= {serial.decode(): self.last for serial in serials}

    def told(self) -> dict[str, Any]:
        """Give the numbers; `cpu` is this process's own, in seconds."""
        return {
            "events": self.events,
            "serials": self.serials,
            "requests": self.requests,
            "bytes": self.bytes,
            "last": self.last,
            "cpu": time.process_time() - self.cpu,
        }


class Peer:
    """One connection, and what came on it and is not whole yet."""

    def __init__(self, connection: socket.socket, counts: Counts) -> None:
        self.connection = connection
        self._counts = counts
        self._held = bytearray()
        self._continued = False

    def read(self) -> bool:
        """Take what is there; False when the client is gone."""
        try:
            data = self.connection.recv(_READ)
        except ConnectionError:
            return False
        self._held += data
        if self._held.startswith(b"POST"[: len(self._held)]):
            while self._take_request():
                pass
        else:
            self._take_lines()
        return bool(data)

    def _take_lines(self) -> None:
        end = self._held.rfind(b"\n") + 1
        if end:
            self._counts.take(bytes(self._held[:end]))
            del self._held[:end]

    def _take_request(self) -> bool:
        head = self._held.find(_HEAD_END)
        if head < 0:
            return False
        found = _LENGTH.search(self._held, 0, head + 2)
        if found is None:
            raise SystemExit(f"a request without Content-Length: {bytes(self._held[:200])!r}")
        end = head + len(_HEAD_END) + int(found[1])
        if len(self._held) < end:
            if not self._continued and _CONTINUE.search(self._held, 0, head + 2):
                self._continued = True
                self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            return False
        self._counts.take(bytes(self._held[head:end]))
        del self._held[:end]
        self._continued = False
        self.connection.sendall(
            b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (formatdate(usegmt=True).encode(), len(_BODY), _BODY)
        )
        return True


class Sink:
    """Waits for clients and for orders, in one thread."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._orders = bytearray()
        self._expected: tuple[int, float] | None = None
        self._running = True

    def run(self) -> None:
        """Work until stdin ends."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._take_orders)
        self._tell({"port": self.port})
        while self._running:
            for key, _ in self._selector.select(None if self._expected is None else 0.2):
                key.data()
            self._answer_expected()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(connection, self.counts)
        read: Callable[[], None] = lambda: self._read(peer)  # noqa: E731
        self._selector.register(connection, selectors.EVENT_READ, read)

    def _read(self, peer: Peer) -> None:
        if not peer.read():
            self._selector.unregister(peer.connection)
            peer.connection.close()

    def _take_orders(self) -> None:
        data = os.read(sys.stdin.fileno(), _READ)
        self._running = bool(data)
        self._orders += data
        while (end := self._orders.find(b"\n")) >= 0:
            order = orjson.loads(self._orders[:end])
            del self._orders[: end + 1]
            self._obey(order)

    def _obey(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "reset":
                self.counts.reset()
                self._tell({})
            case "stats":
                self._tell(self.counts.told())
            case "arrivals":
                self._tell(self.counts.arrivals)
            case "expect":
                self._expected = (order["events"], time.monotonic() + order["seconds"])

    def _answer_expected(self) -> None:
        if self._expected is None:
            return
        events, until = self._expected
        if self.counts.events >= events or time.monotonic() >= until:
            self._expected = None
            self._tell(self.counts.told())

    def _tell(self, answer: dict[str, Any]) -> None:
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    Sink().run()
