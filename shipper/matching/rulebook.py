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
from shipper.matching.redaction import Redaction
from shipper.matching.rule import Rule, RuleTime, Threshold, Throttle
from shipper.matching.rule_file import RuleFile, RuleTable
from shipper.matching.templates import BUILT_IN, SUMMARY, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shipper.config.locator import KeyPath
    from shipper.config.model import Config, SourceTable
    from shipper.config.reader import Document
    from shipper.matching.rule_file import CaseTable


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules of some files.

    Attributes:
        rules: in the order in which they judge a record.
        cases: the tests that they carry.
        documents: the files that they came from.
        places: of each rule its file, and which of the rules in it this is.
        redact: what no line shows, whatever rule matches it, or none; each rule has it too.
    """

    rules: tuple[Rule, ...]
    cases: tuple[Case, ...]
    documents: tuple[Document, ...]
    places: tuple[tuple[Document, int], ...] = ()
    redact: tuple[Redaction, ...] = ()

    def redactions(self) -> tuple[Redaction, ...]:
        """Give all that any rule redacts, for lines that are shown without having been matched."""
        return tuple(dict.fromkeys((*self.redact, *(each for rule in self.rules for each in rule.redact))))


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
    documents: list[Document] = []
    problems: list[Problem] = []
    for file in files:
        try:
            documents.append(read_document(file))
        except ConfigurationError as error:
            problems += error.problems
    try:
        return rules_of(documents, sources, problems)
    except ConfigurationError as error:
        order = [str(file) for file in files]
        raise ConfigurationError(sorted(error.problems, key=lambda problem: order.index(problem.file))) from None


def rules_of(
    documents: Sequence[Document], sources: Sequence[SourceTable] | None = None, unread: Sequence[Problem] = ()
) -> tuple[Rulebook, tuple[Problem, ...]]:
    """Make rules of rule files that are read already; see `load_rules`.

    Args:
        documents: the files, in order.
        sources: those of the configuration, if one is at hand.
        unread: what was wrong with others, to be told together.
    """
    rules: list[Rule] = []
    tests: list[tuple[Document, int, RuleTable]] = []
    for_all: list[Redaction] = []
    problems = list(unread)
    places: dict[str, str] = {}
    for document in documents:
        here: list[Problem] = []
        for_all += _read_redactions(document, here)
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
                tests.append((document, found.number, found.whole))
        problems += sorted(here, key=lambda problem: (problem.line or 0, problem.column or 0))
    if any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)
    whole = tuple(dataclasses.replace(rule, redact=(*rule.redact, *for_all)) for rule in rules)
    cases = [case for rule, test in zip(whole, tests, strict=True) for case in _cases(*test, rule)]
    written = tuple((document, number) for document, number, _ in tests)
    return Rulebook(whole, tuple(cases), tuple(documents), written, tuple(for_all)), tuple(problems)


@dataclass(frozen=True, slots=True)
class _Found:
    """One `[[rule]]`: its position, its id if it names one, the whole of it, or what of a faulty one can be judged."""

    number: int
    id: str | None
    whole: RuleTable | None
    readable: RuleTable | None


def _read_redactions(document: Document, problems: list[Problem]) -> list[Redaction]:
    """Read the top of a file, and give what it redacts for all rules; problems are added to the list."""
    reader = TableReader(document)
    made = reader.read(RuleFile, document.values)
    problems += reader.problems
    return [] if made is None else [Redaction(each.pattern, each.replace) for each in made.redact]


def _read_rules(document: Document, problems: list[Problem]) -> Iterator[_Found]:
    """Read the rules of a file; problems of single keys are added to the list, each with the rule's id."""
    reader = TableReader(document)
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
    often, most = made.threshold, made.throttle
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
        shadow=made.shadow,
        threshold=None if often is None else Threshold(often.count, often.within, often.by, often.max_keys),
        throttle=None if most is None else Throttle(most.max, most.per, most.by, most.max_keys, most.summary),
        redact=tuple(Redaction(each.pattern, each.replace) for each in made.redact),
    )


def _cases(document: Document, number: int, made: RuleTable, rule: Rule) -> Iterator[Case]:
    for place, test in enumerate(made.test):
        yield Case(
            rule=rule,
            file=document.file,
            line_number=document.locator.find(("rule", number, "test", place)).line,
            lines=(test.line,) if test.line is not None else test.lines or (),
            is_sequence=test.lines is not None,
            expected=test.expect if isinstance(test.expect, tuple) else (test.expect,),
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
        self._check_limits()
        for place, test in enumerate(made.test):
            self._check_case(place, test)
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

    def _check_limits(self) -> None:
        often, most = self._made.threshold, self._made.throttle
        for name in () if often is None else often.by:
            self._check_by("threshold.by", name)
        for name in () if most is None else most.by:
            self._check_by("throttle.by", name)
        if most is not None:
            self._check_names("throttle.summary", most.summary, SUMMARY)

    def _check_by(self, key: str, name: str) -> None:
        known = self._captures | BUILT_IN | self._field_names() | self._numbers
        if name not in known and not self._has_json():
            said = "which is no capture of 'match', no built-in, no field of a source"
            self._report(key, f"'by' names '{name}', {said}{suggestion(name, sorted(known))}")

    def _check_case(self, place: int, test: CaseTable) -> None:
        case = ("test", place)
        if (test.line is None) == (test.lines is None):
            said = "a test has either 'line' or 'lines'" if test.lines else "the key 'line' is missing, or 'lines'"
            self._report(case, said)
        elif test.lines is not None and not isinstance(test.expect, tuple):
            self._report(case, "'expect' of 'lines' is an array, with a table for each event: [{ event = ... }]")
        elif test.lines is None and isinstance(test.expect, tuple) and test.expect:
            self._report(case, "'expect' of one 'line' is a table; an array belongs to 'lines'")

    @functools.cached_property
    def _numbers(self) -> set[str]:
        return {str(number) for number in range(1, self._made.match.groups + 1)}

    def _check_names(self, key: str, template: Template, further: frozenset[str] = frozenset()) -> None:
        known = self._captures | BUILT_IN | self._field_names() | self._numbers | further
        for hole in template.holes:
            if hole.name not in known and not self._has_json():
                close = suggestion(hole.name, sorted(known))
                if not close and self._sources is None:
                    close = "; if it is a field of a source, name the configuration with -c"
                said = f"which is no capture of 'match', no built-in, no field of a source{close}"
                self._report(key, f"'{key.rpartition('.')[2]}' uses {{{hole.name}}}, {said}")
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

    def _report(self, key: str | KeyPath, message: str, *, warning: bool = False) -> None:
        """Note a problem at a key of the rule, such as "time.field"."""
        path: KeyPath = ("rule", self._number, *(key.split(".") if isinstance(key, str) else key))
        self._found.append(self._document.problem(path, message, rule=self._id, warning=warning))
