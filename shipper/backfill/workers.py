"""Readers in processes of their own: decompression and matching on all cores, and one process that commits.

A worker is told the orders and then one task after the other over a socket, and gives parts back. What it sent and
nobody took yet is bounded by the socket's buffer. It ends when its parent does, whatever ended that.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from multiprocessing.connection import Connection, Pipe, wait
from typing import TYPE_CHECKING

from shipper.backfill.reading import Reader
from shipper.errors import ShipperError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from shipper.backfill.tasks import Orders, Part, Task

_WAIT = 0.2


def read_here(reader: Reader, tasks: Sequence[Task]) -> Generator[Part | None, None, None]:
    """Read all tasks in this process."""
    for task in tasks:
        yield from reader.read(task)


def read_with_workers(
    orders: Orders, tasks: Sequence[Task], jobs: int, *, keep_order: bool
) -> Generator[Part | None, None, None]:
    """Read the tasks in several processes.

    Args:
        orders: for all of them.
        tasks: in the order in which they are begun.
        jobs: how many processes.
        keep_order: whether the parts of a task come only after all of the tasks before it.

    Yields:
        Parts; None when time has passed without one.

    Raises:
        ShipperError: a worker ended before its time.
    """
    left = deque(tasks)
    workers = [Worker(orders) for _ in range(min(jobs, len(tasks)))]
    try:
        # in the order of their tasks
        busy = deque(workers)
        for worker in workers:
            worker.begin(left.popleft())
        while busy:
            ready = wait([worker.connection for worker in ([busy[0]] if keep_order else busy)], _WAIT)
            if not ready:
                yield None
            for worker in [each for each in busy if each.connection in ready]:
                part = worker.receive()
                if part is not None:
                    yield part
                    continue
                busy.remove(worker)
                if left:
                    worker.begin(left.popleft())
                    busy.append(worker)
    finally:
        for worker in workers:
            worker.end()


class Worker:
    """One process; see `main`."""

    def __init__(self, orders: Orders) -> None:
        """Start it."""
        self.connection, theirs = Pipe()
        with theirs:
            # not in our process group: Ctrl-C is for us to hear, and a worker holds nothing that has to be kept
            self._process = subprocess.Popen(  # noqa: S603  ourselves
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        self._send(orders)

    def begin(self, task: Task) -> None:
        """Let it read a task."""
        self._send(task)

    def receive(self) -> Part | None:
        """Wait for a part; None when the task is read."""
        try:
            received: Part | None = self.connection.recv()
        except (EOFError, OSError):
            raise self._failure() from None
        return received

    def end(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _send(self, what: Orders | Task) -> None:
        try:
            self.connection.send(what)
        except OSError:
            raise self._failure() from None

    def _failure(self) -> ShipperError:
        code = self._process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return ShipperError(
            f"a process that reads files ended {how}; start the same command again to go on, with --jobs 1 if there "
            "was too little memory"
        )


def main(descriptor: int) -> None:
    """Read what the parent says, until it has nothing more to say, or is no more."""
    with Connection(descriptor) as connection:
        try:
            reader = Reader(connection.recv())
            while True:
                for part in reader.read(connection.recv()):
                    connection.send(part)
                connection.send(None)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            # nobody listens any more
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
