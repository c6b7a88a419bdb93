"""The option `-c FILE` of all commands that have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


def config_option(
    text: str = "The configuration (default: $SHIPPER_CONFIG, then /etc/shipper/shipper.toml).",
) -> Callable[[Decorated], Decorated]:
    """Give a command the option `-c`; its parameter is called `config_file`."""
    kind = click.Path(path_type=Path)
    return click.option("-c", "--config", "config_file", metavar="FILE", type=kind, help=text)
