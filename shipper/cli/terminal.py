"""What people see: data on stdout, talk on stderr, colour and bars only on a terminal, `NO_COLOR` obeyed."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from shipper.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.errors import Problem


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Say that the reader has gone; rich itself would end the thread that prints."""
        raise BrokenPipeError


@functools.cache
def talk() -> Console:
    """Give the console on stderr."""
    return _Console(stderr=True, highlight=False, soft_wrap=True)


@functools.cache
def data() -> Console:
    """Give the console on stdout."""
    return _Console(highlight=False, soft_wrap=True)


def give_up_stdout() -> None:
    """See to it that what stdout still holds is not written when Python ends, either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def safe(text: str) -> str:
    """Make text from a log or a file harmless to a terminal, keeping its newlines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def one_line(text: str, most: int | None = None) -> str:
    """Give text on one line, its newlines as ⏎, and no more of it than so many characters."""
    line = text.replace("\n", "⏎")
    return line if most is None or len(line) <= most else line[:most] + "…"


def counted(number: int, noun: str) -> str:
    """Give a number and what there are so many of."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def say(message: str, style: str = "") -> None:
    """Say something to the person, on stderr."""
    talk().print(Text(safe(message), style=style))


def say_error(message: str) -> None:
    """Say an error, on stderr; every line of the message is one."""
    for line in message.split("\n"):
        talk().print(Text("error: ", style="bold red") + Text(safe(line)))


def say_problems(problems: Sequence[Problem]) -> None:
    """Say problems of configuration and rules, on stderr, each with its place."""
    for problem in problems:
        style = "yellow" if problem.warning else "red"
        talk().print(Text("" if problem.warning else "error: ", style=f"bold {style}") + Text(safe(str(problem))))
