"""Lists `shipper run` among the commands; its own process and its options are in `cli.run`."""

from __future__ import annotations

import click

from shipper.cli.run import DESCRIPTION, main


@click.command(
    "run",
    help=DESCRIPTION,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
def command(context: click.Context) -> int:
    """Hand the arguments on as they are."""
    return main(context.args)
