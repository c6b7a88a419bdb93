"""The command `shipper`: finds the command's file, runs it, and turns errors into messages and exit codes.

Exit codes (spec, section 2): 0 done; 1 the work failed or found problems; 2 usage, configuration or rule error;
130 and 143 ended by SIGINT and SIGTERM.
"""

from __future__ import annotations

import errno
import importlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from shipper.cli.terminal import give_up_stdout, say, say_error, say_problems
from shipper.errors import ConfigurationError, RefusedError, ShipperError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "shipper.cli.run_command:command",
    "check": "shipper.cli.check:command",
    "test": "shipper.cli.test:command",
    "explain": "shipper.cli.explain:command",
    "match": "shipper.cli.match:command",
    "backfill": "shipper.cli.backfill:command",
    "status": "shipper.cli.status:command",
    "tap": "shipper.cli.tap:command",
    "offsets": "shipper.cli.offsets:command",
    "dead-letters": "shipper.cli.dead_letters:command",
    "put-event": "shipper.cli.put_event:command",
    "support-bundle": "shipper.cli.support_bundle:command",
    "emulator": "shipper.cli.emulator:command",
    "init": "shipper.cli.init:command",
    "demo": "shipper.cli.demo:command",
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is used, so that each starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Give the names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a mistyped one is answered with the closest name."""
        from shipper.config.reader import suggestion

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no such command '{args[0]}'{suggestion(args[0], list(COMMANDS))}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_SHIPPER_COMPLETE=bash_source shipper)" (or zsh_source, fish_source).',
)
@click.version_option(version("cloudmonitor-shipper"), prog_name="shipper")
def shipper() -> None:
    """Turn log lines into Alibaba Cloud CloudMonitor events, and lose none.

    \b
    Try it without an account or a configuration:
      shipper demo
    See what rules would make of a log:
      shipper match -r rules.d/app.toml /var/log/app/app.log
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code."""
    try:
        code = shipper.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # the reader of our output has enough (`| head`)
        give_up_stdout()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        give_up_stdout()
        say_error(f"the output cannot be written: {error.strerror}")
        return 1
    except ConfigurationError as error:
        say_problems(error.problems)
        return error.exit_code
    except ShipperError as error:
        say_error(str(error))
        if isinstance(error, RefusedError) and error.action:
            say(f"what to do: {error.action}")
        return error.exit_code
    return code if isinstance(code, int) else 0
