"""The rule files of a running agent: looked at, read, proven by their own tests, and only then in force.

A set of rules that is broken, or of which a test fails, changes nothing: the one that is in force stays, also over a
start, for its text is kept in the state directory (spec, section 4 "Reload").
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.agent.clock import HOST_CLOCK
from shipper.agent.last_good import LastGood
from shipper.agent.trouble import Trouble
from shipper.errors import ConfigurationError, Problem, in_brief
from shipper.matching.proving import prove
from shipper.matching.rulebook import find_rule_files, load_configured_rules, rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shipper.config.model import Config
    from shipper.matching.proving import Outcome
    from shipper.matching.rulebook import Rulebook

_MOST_CHARACTERS = 200
LOOK_EVERY = 10
"""Of so many glances one is a look at all places where globs lead."""


class RuleFiles:
    """Belongs to one agent. Not safe for use by two threads.

    Attributes:
        trouble: why, and since when, what the files say is not in force; None when it is.
        since: since when the rules are those that are in force, aware.
    """

    def __init__(self, directory: Path) -> None:
        """Remember the state directory."""
        self.trouble: Trouble | None = None
        self.since = HOST_CLOCK.now()
        self._last_good = LastGood(directory)
        self._kept: list[tuple[str, str]] = []
        self._seen: list[tuple[Path, object]] | None = None
        self._judged: object = None
        self._glance: list[tuple[Path, object]] = []
        self._glances = 0

    def begin(self, config: Config) -> Rulebook:
        """Read the rules for a start; if they are not fit, those that were last in force.

        Raises:
            ConfigurationError: they are broken, and there are no others.
        """
        rulebook, problems, warnings = self._read(config)
        for warning in warnings:
            telemetry.configuration_warning(str(warning))
        if rulebook is not None and not problems:
            return rulebook
        # rules that compile are better than none
        used = self._before(config) or rulebook
        if used is None:
            raise ConfigurationError(problems)
        self._refuse(
            problems, "for want of others they are all the same" if used is rulebook else "the last good rules are"
        )
        return used

    def reread(self, config: Config) -> Rulebook | Trouble:
        """Read the rules again; gives why they are not fit when they are not, which is told."""
        rulebook, problems, _ = self._read(config)
        if rulebook is not None and self._kept and not rulebook.documents:
            problems = [Problem(str(config.file or "the configuration"), "no rule file is there any more")]
        if rulebook is None or problems:
            return self._refuse(problems, "the last good rules are")
        self.trouble, self.since = None, HOST_CLOCK.now()
        self.keep(rulebook)
        return rulebook

    def keep(self, rulebook: Rulebook) -> None:
        """Keep the text of rules that are fit and in force, for a later start; the state directory must be locked."""
        texts = [(document.file, document.text) for document in rulebook.documents]
        if self.trouble is not None or texts == self._kept:
            return
        self._kept = texts
        try:
            self._last_good.keep(rulebook.documents)
        except OSError as error:
            telemetry.rules_not_kept(error.strerror or str(error))

    def have_changed(self, config: Config) -> bool:
        """Look at the files; tells whether they changed, though not since the last look: an editor writes in steps.

        To look where globs lead costs an idle agent more than all else that it does, so mostly the files and their
        directories are glanced at, which tell of all changes but those in directories that a glob names.
        """
        self._glances += 1
        is_quiet = self._seen == self._judged and self._glances % LOOK_EVERY
        if is_quiet and all(_stamp(path) == stamp for path, stamp in self._glance):
            return False
        seen = self._seen
        return self._look(config) == seen and seen != self._judged

    def _look(self, config: Config) -> list[tuple[Path, object]]:
        """Give what differs when a rule file was written, came, went, or is another one under the same name."""
        files, _ = find_rule_files(config)
        self._seen = [(path, _stamp(path)) for path in files]
        directories = {path.parent for path in (*files, *map(config.resolve, config.rules))}
        self._glance = [(path, _stamp(path)) for path in sorted(directories.union(files))]
        return self._seen

    def _read(self, config: Config) -> tuple[Rulebook | None, Sequence[Problem], Sequence[Problem]]:
        """Read the files and run the rules' tests; gives the rules if they compile, what is wrong, and warnings."""
        self._judged = self._look(config)
        try:
            rulebook, warnings = load_configured_rules(config)
        except ConfigurationError as error:
            return None, error.problems, ()
        return rulebook, _failures(rulebook), warnings

    def _refuse(self, problems: Sequence[Problem], in_force: str) -> Trouble:
        for problem in problems:
            if not problem.warning:
                telemetry.rules_refused(str(problem), in_force)
        said = f"the rule files are not fit, {in_force} in force: {in_brief(problems)}"
        self.trouble = trouble = Trouble(said, HOST_CLOCK.now())
        return trouble

    def _before(self, config: Config) -> Rulebook | None:
        documents = self._last_good.read()
        if documents is None:
            return None
        try:
            return rules_of(documents, config.source)[0]
        except ConfigurationError:
            # the sources are others now
            return None


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _failures(rulebook: Rulebook) -> list[Problem]:
    """Run the rules' own tests; gives a problem for each that fails."""
    return [_failure(outcome) for outcome in prove(rulebook.cases) if not outcome.passed]


def _failure(outcome: Outcome) -> Problem:
    case, first = outcome.case, outcome.differences[0]
    said = f"its own test fails: {first.key} should be {_short(first.expected)}, and is {_short(first.got)}"
    return Problem(case.file, said, case.line_number, rule=case.rule.id)


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…")
