"""Reads rule files: TOML becomes `Rule`s in their order, or a list of every problem in every file.

Files are taken by path, rules by position. All files are read before anything is said; a file with a syntax error
costs one problem and the others are still checked.
"""

from __future__ import annotations

import dataclasses
import glob
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.config.load import read_document
from shipper.config.reader import TableReader, suggestion
from shipper.errors import ConfigurationError, Problem
from shipper.matching.captures import optional_captures
from shipper.matching.proving import DEFAULT_NOW, DEFAULT_PATH, Case
from shipper.matching.rule import Rule, RuleTime
from shipper.matching.rule_file import RuleFile, RuleTable
from shipper.matching.templates import BUILT_IN, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.config.model import Config, SourceTable
    from shipper.config.reader import Document


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules of some files.

    Attributes:
        rules: in the order in which they judge a record.
        cases: the tests that they carry.
        files: where they came from.
    """

    rules: tuple[Rule, ...]
    cases: tuple[Case, ...]
    files: tuple[Path, ...]


def load_configured_rules(config: Config) -> tuple[Rulebook, tuple[Problem, ...]]:
    """Read the rule files of a configuration; see `load_rules`."""
    files: set[Path] = set()
    empty: list[Problem] = []
    for pattern in config.rules:
        found = glob.glob(str(config.resolve(pattern)), recursive=True)
        files.update(Path(path) for path in found)
        if not found:
            said = f"'rules': {pattern!r} matches no file; no rule comes from it"
            empty.append(Problem(str(config.file or "the configuration"), said, warning=True))
    rulebook, problems = load_rules(sorted(files), config.source)
    return rulebook, (*empty, *problems)


def load_rules(
    files: Sequence[Path], sources: Sequence[SourceTable] | None = None
) -> tuple[Rulebook, tuple[Problem, ...]]:
    """Read rule files.

    Args:
        files: in the order in which their rules judge.
        sources: those of the configuration, whose names and fields rules may use; None when there is none at hand.

    Returns:
        The rules, and warnings about them.

    Raises:
        ConfigurationError: with every problem of every file.
    """
    rules: list[Rule] = []
    cases: list[Case] = []
    problems: list[Problem] = []
    places: dict[str, str] = {}
    for file in files:
        try:
            document = read_document(file)
        except ConfigurationError as error:
            problems += error.problems
            continue
        for number, made in _read_rules(document, problems):
            place = document.problem(("rule", number, "id"), "", rule=made.id)
            if made.id in places:
                said = f"the id is already used at {places[made.id]}; ids are unique over all files"
                problems.append(dataclasses.replace(place, message=said))
                continue
            places[made.id] = f"{place.file}:{place.line}"
            problems += _Check(document, number, made, sources).problems()
            rules.append(_rule(made, has_time="time" in document.values["rule"][number]))
            cases += _cases(document, number, made, rules[-1])
    if any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)
    return Rulebook(tuple(rules), tuple(cases), tuple(files)), tuple(problems)


def _read_rules(document: Document, problems: list[Problem]) -> Iterator[tuple[int, RuleTable]]:
    """Read the rules of a file that can be read; problems are added to the list, each with the rule's id."""
    reader = TableReader(document)
    reader.read(RuleFile, document.values)
    found = document.values.get("rule", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        reader.problems.append(document.problem(("rule",), "rules are written as [[rule]], with two brackets"))
        found = []
    problems += reader.problems
    for number, values in enumerate(found):
        reader.problems.clear()
        made = reader.read(RuleTable, values, ("rule", number))
        identifier = values.get("id")
        problems += [
            dataclasses.replace(problem, rule=identifier if isinstance(identifier, str) else None)
            for problem in reader.problems
        ]
        if made is not None:
            yield number, made


def _rule(made: RuleTable, *, has_time: bool) -> Rule:
    return Rule(
        id=made.id,
        match=made.match,
        ignore=made.ignore,
        event=made.event,
        content=made.content,
        group_id=made.group_id,
        sources=made.sources,
        final=made.final,
        time=RuleTime(made.time.format, made.time.field, made.time.zone) if has_time else None,
        timeout=made.match_timeout,
    )


def _cases(document: Document, number: int, made: RuleTable, rule: Rule) -> Iterator[Case]:
    for place, test in enumerate(made.test):
        yield Case(
            rule=rule,
            file=document.file,
            line_number=document.locator.find(("rule", number, "test", place)).line,
            line=test.line,
            expectation=test.expect,
            path=test.path or DEFAULT_PATH,
            source=test.source or "test",
            fields=test.fields or {},
            now=test.now or DEFAULT_NOW,
        )


class _Check:
    """What can only be judged with the whole rule in view: names in templates, sources, what a pattern matches."""

    def __init__(self, document: Document, number: int, made: RuleTable, sources: Sequence[SourceTable] | None) -> None:
        self._document = document
        self._number = number
        self._made = made
        self._sources = sources
        self._captures = set(made.match.groupindex)
        self._found: list[Problem] = []

    def problems(self) -> list[Problem]:
        """Give everything that is wrong or deserves a look."""
        made = self._made
        for name in sorted(self._captures & BUILT_IN):
            self._report("match", f"the capture '{name}' has the name of a built-in of templates; give it another")
        for key, template in (("event", made.event), ("content", made.content), ("group_id", made.group_id)):
            if isinstance(template, Template):
                self._check_names(key, template)
        if made.time.field is not None and made.time.field not in self._captures:
            close = suggestion(made.time.field, sorted(self._captures))
            self._report("time", f"'field' names the capture '{made.time.field}', which 'match' does not have{close}")
        if self._sources is not None:
            for pattern in made.sources:
                if not any(fnmatchcase(source.name, pattern) for source in self._sources):
                    names = [source.name for source in self._sources]
                    said = f"'{pattern}' in 'sources' fits no configured source{suggestion(pattern, names)}"
                    self._report("sources", said, warning=True)
        if made.match.search("") is not None:
            self._report("match", "the pattern matches the empty text, so it matches every line", warning=True)
        return self._found

    def _check_names(self, key: str, template: Template) -> None:
        fields = self._field_names()
        numbers = {str(number) for number in range(1, self._made.match.groups + 1)}
        known = self._captures | BUILT_IN | (fields or set()) | numbers
        absent = optional_captures(self._made.match.pattern)
        for hole in template.holes:
            if hole.name not in known:
                said = (
                    f"'{key}' uses {{{hole.name}}}, which is no capture of 'match', no built-in, no field of a source"
                    f"{suggestion(hole.name, sorted(known))}"
                )
                self._report(key, said, warning=fields is None)
            elif hole.name in absent and hole.default is None:
                said = (
                    f"'{key}' uses {{{hole.name}}}, which may take no part in a match and is empty then; "
                    f"give a default, such as {{{hole.name}|unknown}}"
                )
                self._report(key, said, warning=True)

    def _field_names(self) -> set[str] | None:
        """Give the fields that sources of this rule, and its tests, have; None when no configuration is at hand."""
        tested = {name for test in self._made.test for name in test.fields or {}}
        if self._sources is None:
            return tested or None
        applies = [
            source
            for source in self._sources
            if not self._made.sources or any(fnmatchcase(source.name, glob) for glob in self._made.sources)
        ]
        return tested | {name for source in applies for name in source.fields or {}}

    def _report(self, key: str, message: str, *, warning: bool = False) -> None:
        path = ("rule", self._number, key)
        self._found.append(self._document.problem(path, message, rule=self._made.id, warning=warning))
