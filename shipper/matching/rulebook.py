"""Reads rule files: TOML becomes `Rule`s in their order, or a list of every problem in every file.

Files are taken by path, rules by position. All files are read before anything is said; a file with a syntax error
costs one problem and the others are still checked.
"""

from __future__ import annotations

import dataclasses
import functools
import glob
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.config.load import read_document
from shipper.config.reader import TableReader, suggestion
from shipper.errors import ConfigurationError, Problem
from shipper.matching.captures import optional_captures
from shipper.matching.grok_names import read_names, with_names
from shipper.matching.literals import required_literals
from shipper.matching.pricing import seconds_per_line
from shipper.matching.proving import DEFAULT_NOW, DEFAULT_PATH, Case
from shipper.matching.rule import Rule, RuleTime
from shipper.matching.rule_file import RuleFile, RuleTable
from shipper.matching.templates import BUILT_IN, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shipper.config.locator import KeyPath
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
    files, empty = find_rule_files(config)
    rulebook, problems = load_rules(files, config.source)
    return rulebook, (*empty, *problems)


def find_rule_files(config: Config) -> tuple[list[Path], list[Problem]]:
    """Give the files that `rules` of a configuration names, by path, and a warning for each glob that names none."""
    files: set[Path] = set()
    empty: list[Problem] = []
    for pattern in config.rules:
        where = config.resolve(pattern)
        # only what the user wrote is a glob: the configuration's own directory may hold brackets
        base = config.file.parent if config.file is not None and config.file.parent in where.parents else Path("/")
        found = glob.glob(str(where.relative_to(base)), root_dir=base, recursive=True)
        files.update(base / path for path in found)
        if not found:
            said = f"'rules': {pattern!r} matches no file; no rule comes from it"
            empty.append(Problem(str(config.file or "the configuration"), said, warning=True))
    return sorted(files), empty


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
        here: list[Problem] = []
        for found in _read_rules(document, here):
            if found.id in places:
                said = f"the id is already used at {places[found.id]}; ids are unique over all files"
                here.append(document.problem(("rule", found.number, "id"), said, rule=found.id))
            elif found.id is not None:
                place = document.locator.find(("rule", found.number, "id"))
                places[found.id] = f"{document.file}:{place.line}"
            if found.readable is not None:
                here += _Check(document, found, found.readable, sources).problems()
            if found.whole is not None:
                rules.append(_rule(found.whole, has_time="time" in document.values["rule"][found.number]))
                cases += _cases(document, found.number, found.whole, rules[-1])
        problems += sorted(here, key=lambda problem: (problem.line or 0, problem.column or 0))
    if any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)
    return Rulebook(tuple(rules), tuple(cases), tuple(files)), tuple(problems)


@dataclass(frozen=True, slots=True)
class _Found:
    """One `[[rule]]`: its position, its id if it names one, the whole of it, or what of a faulty one can be judged."""

    number: int
    id: str | None
    whole: RuleTable | None
    readable: RuleTable | None


def _read_rules(document: Document, problems: list[Problem]) -> Iterator[_Found]:
    """Read the rules of a file; problems of single keys are added to the list, each with the rule's id."""
    reader = TableReader(document)
    reader.read(RuleFile, document.values)
    found = document.values.get("rule", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        reader.problems.append(document.problem(("rule",), "rules are written as [[rule]], with two brackets"))
        found = []
    names = read_names(document, reader.problems)
    problems += reader.problems
    for number, written in enumerate(found):
        reader.problems.clear()
        values = with_names(document, number, written, names, reader.problems)
        made = reader.read(RuleTable, values, ("rule", number))
        named = values.get("id")
        identifier = named if isinstance(named, str) and named.strip() else None
        problems += [dataclasses.replace(problem, rule=identifier) for problem in reader.problems]
        yield _Found(number, identifier, made, made or _readable_part(document, number, values))


def _readable_part(document: Document, number: int, values: Mapping[str, object]) -> RuleTable | None:
    """Read a faulty rule without its faulty keys, so that the rest is judged too and all problems are told at once."""
    stand_in: dict[str, object] = {"id": "-", "match": "-", "event": "-"}

    def read(some: dict[str, object]) -> RuleTable | None:
        return TableReader(document).read(RuleTable, some, ("rule", number))

    sound = {key: value for key, value in values.items() if read({**stand_in, key: value}) is not None}
    return read({**stand_in, **sound}) if "match" in sound else None


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

    def __init__(
        self, document: Document, found: _Found, made: RuleTable, sources: Sequence[SourceTable] | None
    ) -> None:
        self._document = document
        self._number = found.number
        self._id = found.id
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
        if made.time.field is not None and made.time.field not in self._captures and not self._has_json():
            close = suggestion(made.time.field, sorted(self._captures))
            said = f"'field' names the capture '{made.time.field}', which 'match' does not have{close}"
            self._report("time.field", said)
        if self._sources is not None:
            for pattern in made.sources:
                if not any(fnmatchcase(source.name, pattern) for source in self._sources):
                    names = [source.name for source in self._sources]
                    said = f"'{pattern}' in 'sources' fits no configured source{suggestion(pattern, names)}"
                    self._report("sources", said, warning=True)
        if made.match.search("") is not None:
            said = "the pattern matches the empty text, so it probably matches every line; ask for something in it"
            self._report("match", said, warning=True)
        elif not required_literals(made.match.pattern):
            price = f"about {seconds_per_line(made.match) * 1e6:.2g} µs each"
            said = f"no text is certain in what it finds, so every line is searched, {price}; ask for a word in it"
            self._report("match", said, warning=True)
        return self._found

    def _check_names(self, key: str, template: Template) -> None:
        numbers = {str(number) for number in range(1, self._made.match.groups + 1)}
        known = self._captures | BUILT_IN | self._field_names() | numbers
        for hole in template.holes:
            if hole.name not in known and not self._has_json():
                close = suggestion(hole.name, sorted(known))
                if not close and self._sources is None:
                    close = "; if it is a field of a source, name the configuration with -c"
                said = f"which is no capture of 'match', no built-in, no field of a source{close}"
                self._report(key, f"'{key}' uses {{{hole.name}}}, {said}")
            elif hole.default is None and hole.name not in BUILT_IN and hole.name in self._absent:
                said = (
                    f"'{key}' uses {{{hole.name}}}, which may take no part in a match and is empty then; "
                    f"give a default, such as {{{hole.name}|unknown}}"
                )
                self._report(key, said, warning=True)

    @functools.cached_property
    def _absent(self) -> frozenset[str]:
        """The captures that may take no part in a match; few templates make it worth the look."""
        return optional_captures(self._made.match.pattern)

    def _has_json(self) -> bool:
        """Tell whether a source of this rule has JSON lines, whose fields may have any name."""
        return any(source.format == "json" for source in self._applies())

    def _applies(self) -> list[SourceTable]:
        """Give the sources of this rule; they are not always at hand."""
        globs = self._made.sources
        return [s for s in self._sources or () if not globs or any(fnmatchcase(s.name, glob) for glob in globs)]

    def _field_names(self) -> set[str]:
        """Give the fields that sources of this rule, and its tests, have."""
        given = [test.fields for test in self._made.test] + [source.fields for source in self._applies()]
        return {name for fields in given for name in fields or {}}

    def _report(self, key: str, message: str, *, warning: bool = False) -> None:
        path: KeyPath = ("rule", self._number, *key.split("."))
        self._found.append(self._document.problem(path, message, rule=self._id, warning=warning))
