"""The option `--source NAME`: what the configuration says of the files of that source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipper.config.model import SourceTable
from shipper.config.reader import suggestion

if TYPE_CHECKING:
    from shipper.config.model import Config


def find_source(name: str | None, config: Config | None) -> SourceTable | None:
    """Give a source of the configuration; without a configuration the name is all there is to it.

    Args:
        name: None when no source is named.
        config: None when there is none.

    Raises:
        click.UsageError: there is no such source.
    """
    if name is None:
        return None
    if config is None:
        return SourceTable(name=name, paths=())
    names = [source.name for source in config.source]
    if name not in names:
        known = ", ".join(names) or "none"
        raise click.UsageError(f"--source {name}: there is no such source{suggestion(name, names)} (known: {known})")
    return config.source[names.index(name)]
