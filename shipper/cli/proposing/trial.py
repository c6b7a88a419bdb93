"""Whether new files would pass `shipper check` and `shipper test`, found out before any of them is written."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.cli.checking import examine
from shipper.cli.terminal import counted
from shipper.errors import Problem, ShipperError
from shipper.matching.proving import prove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shipper.cli.checking import Checked


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        problems: what `shipper check` would say, and a problem for each test that fails.
        checked: what was looked at.
    """

    problems: Sequence[Problem]
    checked: Checked

    @property
    def passed(self) -> bool:
        """Whether there is no error."""
        return all(problem.warning for problem in self.problems)

    def counts(self) -> str:
        """Say how much was looked at."""
        config, rulebook = self.checked.config, self.checked.rulebook
        warnings = len(self.problems)
        counts = [
            counted(len(config.source) if config else 0, "source"),
            counted(len(rulebook.rules), "rule"),
            counted(len(rulebook.cases), "test"),
        ]
        return ", ".join(counts) + (f"; {counted(warnings, 'warning')} of `shipper check`" if warnings else "")


def try_out(directory: Path, files: Mapping[Path, str], there: Sequence[Path]) -> Trial:
    """Check files that are to be written.

    Args:
        directory: where they are to be.
        files: their texts.
        there: rule files that are in `rules.d` already, and will be read with them.

    Raises:
        ShipperError: there is no room for a trial.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="shipper-init-") as name:
            scratch = Path(name)
            (scratch / "rules.d").mkdir()
            for file, text in files.items():
                (scratch / file.relative_to(directory)).write_text(text, encoding="utf-8")
            for file in there:
                shutil.copyfile(file, scratch / "rules.d" / file.name)
            checked = examine((), scratch / "shipper.toml")
            problems = [*checked.problems, *_failures(checked)]
    except OSError as error:
        raise ShipperError(f"no trial is possible: {error.filename or directory}: {error.strerror}") from None
    return Trial([_moved(each, str(scratch), str(directory)) for each in problems], checked)


def _failures(checked: Checked) -> list[Problem]:
    cases = [outcome.case for outcome in prove(checked.rulebook.cases) if not outcome.passed]
    return [Problem(case.file, "this test fails", case.line_number, rule=case.rule.id) for case in cases]


def _moved(problem: Problem, scratch: str, directory: str) -> Problem:
    """Tell a problem of the trial as one of where the files belong."""
    return dataclasses.replace(
        problem,
        file=problem.file.replace(scratch, directory),
        message=problem.message.replace(scratch, directory),
    )
