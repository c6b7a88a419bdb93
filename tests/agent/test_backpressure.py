"""Which rules' files a full queue holds back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.agent.backpressure import NONE, Backpressure, backpressure


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ({}, NONE),
        ({"a": 99}, NONE),
        ({"a": 100}, Backpressure(rules=frozenset({"a"}))),
        ({"a": 90, "b": 10}, Backpressure(rules=frozenset({"a"}))),
        ({"a": 50, "b": 50}, Backpressure(rules=frozenset({"a", "b"}))),
        ({"a": 199, "b": 1}, Backpressure(everything=True)),
    ],
)
def test_those_that_hold_their_share_of_a_full_queue_wait(waiting: dict[str, int], expected: Backpressure) -> None:
    """A share is the limit divided by the rules that hold something; at twice the limit all wait (hazard 6.4)."""
    assert backpressure(waiting, 100) == expected


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 10**6)), st.integers(1, 10**6))
def test_a_full_queue_always_holds_somebody_back_and_room_nobody(waiting: dict[str, int], limit: int) -> None:
    """No queue grows without anybody waiting, and no file waits without need (hazard 6.4)."""
    found = backpressure(waiting, limit)

    assert (found != NONE) == (sum(waiting.values()) >= limit)
    assert found == NONE or found.holds(waiting.keys())
    assert not NONE.holds(waiting.keys())
