"""The option `-r RULE_FILE...` of commands that try rules, and the values read for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from shipper.cli.terminal import say_problems
from shipper.config.load import DEFAULT_FILE, default_file, load_config
from shipper.matching.rulebook import load_configured_rules, load_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shipper.config.model import Config
    from shipper.matching.rulebook import Rulebook

Decorated = TypeVar("Decorated", bound="Callable[..., object]")
RULE_OPTIONS = ("-r", "--rules")
DIFF_OPTION = "--diff"
_SUFFIX = ".toml"


class RuleFilesCommand(click.Command):
    """A command whose `-r`, and `--diff`, take all rule files that follow, as the shell expands `-r rules.d/*.toml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each rule file behind the first one its own option, then parse as ever."""
        return super().parse_args(ctx, list(_spread(args)))


def rules_option(text: str) -> Callable[[Decorated], Decorated]:
    """Give a command the option `-r`; its parameter is called `rule_files`."""
    kind = click.Path(path_type=Path)
    return click.option(*RULE_OPTIONS, "rule_files", multiple=True, type=kind, metavar="RULE_FILE...", help=text)


def read_rules(
    rule_files: Sequence[Path], config_file: Path | None, source_name: str | None
) -> tuple[Rulebook, Config | None]:
    """Read the rules that are to be tried, and the configuration if one is named or needed; say their warnings.

    Args:
        rule_files: of `-r`; without any, the configuration names them.
        config_file: of `-c`.
        source_name: of `--source`, which a configuration describes.

    Raises:
        click.UsageError: neither names any rule.
        ConfigurationError: something is wrong with them.
    """
    config = read_config(config_file) if config_file or source_name or not rule_files else None
    if rule_files:
        rulebook, warnings = load_rules(rule_files, config.source if config else None)
    elif config is not None:
        rulebook, warnings = load_configured_rules(config)
    else:
        raise click.UsageError("give rule files with -r, or a configuration that names them with -c")
    say_problems(warnings)
    return rulebook, config


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
    """Put the option before every word that ends in .toml and directly follows a rule file."""
    option, behind = "", False
    for number, word in enumerate(args):
        if word == "--":
            yield from args[number:]
            return
        if word in RULE_OPTIONS or word == DIFF_OPTION:
            option, behind = word, False
        elif option and behind and word.endswith(_SUFFIX) and not word.startswith("-"):
            yield option
        elif option and behind:
            option = ""
        elif option:
            behind = True
        yield word
