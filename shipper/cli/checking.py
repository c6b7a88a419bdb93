"""What `shipper check` finds: all that is wrong with a configuration, its rules, and what they meet on this host."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.cli.host_checks import host_problems
from shipper.cli.terminal import counted
from shipper.config.load import default_file, load_config, read_document
from shipper.config.model import Config, SourceTable
from shipper.config.reader import Document, TableReader, parse_document
from shipper.errors import ConfigurationError, Problem
from shipper.matching.advice import advise, unused_sources
from shipper.matching.rulebook import Rulebook, find_rule_files, load_rules
from shipper.tailing.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shipper.events import FileIdentity

_MOST_BROKEN_LINES = 8


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration and its rules, looked at.

    Attributes:
        config: None when it is broken, or none was asked for.
        rulebook: empty when the rules are broken.
        files: the rule files.
        problems: all that was found, errors and warnings.
    """

    config: Config | None
    rulebook: Rulebook
    files: Sequence[Path]
    problems: Sequence[Problem]

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(not problem.warning for problem in self.problems)


def examine(rule_files: Sequence[Path], config_file: Path | None) -> Checked:
    """Look at rule files alone, or at a configuration and all of its rules.

    Args:
        rule_files: without any, the configuration names them.
        config_file: None takes the default one, if there are no rule files.
    """
    config: Config | None = None
    readable: Config | None = None
    problems: list[Problem] = []
    files = list(rule_files)
    if not rule_files or config_file is not None:
        chosen = config_file or default_file()
        try:
            config, warnings = load_config(chosen)
            problems += warnings
            readable = config
        except ConfigurationError as error:
            problems += map(_with_advice, error.problems)
            readable = _readable_part(chosen)
        if not rule_files and readable is not None:
            files, empty = find_rule_files(readable)
            # of a configuration that is broken, the line that says where the rules are may be the broken one
            problems += empty if config is not None else ()
    rulebook = Rulebook((), (), ())
    try:
        rulebook, warnings = load_rules(files, readable.source if readable else None)
        problems += warnings
    except ConfigurationError as error:
        problems += error.problems
    problems += advise(rulebook, readable.source if readable else None)
    if config is not None:
        problems += _idle_sources(config, rulebook)
        problems += host_problems(config, rulebook)
        problems += _shared_files(config)
    return Checked(config, rulebook, files, problems)


def _with_advice(problem: Problem) -> Problem:
    if problem.variable is None:
        return problem
    said = "; where only the agent has it, check there: `systemctl reload shipper` does, before it changes anything"
    return dataclasses.replace(problem, message=problem.message + said)


def _readable_part(file: Path) -> Config | None:
    """Give what rules need of a configuration that cannot be used: where they are, and the sources' names and fields.

    So the rules' problems are said at once with its own, and none is said that is only a mistake of the configuration.
    """
    document = _readable_document(file)
    if document is None:
        return None
    reader = TableReader(document, os.environ)
    rules = {"rules": document.values["rules"]} if "rules" in document.values else {}
    made = reader.read(Config, rules) or Config(rules=())
    tables = document.values.get("source", [])
    tables = [each for each in tables if isinstance(each, dict)] if isinstance(tables, list) else []
    sources: list[SourceTable] = []
    for values in tables:
        stand_in = SourceTable(name="-", paths=("/",))
        source = reader.read(SourceTable, {"name": values.get("name"), "paths": ["/"]}) or stand_in
        fields = values.get("fields")
        # the names are what templates use; the values are not looked at here
        known = dict.fromkeys(fields, "") if isinstance(fields, dict) else {}
        sources.append(dataclasses.replace(source, fields=known))
    return dataclasses.replace(made, source=tuple(sources), file=file.absolute())


def _readable_document(file: Path) -> Document | None:
    """Parse a file without its few lines that are no TOML, such as a key given twice; None when that does not help."""
    try:
        lines = file.read_bytes().decode("utf-8").removeprefix("\ufeff").split("\n")
    except (OSError, UnicodeDecodeError):
        return None  # load_config has said why
    for _ in range(_MOST_BROKEN_LINES):
        found = parse_document(str(file), "\n".join(lines))
        if isinstance(found, Document):
            return found
        if found.line is None or not lines[found.line - 1].strip():
            return None
        lines[found.line - 1] = ""
    return None


def _shared_files(config: Config) -> Iterator[Problem]:
    """Warn of files that two sources match and want read in different ways: the first source's way counts for both."""
    if config.file is None:
        return
    document = read_document(config.file)
    owners: dict[FileIdentity, SourceTable] = {}
    for number, source in enumerate(config.source):
        shared: dict[str, list[str]] = {}
        for found in discover(source.paths, source.exclude).files.values():
            owner = owners.setdefault(found.identity, source)
            if owner is not source and _way(owner) != _way(source):
                shared.setdefault(owner.name, []).append(found.path)
        for owner_name, paths in shared.items():
            more = f" and {counted(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
            said = (
                f"source '{source.name}': {paths[0]}{more}: matched by source '{owner_name}', too, which comes first: "
                "its encoding, format, multiline and limits hold for both; make them the same, or exclude it from one"
            )
            yield document.problem(("source", number, "paths"), said, warning=True)


def _idle_sources(config: Config, rulebook: Rulebook) -> Iterator[Problem]:
    """Warn of sources whose lines no rule judges."""
    if config.file is None or not rulebook.rules:
        return
    document = read_document(config.file)
    for number in unused_sources(rulebook, config.source):
        said = f"source '{config.source[number].name}': no rule applies to it, so its lines are read for nothing"
        yield document.problem(("source", number, "name"), said, warning=True)


def _way(source: SourceTable) -> tuple[object, ...]:
    return source.encoding, source.format, source.multiline, source.max_line_bytes, source.partial_timeout
