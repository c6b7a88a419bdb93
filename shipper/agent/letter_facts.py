"""Dead letters as people and programs are shown them: what was refused, why, and what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import orjson

from shipper.cloudmonitor.advice import advise
from shipper.cloudmonitor.verdict import Answer
from shipper.printable import printable_path

if TYPE_CHECKING:
    from shipper.outbox.dead_letters import DeadLetter, Noted

PLACE = "m"
"""Begins the id of a place, so that it is not taken for that of an event."""
_CAUSES = {"timeout": "the search took longer than match_timeout", "set_aside": "the rule was set aside"}


def letter_facts(letter: DeadLetter) -> dict[str, Any]:
    """Tell of a refused event all that is known."""
    return {
        "id": str(letter.id),
        "kind": "refused",
        "rule": letter.rule,
        "died_at": letter.died_at,
        "code": letter.refusal.code,
        "message": letter.refusal.message,
        "request_id": letter.refusal.request_id,
        "event_id": letter.event_id,
        "event": event_of(letter),
    } | _advice_on(letter)


def _advice_on(letter: DeadLetter) -> dict[str, str]:
    advice = advise(Answer(400, letter.refusal.code, letter.refusal.message))
    return {"meaning": advice.meaning, "what_to_do": advice.action} if advice else {}


def event_of(letter: DeadLetter) -> dict[str, Any]:
    """Give the event; what a damaged store left of it as it is."""
    try:
        event = orjson.loads(letter.payload)
    except orjson.JSONDecodeError:
        event = None
    if isinstance(event, dict):
        return event
    return {"name": "(damaged)", "payload": letter.payload.decode("utf-8", "backslashreplace")}


def place_facts(noted: Noted) -> dict[str, Any]:
    """Tell of a place that a rule did not judge all that is known."""
    place = noted.place
    return {
        "id": PLACE + str(noted.id),
        "kind": "match",
        "rule": place.rule,
        "noted_at": noted.noted_at,
        "path": printable_path(place.path),
        "offset": place.offset,
        "length": place.length,
        "cause": place.cause,
        "meaning": _CAUSES.get(place.cause, place.cause),
        "judge_again": f"mend the rule, then: shipper backfill {shlex.quote(printable_path(place.path))}",
    }
