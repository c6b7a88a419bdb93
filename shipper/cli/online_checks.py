"""The way to the service, walked by `shipper check --online` and shown as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from shipper.agent.machine import this_host
from shipper.cli.terminal import safe, talk
from shipper.cloudmonitor.connecting import connect
from shipper.cloudmonitor.walk import Step, walk
from shipper.errors import ConfigurationError, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.config.model import Config
    from shipper.errors import Problem


def online_steps(config: Config, problems: Sequence[Problem], *, show: bool) -> Iterator[Step]:
    """Walk, unless what is configured is wrong already; each step is shown on stderr when it is done."""
    if any(not problem.warning for problem in problems):
        return
    try:
        client = connect(config)
    except (ConfigurationError, CredentialsError) as error:
        step = Step("credentials", False, str(error))
        if show:
            _show(step)
        yield step
        return
    with client:
        for step in walk(client, this_host(config).hostname, config.cloudmonitor.timeout):
            if show:
                _show(step)
            yield step


def _show(step: Step) -> None:
    mark, style = ("ok    ", "green") if step.ok else ("failed", "bold red")
    line = Text(mark, style=style) + Text(f"  {step.name:<11}  {safe(step.said)}")
    if step.action:
        line += Text(f"\n                     what to do: {safe(step.action)}", style="" if step.ok else "yellow")
    talk().print(line)
