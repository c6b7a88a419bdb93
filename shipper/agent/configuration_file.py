"""The configuration of a running agent: read again when told to, and what of it is not in force is not forgotten.

A file in which something is wrong changes nothing, nor does one whose rules are not fit; some keys take effect only at
a start (spec, section 4 "Reload").
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.trouble import Trouble
from shipper.config.load import load_config
from shipper.errors import ConfigurationError, in_brief

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shipper.config.model import Config

_NEED_A_RESTART = (
    "state_dir", "hostname", "cloudmonitor", "http", "store", "drain_timeout", "log_level", "log_format",
)  # fmt: skip


class ConfigurationFile:
    """Belongs to one agent. One thread rereads; any may ask.

    Attributes:
        refused: why, and since when, what the file says is not in force; None when it is, but for what waits.
        waiting: which keys wait for a restart, and since when.
    """

    def __init__(self) -> None:
        """Begin with a file that is in force, for the agent was started with it."""
        self.refused: Trouble | None = None
        self.waiting: Trouble | None = None

    @property
    def trouble(self) -> Trouble | None:
        """Why, and since when, not all that the file says is in force."""
        return self.refused or self.waiting

    def reread(self, file: Path) -> Config | None:
        """Read the file again; None when something is wrong with it, which is told and remembered."""
        try:
            config, _ = load_config(file)
        except ConfigurationError as error:
            for problem in error.problems:
                telemetry.reload_refused(str(problem))
            self._refuse(f"{in_brief(error.problems)}; reload the agent when that is mended")
            return None
        return config

    def leave(self, config: Config, in_force: Config, reason: str) -> None:
        """Note that a file that is right is not taken all the same; where it says nothing new, it is in force.

        Args:
            config: what it says.
            in_force: what is in force.
            reason: why it is not taken.
        """
        if _with_kept(config, in_force) == in_force:
            self.refused = None
            self._note_waiting(config, in_force)
        else:
            self._refuse(f"{reason}; reload the agent when that is mended")

    def take(self, config: Config, in_force: Config) -> Config:
        """Say which changes wait for a restart; gives the configuration that is in force from now on."""
        self.refused = None
        self._note_waiting(config, in_force)
        return _with_kept(config, in_force)

    def _refuse(self, reason: str) -> None:
        since = HOST_CLOCK.now() if self.refused is None else self.refused.since
        self.refused = Trouble(f"what the configuration says now is not in force: {reason}", since)

    def _note_waiting(self, config: Config, in_force: Config) -> None:
        keys = ", ".join(
            key for name in _NEED_A_RESTART for key in _changed(name, getattr(in_force, name), getattr(config, name))
        )
        if not keys:
            self.waiting = None
            return
        telemetry.restart_needed(keys)
        since = HOST_CLOCK.now() if self.waiting is None else self.waiting.since
        self.waiting = Trouble(f"changes of {keys} take effect when the agent is restarted", since)


def _with_kept(config: Config, in_force: Config) -> Config:
    """Give what a configuration says, but for that which only a start takes up."""
    return dataclasses.replace(config, **{name: getattr(in_force, name) for name in _NEED_A_RESTART})


def _changed(name: str, before: Any, now: Any) -> Iterator[str]:
    """Give the names of the keys of which a table has other values now; never a value, which may be a secret."""
    if before == now:
        return
    if not (dataclasses.is_dataclass(before) and dataclasses.is_dataclass(now)):
        yield name
        return
    for each in dataclasses.fields(before):
        yield from _changed(f"{name}.{each.name}", getattr(before, each.name), getattr(now, each.name))
