"""What holds for every test: no thread outlives it, and waiting is for a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

DEADLINE_SECONDS = 30.0

# how long an example takes says something about the machine, not about the program
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def no_leaked_thread() -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left


def eventually(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS, what: str = "") -> None:
    """Poll until a condition holds; fail after the deadline."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(what or "the condition did not come true in time")
        time.sleep(0.01)
