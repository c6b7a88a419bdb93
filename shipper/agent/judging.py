"""Matches a block, and tells what the engine could not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.matching.quarantine import SetAside

if TYPE_CHECKING:
    from shipper.events import Block, Event, Unjudged
    from shipper.matching.engine import Engine
    from shipper.matching.quarantine import Quarantine


def sendable(events: list[Event]) -> list[Event]:
    """Leave out those of rules in the shadow: their tallies have counted them."""
    return [event for event in events if not event.shadow]


def judged(engine: Engine, block: Block) -> tuple[list[Event], list[Unjudged]]:
    """Give the events of a block, see `Engine.match`, and the places that rules did not judge since the last call."""
    events = engine.match(block)
    for missed in engine.take_missed():
        telemetry.record_missed(missed.rule, missed.path, missed.offset)
    unjudged = engine.take_unjudged()
    for each in unjudged:
        telemetry.record_not_judged(each.rule, each.path, each.offset, each.length)
    if engine.quarantine is not None:
        unjudged += engine.quarantine.take_passed()
        tell(engine.quarantine)
    return events, unjudged


def tell(quarantine: Quarantine) -> None:
    """Tell which rules were set aside, and which judge again."""
    for news in quarantine.take_news():
        if isinstance(news, SetAside):
            telemetry.rule_set_aside(news.rule, news.seconds)
        else:
            telemetry.rule_released(news.rule, news.unseen, news.more)
