"""`python -m shipper` and the command `shipper`. The agent's own process is started without any terminal library."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:
        # before a command has said what an interrupt means to it
        return 130


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        from shipper.cli.run import main as run

        return run(arguments[1:])
    from shipper.cli.app import main as command

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
