"""The rule workshop's other half: runs trials in processes of their own, few at a time, each for a few seconds."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from shipper.errors import ShipperError
from shipper.web.trial import CPU_SECONDS, MEMORY_BYTES, OUT_OF_MEMORY
from shipper.web.turns import LOOK_EVERY, Turns, go_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipper.web.trial import Trial

MOST_AT_ONCE = 2
MOST_WAITING = 4
"""More are told at once that too many run: they would take the connections that probes need."""
SECONDS = 8.0
"""Of the clock, with the start of the process."""
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""No keys: a pattern that takes the process over would find none."""


class Workshop:
    """Any thread may ask."""

    def __init__(self) -> None:
        """Begin with nothing running."""
        self._turns = Turns(MOST_AT_ONCE, MOST_WAITING, SECONDS)

    def run(self, trial: Trial, is_gone: Callable[[], bool]) -> bytes:
        """Run a trial; gives its JSON, see `trial.judge`.

        Args:
            trial: what is tried.
            is_gone: tells whether nobody waits for the answer any more, as when somebody types on; then it is ended.

        Raises:
            BusyError: too many run.
            ShipperError: it took more time or memory than it may, or nobody waits for it.
        """
        try:
            asked = pickle.dumps(trial)
        except RecursionError:
            raise ShipperError("the rule's keys are nested too deeply") from None
        with self._turns.take("trials run", is_gone):
            return _run(asked, is_gone)


def _run(asked: bytes, is_gone: Callable[[], bool]) -> bytes:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # a pipe would have to be written to while the answer is waited for
    with open(os.memfd_create("trial"), "w+b") as file:
        file.write(asked)
        file.seek(0)
        with subprocess.Popen(
            [sys.executable, "-I", "-m", "shipper.web.trial"],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        ) as process:
            try:
                answer, said = _wait(process, is_gone)
            finally:
                # harmless when it has ended
                process.kill()
    if process.returncode == OUT_OF_MEMORY:
        raise ShipperError(f"the rule took more than {MEMORY_BYTES >> 20} MiB of memory, and was ended")
    if process.returncode == -signal.SIGXCPU:
        raise ShipperError(f"the rule took more than {CPU_SECONDS} s of the processor on these lines, and was ended")
    if process.returncode == -signal.SIGKILL:
        raise ShipperError("the trial was ended by the system: the host has no memory to spare, or it took too long")
    if process.returncode:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"exit code {process.returncode}"
        raise ShipperError(f"the trial failed: {last}")
    return answer


def _wait(process: subprocess.Popen[bytes], is_gone: Callable[[], bool]) -> tuple[bytes, bytes]:
    until = time.monotonic() + SECONDS
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=LOOK_EVERY)
        go_on(until, is_gone, ShipperError(f"the rule took longer than {SECONDS:g} s on these lines, and was ended"))
