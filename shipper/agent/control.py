"""The agent's socket: `agent.sock` in the state directory, 0600. One question a connection, one answer.

A question is one line of JSON, `{"ask": "status"}`, an answer one JSON document until the end of the connection,
`{"error": "..."}` for a question that cannot be answered. Questions are answered one after the other by a thread of
their own; whoever does not ask or take the answer in time is left, so nobody holds up the agent or the next one.
"""

from __future__ import annotations

import os
import selectors
import socket
import stat
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson

from shipper import telemetry
from shipper.errors import ShipperError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Answer = Callable[[Mapping[str, Any]], bytes]

SOCKET = "agent.sock"
MOST_WAITING = 4
QUESTION_BYTES = 64 * 1024
ANSWER_BYTES = 64 * 1024 * 1024
ASK_TIMEOUT = 2.0
TAKE_TIMEOUT = 5.0
CLIENT_TIMEOUT = 15.0
ACCEPT_RETRY = 1.0
# of sun_path, with its final NUL: 108 bytes on Linux, 104 elsewhere
_LONGEST_ADDRESS = 103
_CHUNK = 64 * 1024


class UnansweredError(Exception):
    """No agent answered; the message is the reason, for people."""


class Control:
    """Answers on the socket of a state directory, whose lock the caller holds."""

    def __init__(self, directory: Path, answers: Mapping[str, Answer]) -> None:
        """Prepare; nothing is made before `start`.

        Args:
            directory: the state directory.
            answers: what is asked for → gives the JSON to answer the whole question with.
        """
        self._directory = directory
        self._answers = answers
        self._stopping = threading.Event()
        self._asking: socket.socket | None = None
        self._asking_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Make the socket and answer from now on.

        An agent that cannot be asked still does its work: that the socket cannot be made is told, not raised.
        """
        try:
            self._listener = _listen(self._directory)
        except OSError as error:
            telemetry.control_unavailable(str(self._directory / SOCKET), error.strerror or str(error))
            return
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="control")
        self._thread.start()

    def stop(self) -> None:
        """Remove the socket and end the thread, also in the middle of an answer; harmless when it is repeated."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake.close()
        with self._asking_lock:
            if self._asking is not None:
                # it fails when the one who asked has gone by himself
                with suppress(OSError):
                    self._asking.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._thread = None
        self._woken.close()
        self._listener.close()
        (self._directory / SOCKET).unlink(missing_ok=True)

    def _serve(self) -> None:
        # not `select`, which refuses descriptors over 1023: thousands of logs may be open
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                self._accept()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            # who knocked has gone again
            return
        except OSError as error:
            # no descriptor is free (hazard 6.1): the question waits in the queue meanwhile
            telemetry.control_failed(error.strerror or str(error))
            self._stopping.wait(ACCEPT_RETRY)
            return
        with client:
            with self._asking_lock:
                if self._stopping.is_set():
                    return
                self._asking = client
            try:
                line = _receive(client, QUESTION_BYTES, ASK_TIMEOUT, until=b"\n")
                client.settimeout(TAKE_TIMEOUT)
                client.sendall(self._answer(line))
            except OSError as error:
                telemetry.control_failed(str(error) or type(error).__name__)
            finally:
                with self._asking_lock:
                    self._asking = None

    def _answer(self, line: bytes) -> bytes:
        try:
            question = orjson.loads(line)
        except orjson.JSONDecodeError:
            return _error("a question is one line of JSON")
        asked = question.get("ask") if isinstance(question, dict) else None
        answer = self._answers.get(asked) if isinstance(asked, str) else None
        if answer is None:
            return _error(f"this can be asked for: {', '.join(self._answers)}")
        try:
            return answer(question)
        except ShipperError as error:
            return _error(str(error))
        except Exception as error:  # noqa: BLE001  a mistake of ours in an answer must not end the answering
            telemetry.control_broken(error)
            return _error("the agent failed on this question; its log says how")


def ask(directory: Path, question: Mapping[str, object], timeout: float = CLIENT_TIMEOUT) -> bytes:
    """Ask the running agent of a state directory.

    Args:
        directory: the state directory.
        question: `{"ask": ...}` and what belongs to it.
        timeout: seconds for connecting and for the whole answer.

    Returns:
        The JSON that it answers.

    Raises:
        UnansweredError: nobody answers, not in time, or that there is no answer.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            with _address(directory) as address:
                client.connect(address)
            client.sendall(orjson.dumps(question) + b"\n")
            answer = _receive(client, ANSWER_BYTES, timeout)
    except TimeoutError:
        raise UnansweredError(f"no answer came within {timeout:g} s") from None
    except BlockingIOError:
        raise UnansweredError("too many others ask at this moment") from None
    except OSError as error:
        raise UnansweredError(error.strerror or str(error)) from None
    try:
        said = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise UnansweredError("the answer broke off") from None
    if isinstance(said, dict) and "error" in said:
        raise UnansweredError(str(said["error"]))
    return answer


def _listen(directory: Path) -> socket.socket:
    path = directory / SOCKET
    try:
        # the lock is ours, so whoever made this one is dead
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(directory) as address:
            listener.bind(address)
        # nobody can connect before `listen`, whatever the mode was until here
        path.chmod(0o600)
        listener.listen(MOST_WAITING)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def _address(directory: Path) -> Iterator[str]:
    """Give the socket's address: its path, or where that is too long, the same through the opened directory."""
    path = str(directory / SOCKET)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(f"the path is longer than the {_LONGEST_ADDRESS} bytes that a socket's may have")
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def _receive(peer: socket.socket, most: int, timeout: float, until: bytes | None = None) -> bytes:
    """Read up to a mark or to the end. Raises `OSError` when it is too long or too late."""
    deadline = time.monotonic() + timeout
    received = bytearray()
    while until is None or until not in received[-_CHUNK:]:
        peer.settimeout(max(0.001, deadline - time.monotonic()))
        if time.monotonic() >= deadline:
            raise TimeoutError("it took too long")
        chunk = peer.recv(_CHUNK)
        if not chunk:
            break
        received += chunk
        if len(received) > most:
            raise OSError(f"more than {most} bytes were sent")
    return bytes(received)


def _error(said: str) -> bytes:
    return orjson.dumps({"error": said})
