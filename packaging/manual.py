"""Writes the manual page: `python packaging/manual.py > shipper.1`, with a Python that has the program.

Commands and options are those of the program itself; exit codes, environment and files those of docs/command-line.md.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipper.cli.app import shipper

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent / "docs/command-line.md"
DESCRIPTION = (
    """Shipper follows log files, matches each line against rules kept in TOML files, and reports what matches as custom
events of Alibaba Cloud CloudMonitor. Offsets and events are committed together, and an event leaves the store only when
the service has acknowledged it.""",
    """The agent is **shipper run**. The other commands ask it, try rules, or work on logs and events by hand; each says
below whether it sends anything.""",
)
EXAMPLES = (
    ("Say what is wrong with configuration and rules, and walk the way to the service:", "shipper check --online"),
    ("See which events rules would make of a log:", "shipper match -r rules.d/app.toml /var/log/app/app.log"),
    ("Say how the agent is, and why each file is or is not read:", "shipper status"),
    ("Ship what matches in older logs:", "shipper backfill --since 7d /var/log/app/"),
)  # fmt: skip
SEE_ALSO = "**systemctl**(1), **journalctl**(1), **systemd.exec**(5), **logrotate**(8)"
_SPECIAL = {
    "\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq",
}  # fmt: skip
"""What a formatter would draw as a typographic sign, so that a copied command would be another one."""


def page(of_version: str, date: str) -> str:
    """Give the whole page, in the language of man(7)."""
    return "\n".join(_lines(of_version, date)) + "\n"


def _lines(of_version: str, date: str) -> Iterator[str]:
    yield f'.TH SHIPPER 1 "{date}" "shipper {escaped(of_version)}" "User Commands"'
    # no word is broken or stretched: names and paths are to be found and copied
    yield from (".nh", ".ad l", ".SH NAME", "shipper \\- log lines to Alibaba Cloud CloudMonitor events")
    yield from (".SH SYNOPSIS", marked("**shipper** [**--help** | **--version**] *COMMAND* [*OPTIONS*] [*ARGUMENTS*]"))
    yield from (".SH DESCRIPTION", marked(DESCRIPTION[0]), ".PP", marked(DESCRIPTION[1]))
    yield ".SH COMMANDS"
    top = click.Context(shipper, info_name="shipper", **shipper.context_settings)
    for name in shipper.list_commands(top):
        yield from _command(shipper, name, top)
    yield from (".SH EXIT STATUS", *_table("Exit codes"))
    yield from (".SH ENVIRONMENT", *_table("Environment"))
    yield from (".SH FILES", *_table("Files"))
    yield ".SH EXAMPLES"
    for number, (said, example) in enumerate(EXAMPLES):
        yield from (*([".PP"] if number else []), plain(said), *_as_it_stands(example))
    yield from (".SH SEE ALSO", marked(SEE_ALSO))


def _command(group: click.Group, name: str, above: click.Context) -> Iterator[str]:
    command = group.get_command(above, name)
    if command is None:
        raise SystemExit(f"{name} is listed and not there")
    context = click.Context(command, above, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield f'.SS "{escaped(context.command_path.removeprefix("shipper "))}"'
    yield from (".B " + escaped(" ".join(usage.split())), *_help(command))
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            yield from (".TP", marked(re.sub(r"(?<![\w-])--?[a-z][a-z-]*", r"**\g<0>**", record[0])), plain(record[1]))
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from _command(command, each, context)


def _help(command: click.Command) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        # \b is click's mark for what must not be filled; its first line may be a heading
        if not paragraph.startswith("\b"):
            yield from (".br" if number == 0 else ".PP", plain(" ".join(paragraph.split())))
            continue
        for indented, lines in itertools.groupby(paragraph.splitlines()[1:], lambda line: line.startswith(" ")):
            if indented:
                yield from _as_it_stands(*(line.removeprefix("  ") for line in lines))
            else:
                yield from (".PP", plain(" ".join(lines)))


def _table(heading: str) -> Iterator[str]:
    """Give the rows of a table in the documentation, each as a term and what it means."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if re.match(r"\| (?!---|code \||variable \||file \|)", line):
            term, meaning = (cell.strip() for cell in line.strip("|").split(" | "))
            yield from (".TP", rf"\fB{plain(term.replace('`', ''))}\fP", _of_markdown(meaning))


def _of_markdown(text: str) -> str:
    without_links = re.sub(r" ?\(\[[^]]*\]\([^)]*\)\)|\[([^]]*)\]\([^)]*\)", lambda found: found[1] or "", text)
    return marked(re.sub(r"`([^`]*)`", r"**\1**", without_links))


def _as_it_stands(*lines: str) -> tuple[str, ...]:
    return (".RS 4", ".nf", *map(plain, lines), ".fi", ".RE")


def marked(text: str) -> str:
    """Give a text in which `**bold**` and `*italic*` are marked."""
    parts = re.split(r"(\*\*.+?\*\*|\*[A-Z]+\*)", text)
    shown = "".join(
        rf"\fB{escaped(part[2:-2])}\fP" if part.startswith("**") else
        rf"\fI{escaped(part[1:-1])}\fP" if part.startswith("*") and len(part) > 1 else escaped(part)
        for part in parts
    )  # fmt: skip
    return _not_a_request(shown)


def plain(text: str) -> str:
    """Give a line that says just this."""
    return _not_a_request(escaped(text))


def escaped(text: str) -> str:
    """Give a text that is shown, and copied, as it stands here."""
    return "".join(_SPECIAL.get(sign) or (sign if sign.isascii() else f"\\[u{ord(sign):04X}]") for sign in text)


def _not_a_request(line: str) -> str:
    # a line that begins with a dot or an apostrophe would be a request
    return rf"\&{line}" if line.startswith((".", "'")) else line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default=version("cloudmonitor-shipper"), help="what the page says it is of")
    parser.add_argument("--date", default="", help="the day of the last change")
    options = parser.parse_args()
    sys.stdout.write(page(options.version, options.date))
