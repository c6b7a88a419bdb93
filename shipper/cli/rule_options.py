"""The option `-r RULE_FILE...` of commands that try rules, and the values read for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from shipper.cli.terminal import say_problems
from shipper.config.load import DEFAULT_FILE, default_file, load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shipper.config.model import Config

Decorated = TypeVar("Decorated", bound="Callable[..., object]")
RULE_OPTIONS = ("-r", "--rules")
_SUFFIX = ".toml"


class RuleFilesCommand(click.Command):
    """A command whose `-r` takes all rule files that follow it, as the shell expands `-r rules.d/*.toml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each rule file behind the first one its own `-r`, then parse as ever."""
        return super().parse_args(ctx, list(_spread(args)))


def rules_option(text: str) -> Callable[[Decorated], Decorated]:
    """Give a command the option `-r`; its parameter is called `rule_files`."""
    kind = click.Path(path_type=Path)
    return click.option(*RULE_OPTIONS, "rule_files", multiple=True, type=kind, metavar="RULE_FILE...", help=text)


def read_config(file: Path | None) -> Config | None:
    """Read the configuration and say its warnings.

    Args:
        file: the one that was named; None takes `$SHIPPER_CONFIG`, then the default place, where it may be missing.

    Raises:
        ConfigurationError: it is wrong, or not where it was said to be.
    """
    chosen = file or default_file()
    if file is None and chosen == DEFAULT_FILE and not chosen.exists():
        return None
    config, warnings = load_config(chosen)
    say_problems(warnings)
    return config


def _spread(args: Sequence[str]) -> Iterator[str]:
    """Put `-r` before every word that ends in .toml and directly follows a rule file."""
    option, behind = "", False
    for number, word in enumerate(args):
        if word == "--":
            yield from args[number:]
            return
        if word in RULE_OPTIONS:
            option, behind = word, False
        elif option and behind and word.endswith(_SUFFIX) and not word.startswith("-"):
            yield option
        elif option and behind:
            option = ""
        elif option:
            behind = True
        yield word
