"""Tries one rule on some lines, in a process of its own with limits of time and memory (spec, section 7).

`python -m shipper.web.trial` takes a pickled `Trial` on stdin and gives JSON on stdout. Patterns come from whoever
edits in the page, and lines from whoever writes to a log: neither may hold up or bring down the agent.
"""

from __future__ import annotations

import dataclasses
import pickle
import resource
import sys
import time
import tomllib
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from shipper.agent.shown import uploaded
from shipper.config.reader import parse_document
from shipper.errors import ConfigurationError, Problem
from shipper.matching.explaining import Outcome, explain
from shipper.matching.proving import prove
from shipper.matching.redaction import CUT, Redacted
from shipper.matching.rule_text import rule_text
from shipper.matching.rulebook import rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.config.model import SourceTable
    from shipper.events import Block
    from shipper.matching.composer import Host
    from shipper.matching.records import LogRecord
    from shipper.matching.redaction import Redaction
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.rulebook import Rulebook
    from shipper.web.excerpt import Excerpt

MOST_LINES = 300
CHARACTERS = 4096
SECONDS = 3.0
"""After these no further line is tried."""
CPU_SECONDS = 5
MEMORY_BYTES = 256 * 1024 * 1024
OUT_OF_MEMORY = 3
"""Exit code."""
_FILE = "rule.toml"
_CUT = "the record was cut at its limit, so that what a redaction covers may not be seen to be covered"


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried.

    Attributes:
        rule: the rule's keys as the form has them.
        more: further keys, as TOML.
        grok: names that the rule's file gives to patterns.
        excerpt: the lines.
        sources: all there are, whose fields a template may name.
        redact: what no line shows.
        host: for templates and ids.
        match_timeout: seconds for one search.
        group_id: application group where neither rule nor source names one.
    """

    rule: Mapping[str, Any]
    more: str
    grok: Mapping[str, Any]
    excerpt: Excerpt
    sources: tuple[SourceTable, ...]
    redact: tuple[Redaction, ...]
    host: Host
    match_timeout: float
    group_id: int


def judge(trial: Trial) -> dict[str, Any]:
    """Give what the page shows: the rule as TOML, what is wrong with it, its tests, and what it makes of each line."""
    text, problems, rulebook = _read(trial)
    rule = rulebook.rules[0] if rulebook is not None else None
    lines, untried = _lines(trial, rule)
    tried = [line["seconds"] for line in lines if line["seconds"] is not None]
    return {
        "toml": text,
        "problems": [_problem(problem) for problem in problems],
        "tests": [] if rulebook is None else _tests(rulebook),
        "lines": lines,
        "untried": untried,
        "seconds": {"mean": sum(tried) / len(tried), "most": max(tried)} if tried else None,
    }


def _read(trial: Trial) -> tuple[str, list[Problem], Rulebook | None]:
    """Make the rule of the form and the further keys; gives its text, what is wrong, and the rule if it compiles."""
    try:
        further = tomllib.loads(trial.more)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return "", [Problem("further keys", f"not valid TOML: {error}")], None
    both = sorted(further.keys() & trial.rule.keys() - {"test"})
    if both:
        return "", [Problem("further keys", f"'{both[0]}' has a field of its own above")], None
    tests = [*trial.rule.get("test", []), *further.get("test", [])]
    values = {**trial.rule, **further, **({"test": tests} if tests else {})}
    try:
        text = rule_text(values, trial.grok)
    except (ValueError, AttributeError, TypeError) as error:
        return "", [Problem(_FILE, f"the rule cannot be written: {error}")], None
    document = parse_document(_FILE, text)
    if isinstance(document, Problem):
        return text, [document], None
    try:
        rulebook, warnings = rules_of([document], trial.sources or None)
    except ConfigurationError as error:
        return text, list(error.problems), None
    return text, list(warnings), rulebook


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "line": problem.line,
        "column": problem.column,
        "message": problem.message if problem.file == _FILE else f"{problem.file}: {problem.message}",
        "warning": problem.warning,
    }


def _tests(rulebook: Rulebook) -> list[dict[str, Any]]:
    return [
        {
            "line": outcome.case.line_number,
            "input": "\n".join(outcome.case.lines)[:CHARACTERS],
            "passed": outcome.passed,
            "differences": [{"key": d.key, "expected": d.expected, "got": d.got} for d in outcome.differences],
        }
        for outcome in prove(rulebook.cases)
    ]


def _lines(trial: Trial, rule: Rule | None) -> tuple[list[dict[str, Any]], int]:
    """Give the last lines, each with what the rule makes of it, and how many the time did not suffice for."""
    found = deque(trial.excerpt.records(), MOST_LINES)
    redact = trial.redact
    if rule is not None:
        redact = (*rule.redact, *redact)
        # nothing else of the line may be shown by what is made of it either
        rule = dataclasses.replace(rule, redact=redact)
    until, shown, untried = time.monotonic() + SECONDS, [], 0
    for record, block in found:
        if record.cut and redact and trial.excerpt.source is not None:
            shown.append({"segments": [{"text": CUT}], "outcome": "untried", "reason": _CUT, "seconds": None})
        elif rule is None or time.monotonic() > until:
            untried += rule is not None
            text = Redacted(record.text, redact, trial.match_timeout).text[:CHARACTERS]
            shown.append({"segments": [{"text": text}], "outcome": "untried", "seconds": None})
        else:
            shown.append(_shown(trial, rule, record, block, redact))
    return shown, untried


def _shown(trial: Trial, rule: Rule, record: LogRecord, block: Block, redact: tuple[Redaction, ...]) -> dict[str, Any]:
    timeout = rule.timeout or trial.match_timeout
    each = next(explain([rule], record, block, trial.host, timeout, trial.group_id, for_any_source=True))
    redacted = Redacted(record.text, redact, timeout)
    segments = [{"text": redacted.text[:CHARACTERS]}]
    if each.outcome in {Outcome.MATCHED, Outcome.IGNORED}:
        match = rule.match.search(record.text, timeout=timeout)
        segments = _segments(match, redacted)
    event = None if each.event is None else uploaded(each.event)
    return {
        "segments": segments,
        "outcome": each.outcome.value,
        "reason": each.reason,
        "captures": dict(each.captures),
        "event": event,
        "seconds": each.seconds,
    }


def _segments(match: Pattern, redacted: Redacted) -> list[dict[str, Any]]:
    """Cut a line where the match and its captures begin and end; each piece is named after the innermost capture."""
    names = {number: name for name, number in match.re.groupindex.items()}
    spans = [(*match.span(number), names.get(number, str(number))) for number in range(1, match.re.groups + 1)]
    spans = [span for span in spans if 0 <= span[0] < span[1]]
    first, behind = match.span()
    length = min(len(match.string), CHARACTERS)
    cuts = {0, length, first, behind, *(place for span in spans for place in span[:2])}
    places = sorted(place for place in cuts if place <= length)
    pieces: list[dict[str, Any]] = []
    for start, end in pairwise(places):
        inside = [span for span in spans if span[0] <= start and end <= span[1]]
        piece: dict[str, Any] = {"text": redacted.part(start, end)}
        if first <= start and end <= behind:
            piece["match"] = True
        if inside:
            piece["capture"] = min(inside, key=lambda span: span[1] - span[0])[2]
        pieces.append(piece)
    return pieces


def main() -> None:
    """Try what stdin says, within limits."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = judge(pickle.load(sys.stdin.buffer))  # noqa: S301  the agent's own
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main()
