"""Matches a block, and tells what the engine could not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper import telemetry

if TYPE_CHECKING:
    from shipper.events import Block, Event
    from shipper.matching.engine import Engine


def judged(engine: Engine, block: Block) -> list[Event]:
    """Give the events of a block, see `Engine.match`."""
    events = engine.match(block)
    for missed in engine.take_missed():
        telemetry.record_missed(missed.rule, missed.path, missed.offset)
    for unjudged in engine.take_unjudged():
        telemetry.record_not_judged(unjudged.rule, unjudged.path, unjudged.offset, unjudged.length)
    return events
