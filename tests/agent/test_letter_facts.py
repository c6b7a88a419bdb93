"""What is told of a dead letter, also of one that a damaged store left."""

from __future__ import annotations

import pytest

from shipper.agent.letter_facts import event_of
from shipper.outbox.dead_letters import DeadLetter, Refusal


@pytest.mark.parametrize("payload", [b"null", b"[1]", b"7", b'"x"', b"", b"\xff\x00", b'{"name":'])
def test_what_is_no_event_any_more_is_shown_as_it_is(payload: bytes) -> None:
    """Whether or not it still is JSON."""
    letter = DeadLetter(1, "r", "id", payload, Refusal("400", "m", "q"), "2026-01-01T00:00:00Z")
    assert event_of(letter) == {"name": "(damaged)", "payload": payload.decode("utf-8", "backslashreplace")}
