"""A configuration that is there already, when `shipper init` is asked for one: what it covers of this host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.config.load import load_config, read_document
from shipper.errors import ConfigurationError
from shipper.matching.rulebook import find_rule_files
from shipper.tailing.discovery import discover
from shipper.tailing.globs import name_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shipper.cli.proposing.fitting_packs import Pack
    from shipper.cli.proposing.host_logs import HostLog


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there.

    Attributes:
        source_names: of its sources.
        covered: paths, links resolved, of the logs that its sources read, or leave out on purpose.
        rule_ids: of its rules.
        is_broken: whether it could not be read, so that nobody knows what it covers.
    """

    source_names: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()
    rule_ids: frozenset[str] = frozenset()
    is_broken: bool = False

    def covers(self, log: HostLog) -> bool:
        """Tell whether a log is read already."""
        return os.path.realpath(log.path) in self.covered

    def has(self, pack: Pack) -> bool:
        """Tell whether the rules of a pack are there already, be it in a file of another name."""
        return not self.rule_ids.isdisjoint(pack.rules)


def read_existing(file: Path) -> Existing:
    """Look at a configuration and its rules; broken rule files count as far as they can be read."""
    try:
        config, _ = load_config(file)
    except ConfigurationError:
        return Existing(is_broken=True)
    covered = {
        os.path.realpath(path)
        for source in config.source
        # what it excludes is known to it, too
        for path in discover(source.paths, ()).files
    }
    files, _ = find_rule_files(config)
    return Existing(frozenset(source.name for source in config.source), frozenset(covered), rule_ids(files))


def rule_ids(files: Iterable[Path]) -> frozenset[str]:
    """Give the ids of all rules in some files, as far as these can be read."""
    found: set[str] = set()
    for file in files:
        try:
            rules = read_document(file).values.get("rule", [])
        except ConfigurationError:
            continue
        if isinstance(rules, list):
            found |= {rule["id"] for rule in rules if isinstance(rule, dict) and isinstance(rule.get("id"), str)}
    return frozenset(found)


def rule_files_in(directory: Path) -> list[Path]:
    """Give the rule files of a directory, which may not be there."""
    wanted = name_pattern("*.toml")
    try:
        return sorted(file for file in directory.iterdir() if wanted.match(file.name) and file.is_file())
    except OSError:
        return []
