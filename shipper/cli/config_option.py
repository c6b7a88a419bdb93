"""The option `-c FILE` of all commands that have it, and how those read it that only ask about the state."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from shipper.cli.terminal import say_problems
from shipper.config.load import Readable, default_file, load_readable

if TYPE_CHECKING:
    from collections.abc import Callable

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


def config_option(
    text: str = "The configuration (default: $SHIPPER_CONFIG, then /etc/shipper/shipper.toml).",
) -> Callable[[Decorated], Decorated]:
    """Give a command the option `-c`; its parameter is called `config_file`."""
    kind = click.Path(path_type=Path)
    return click.option("-c", "--config", "config_file", metavar="FILE", type=kind, help=text)


def read_for_state(config_file: Path | None) -> Readable:
    """Read what a command needs that looks at an agent's state; mistakes in the rest are said and stop nothing.

    Raises:
        ConfigurationError: `state_dir` cannot be known.
    """
    found = load_readable(config_file or default_file())
    say_problems([dataclasses.replace(mistake, warning=True) for mistake in found.mistakes])
    return found
