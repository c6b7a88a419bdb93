"""Starts real agent processes without the half second that importing takes, so that kills come fast.

`python -m tests.soak.preloaded CONFIG LOG` imports the product and waits. For every line on stdin it forks an agent,
says its pid, waits for its end and says how it ended. One agent at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from shipper.agent import supervisor
from shipper.cli import run


def main(config: str, log: str) -> None:
    """Serve until stdin ends."""
    sys.stdout.write(f"preloaded {supervisor.__name__}\n")
    sys.stdout.flush()
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, 2)
            os.close(descriptor)
            os.close(0)
            os._exit(run.main(["-c", config]))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class Preloaded:
    """The other end of the pipe."""

    def __init__(self, config: Path, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.preloaded", str(config), str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid: int | None = None
        self._answer()

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def _answer(self) -> str:
        answer = self._pipe(self._process.stdout).readline()
        if not answer:
            raise AssertionError(f"the preloaded agent ended with {self._process.wait()}")
        return answer.strip()

    def start(self) -> int:
        """Fork an agent; gives its pid."""
        pipe = self._pipe(self._process.stdin)
        pipe.write("start\n")
        pipe.flush()
        self.pid = int(self._answer())
        return self.pid

    def end(self, number: int) -> int:
        """Send the agent a signal and wait for its end; gives the exit code, negative for the signal that ended it."""
        assert self.pid is not None
        os.kill(self.pid, number)
        code = int(self._answer())
        self.pid = None
        return code

    def close(self) -> None:
        """End everything."""
        if self.pid is not None:
            self.end(9)
        self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()
        self._process.wait(30)


if __name__ == "__main__":
    main(*sys.argv[1:])
