"""`shipper tap`: the events of the running agent as they are made (spec, section 2)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click
import orjson

from shipper.agent.control import UnansweredError, ask
from shipper.cli.config_option import config_option, read_for_state
from shipper.cli.terminal import data, say
from shipper.errors import ShipperError
from shipper.outbox.lock import holder_of

if TYPE_CHECKING:
    from pathlib import Path

ASK_EVERY = 0.2


@click.command("tap", short_help="Show the events of the running agent as they are made.")
@config_option()
@click.option("--rule", metavar="ID", help="Only those of this rule.")
def command(config_file: Path | None, rule: str | None) -> int:
    """Show the events of the running agent as they are made, one JSON line each, until Ctrl-C or the agent's end.

    It only looks: what is shown is sent as ever. Events of rules in the shadow are shown too, with "shadow" in "meta".
    Where they come faster than they can be shown, some are left out, and their number is said.

    \b
    Examples:
      shipper tap
      shipper tap --rule java-oom
      shipper tap | jq -r .name
    """
    directory = read_for_state(config_file).config.state_path
    if holder_of(directory) is None:
        raise ShipperError(f"no agent runs with state_dir {directory}: start it with 'shipper run'")
    after: int | None = None
    while True:
        try:
            answer: dict[str, Any] = orjson.loads(ask(directory, {"ask": "tap", "after": after, "rule": rule}))
        except UnansweredError as error:
            if holder_of(directory) is None:
                say("the agent has ended")
                return 0
            raise ShipperError(f"the agent does not answer: {error}") from None
        if after is None:
            say(f"events of {'rule ' + repr(rule) if rule else 'all rules'} from now on; Ctrl-C ends", "dim")
        after = answer["after"]
        if answer["missed"] is None:
            say("the output was not read for a while; events since then are not shown", "yellow")
        elif answer["missed"]:
            say(f"{answer['missed']} events are not shown: they come too fast", "yellow")
        for event in answer["events"]:
            data().out(orjson.dumps(event).decode(), highlight=False)
        sys.stdout.flush()
        time.sleep(ASK_EVERY)
