"""Changes dead letters, through the running agent or in the store of one that does not run (spec, section 2)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson

from shipper.agent.control import UnansweredError, ask
from shipper.cloudmonitor import batching
from shipper.errors import ShipperError, StateError
from shipper.outbox.lock import StateLock, holder_of
from shipper.outbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from shipper.agent.control import Answer
    from shipper.outbox.dead_letters import DeadLetters

QUESTION = "dead-letters"
AT_ONCE = 1000
"""Numbers in one question: it has a bound."""
_DEEDS = ("retry", "drop", "drop_places")


def answering(dead_letters: DeadLetters, retried: Callable[[], None]) -> Answer:
    """Give what answers `{"ask": "dead-letters", "do": DEED, "ids": [NUMBER...] or null}` with `{"done": [NUMBER...]}`.

    Args:
        dead_letters: those of the agent's store.
        retried: called after some wait again.
    """

    def answer(question: Mapping[str, Any]) -> bytes:
        deed, ids = question.get("do"), question.get("ids")
        numbers = isinstance(ids, list) and all(type(number) is int for number in ids)
        if deed not in _DEEDS or not (ids is None or numbers):
            raise ShipperError(f"'do' must be one of {', '.join(_DEEDS)}, 'ids' a list of numbers or null for all")
        done = getattr(dead_letters, deed)(ids)
        if deed == "retry" and done:
            retried()
        return orjson.dumps({"done": done})

    return answer


def change(directory: Path, deed: str, ids: Sequence[int] | None) -> list[int]:
    """Retry or drop dead letters, or drop places.

    Args:
        directory: the state directory.
        deed: `retry`, `drop` or `drop_places`.
        ids: their numbers; None means all.

    Returns:
        The numbers of those that were there.

    Raises:
        ShipperError: the agent does not answer, or the store cannot be used.
    """
    if holder_of(directory) is None:
        if not (directory / "shipper.db").exists():
            raise StateError(f"there is no store in {directory}: no agent has run with this state_dir yet")
        with closing(StateLock(directory)), closing(Store(directory, batching.encode)) as store:
            return list(getattr(store.dead_letters, deed)(ids))
    done: list[int] = []
    for some in [None] if ids is None else [ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE)]:
        try:
            answer = ask(directory, {"ask": QUESTION, "do": deed, "ids": some})
        except UnansweredError as error:
            raise ShipperError(f"the agent runs, but does not answer: {error}") from None
        done += orjson.loads(answer)["done"]
    return done
