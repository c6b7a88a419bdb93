"""Rule files as tests write them: text in, rules out, through the same door as the product's."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from shipper.config.model import SourceTable
from shipper.errors import ConfigurationError, Problem
from shipper.matching.rulebook import Rulebook, load_rules


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def load(directory: Path, text: str, sources: Sequence[SourceTable] | None = None) -> Rulebook:
    """Load one file's text that has nothing wrong with it; warnings are allowed."""
    return load_rules([write(directory / "rules.toml", text)], sources)[0]


def warnings(directory: Path, text: str, sources: Sequence[SourceTable] | None = None) -> list[str]:
    """Load one file's text that works, and give what is said about it, without its directory."""
    _, problems = load_rules([write(directory / "rules.toml", text)], sources)
    assert all(problem.warning for problem in problems)
    return shown(problems, directory)


def errors(directory: Path, text: str, sources: Sequence[SourceTable] | None = None) -> list[str]:
    """Load one file's text that must not be accepted, and give every problem, without its directory."""
    with pytest.raises(ConfigurationError) as caught:
        load_rules([write(directory / "rules.toml", text)], sources)
    assert caught.value.exit_code == 2
    return shown(caught.value.problems, directory)


def shown(problems: Sequence[Problem], directory: Path) -> list[str]:
    return [str(problem).replace(f"{directory}/", "") for problem in problems]
