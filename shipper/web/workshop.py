"""The rule workshop's other half: runs trials in processes of their own, few at a time, each for a few seconds."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from shipper.errors import ShipperError
from shipper.web.trial import CPU_SECONDS, MEMORY_BYTES, OUT_OF_MEMORY

if TYPE_CHECKING:
    from shipper.web.trial import Trial

MOST_AT_ONCE = 2
SECONDS = 8.0
"""Of the clock, with the start of the process."""
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""No keys: a pattern that takes the process over would find none."""


class Workshop:
    """Any thread may ask."""

    def __init__(self) -> None:
        """Begin with nothing running."""
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def run(self, trial: Trial) -> bytes:
        """Run a trial; gives its JSON, see `trial.judge`.

        Raises:
            ShipperError: it took more time or memory than it may, or too many run.
        """
        if not self._places.acquire(timeout=SECONDS):
            raise ShipperError("too many trials run at this moment")
        try:
            return _run(trial)
        finally:
            self._places.release()


def _run(trial: Trial) -> bytes:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "shipper.web.trial"],
            input=pickle.dumps(trial),
            capture_output=True,
            timeout=SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ShipperError(f"the rule took longer than {SECONDS:g} s on these lines, and was ended") from None
    if done.returncode == OUT_OF_MEMORY:
        raise ShipperError(f"the rule took more than {MEMORY_BYTES >> 20} MiB of memory, and was ended")
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise ShipperError(f"the rule took more than {CPU_SECONDS} s of the processor on these lines, and was ended")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise ShipperError(f"the trial failed: {said}")
    return done.stdout
