"""`shipper run` among the commands: its help and its completions. Its own process is started by `cli.run` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipper.cli.config_option import config_option
from shipper.cli.run import DESCRIPTION, EPILOG, main

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem


class RunCommand(click.Command):
    """A command that takes options and nothing else, so that they are what completes an empty word."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Give the options that begin so."""
        return super().shell_complete(ctx, incomplete or "-")


@click.command("run", cls=RunCommand, help="\n\n\b\n".join([DESCRIPTION, *EPILOG.split("\n\n")]))
@config_option()
def command(config_file: Path | None) -> int:
    """Start it as `python -m shipper run` does."""
    return main([] if config_file is None else ["--config", str(config_file)])
