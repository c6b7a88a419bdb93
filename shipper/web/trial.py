"""Tries one rule on some lines, in a process of its own with limits of time and memory (spec, section 7).

`python -m shipper.web.trial` takes a pickled `Trial` on stdin and gives JSON on stdout. Patterns come from whoever
edits in the page, and lines from whoever writes to a log: neither may hold up or bring down the agent.
"""

from __future__ import annotations

import ctypes
import dataclasses
import pickle
import resource
import signal
import sys
import time
from collections import deque
from contextlib import suppress
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
    from shipper.matching.explaining import Explanation
    from shipper.matching.records import LogRecord
    from shipper.matching.redaction import Redaction
    from shipper.matching.rule import Pattern, Rule
    from shipper.matching.rulebook import Rulebook
    from shipper.web.excerpt import Excerpt

MOST_LINES = 300
MOST_TESTS = 200
MOST_PROBLEMS = 50
CHARACTERS = 4096
"""Of a line, of its captures together, and of its event."""
_FEWER_CHARACTERS = 1024
"""Of a test's input, of what is wrong, and of a reason."""
_NAME_CHARACTERS = 100
MOST_BYTES = 4 * 1024 * 1024
"""Of the answer; of the lines, the first ones are left off."""
SECONDS = 3.0
"""After these no further line is tried."""
CPU_SECONDS = 5
MEMORY_BYTES = 128 * 1024 * 1024
OUT_OF_MEMORY = 3
"""Exit code."""
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_FILE = "rule.toml"
_MORE = "further keys"
_WAS_CUT = "the record was cut at its limit, so that what a redaction covers may not be seen to be covered"


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
    if rulebook is not None and len(rulebook.cases) > MOST_TESTS:
        said = f"the first {MOST_TESTS} of {len(rulebook.cases)} tests were run; `shipper test` runs all"
        problems.insert(0, Problem(_FILE, said, warning=True))
    if len(problems) > MOST_PROBLEMS:
        problems[MOST_PROBLEMS - 1 :] = [Problem(_FILE, f"and {len(problems) - MOST_PROBLEMS + 1} more")]
    answer = {
        "toml": text,
        "problems": [_problem(problem) for problem in problems],
        "tests": [] if rulebook is None else _tests(rulebook),
        "untried": untried,
        "seconds": {"mean": sum(tried) / len(tried), "most": max(tried)} if tried else None,
    }
    shown = _newest([orjson.dumps(line) for line in lines], MOST_BYTES - len(orjson.dumps(answer)))
    return answer | {"lines": [orjson.Fragment(line) for line in shown], "left_off": len(lines) - len(shown)}


def _newest(lines: list[bytes], room: int) -> list[bytes]:
    """Give as many of the last lines as there is room for."""
    for at in range(len(lines) - 1, -1, -1):
        room -= len(lines[at]) + 1
        if room < 0:
            return lines[at + 1 :]
    return lines


class _Room:
    """What may be shown of something; what does not fit is cut, and shows that."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def take(self, text: str) -> str:
        taken = text[: self.left]
        self.left -= len(taken)
        return taken if len(taken) == len(text) else taken + "…"


def _cut(text: str, characters: int = _FEWER_CHARACTERS) -> str:
    return _Room(characters).take(text)


def _read(trial: Trial) -> tuple[str, list[Problem], Rulebook | None]:
    """Make the rule of the form and the further keys; gives its text, what is wrong, and the rule if it compiles."""
    more = parse_document(_MORE, trial.more)
    if isinstance(more, Problem):
        # lines are those of the whole rule elsewhere
        said = more.message if more.line is None else f"line {more.line}: {more.message}"
        return "", [Problem(_MORE, said)], None
    further = more.values
    both = sorted(further.keys() & trial.rule.keys() - {"test"})
    if both:
        return "", [Problem(_MORE, f"'{both[0]}' has a field of its own above")], None
    values = {**trial.rule, **further}
    tests = trial.rule.get("test", []), further.get("test", [])
    if isinstance(tests[0], list) and isinstance(tests[1], list) and (tests[0] or tests[1]):
        values["test"] = [*tests[0], *tests[1]]
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
        "message": _cut(problem.message if problem.file == _FILE else f"{problem.file}: {problem.message}"),
        "warning": problem.warning,
    }


def _tests(rulebook: Rulebook) -> list[dict[str, Any]]:
    return [
        {
            "line": outcome.case.line_number,
            "input": _cut("\n".join(outcome.case.lines)),
            "passed": outcome.passed,
            "differences": [
                {"key": d.key, "expected": _cut(d.expected), "got": _cut(d.got)} for d in outcome.differences
            ],
        }
        for outcome in prove(rulebook.cases[:MOST_TESTS])
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
            shown.append({"segments": [{"text": CUT}], "outcome": "untried", "reason": _WAS_CUT, "seconds": None})
        elif rule is None or time.monotonic() > until:
            untried += rule is not None
            text = _cut(Redacted(record.text, redact, trial.match_timeout).text, CHARACTERS)
            shown.append({"segments": [{"text": text}], "outcome": "untried", "seconds": None})
        else:
            shown.append(_shown(trial, rule, record, block, redact))
    return shown, untried


def _shown(trial: Trial, rule: Rule, record: LogRecord, block: Block, redact: tuple[Redaction, ...]) -> dict[str, Any]:
    timeout = rule.timeout or trial.match_timeout
    each = next(explain([rule], record, block, trial.host, timeout, trial.group_id, for_any_source=True))
    redacted = Redacted(record.text, redact, timeout)
    segments = [{"text": _cut(redacted.text, CHARACTERS)}]
    if each.outcome in {Outcome.MATCHED, Outcome.IGNORED}:
        match = rule.match.search(record.text, timeout=timeout)
        segments = _segments(match, redacted)
    captures = _captures(each)
    room = _Room(CHARACTERS)
    event = None if each.event is None else uploaded(each.event)
    return {
        "segments": segments,
        "outcome": each.outcome.value,
        "reason": _cut(each.reason),
        "captures": captures,
        "more_captures": len(each.captures) - len(captures),
        "event": event and event | {name: room.take(event[name]) for name in ("name", "content")},
        "seconds": each.seconds,
    }


def _captures(explained: Explanation) -> dict[str, str | None]:
    """Give as many as there is room for."""
    room, shown = _Room(CHARACTERS), dict[str, str | None]()
    for name, value in explained.captures.items():
        called = _cut(name, _NAME_CHARACTERS)
        if room.left <= len(called):
            break
        room.left -= len(called)
        shown[called] = None if value is None else room.take(value)
    return shown


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
    room = _Room(CHARACTERS)
    for start, end in pairwise(places):
        if room.left <= 0:
            break
        inside = [span for span in spans if span[0] <= start and end <= span[1]]
        piece: dict[str, Any] = {"text": room.take(redacted.part(start, end))}
        if first <= start and end <= behind:
            piece["match"] = True
        if inside:
            piece["capture"] = _cut(min(inside, key=lambda span: span[1] - span[0])[2], _NAME_CHARACTERS)
        pieces.append(piece)
    return pieces


def main() -> None:
    """Try what stdin says, within limits, and not for longer than there is an agent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # a host or a container without memory ends this before the agent
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
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
