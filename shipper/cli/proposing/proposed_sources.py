"""Makes sources of the logs of a host: which logs go together, what a source is called, how it is read."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.cli.proposing.host_logs import pattern_of
from shipper.cli.proposing.open_logs import LOGS
from shipper.tailing.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from shipper.cli.proposing.host_logs import HostLog

OTHERS = "other"
_LONGEST_NAME = 40
_MANY_FILES = 8
# what runs or writes for a program is not the program
_HELPERS = re.compile(
    r"java|python[\d.]*|node(?:js)?|MainThread|ruby[\d.]*|perl[\d.]*|php.*|dotnet|beam\.smp|(?:[bdz]a?)?sh|busybox|tee|cat"
    r"|logger|rsyslogd|syslog-ng|cronolog|rotatelogs|multilog|svlogd|s6-log|supervisord|runsv|containerd.*|docker.*"
    r"|systemd.*|init|nohup|sudo|su|crond?"
)
_COMMON_DIRECTORY = re.compile(
    r"var|logs?|opt|srv|home|root|data|shared|current|releases|lib|usr|local|share|mnt|apps?|bin|run|tmp", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Way:
    """How logs are read."""

    encoding: str = "utf-8"
    form: str = "plain"
    preset: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A source that the configuration should have.

    Attributes:
        name: unique among them.
        paths: globs.
        exclude: globs of logs that are another source's.
        way: how its logs are read.
        logs: those that it has now.
    """

    name: str
    paths: tuple[str, ...]
    way: Way
    logs: tuple[HostLog, ...]
    exclude: tuple[str, ...] = ()


def propose(logs: Sequence[HostLog], taken: Collection[str] = ()) -> list[Proposal]:
    """Make sources of logs.

    Args:
        logs: in the order in which their sources are wanted.
        taken: names that are no longer free.
    """
    ways = _ways(logs)
    patterns = _patterns(logs, ways)
    groups: dict[tuple[str, Way], list[HostLog]] = {}
    for log in logs:
        groups.setdefault((source_name(log), ways[log.path]), []).append(log)
    names: dict[tuple[str, Way], str] = {}
    for group in groups:
        names[group] = _free_name(*group, {*taken, *names.values()})
    proposals = [
        Proposal(names[group], _paths(group[0], [patterns[log.path] for log in members]), group[1], tuple(members))
        for group, members in groups.items()
    ]
    return [dataclasses.replace(each, exclude=_others_logs(each, proposals)) for each in proposals]


def source_name(log: HostLog) -> str:
    """Give what people would call the source of a log."""
    if log.known is not None:
        return log.known.source
    if log.path.startswith(LOGS) and (below := os.path.dirname(log.path.removeprefix(LOGS))):
        return _name(below.partition("/")[0])
    program = next((each for each in log.programs if not _HELPERS.fullmatch(each)), None)
    if program is not None:
        return _name(program)
    directories = os.path.dirname(log.path).split("/")[1:]
    own = [each for each in directories if not _COMMON_DIRECTORY.fullmatch(each)]
    if own:
        return _name(own[-1])
    if not log.writers:
        return OTHERS
    return _name(os.path.basename(log.path).partition(".")[0])


def _name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:_LONGEST_NAME].strip("-.")
    return name or "app"


def _ways(logs: Iterable[HostLog]) -> dict[str, Way]:
    """Give how each log is read; those that tell nothing are read like the others of their glob."""
    ways: dict[str, Way] = {}
    by_pattern: dict[str, Counter[Way]] = {}
    silent: list[HostLog] = []
    for log in logs:
        form = log.known.form if log.known is not None and log.known.form != "plain" else log.sample.form
        if log.sample.data:
            preset = log.sample.preset if form in {"plain", "json"} else None
            way = Way(log.sample.encoding, form, preset)
            ways[log.path] = way
            by_pattern.setdefault(log.pattern, Counter())[way] += 1
        else:
            ways[log.path] = Way(form=form)
            silent.append(log)
    for log in silent:
        if log.pattern in by_pattern:
            ways[log.path] = _usual(by_pattern[log.pattern])
    return ways


def _usual(ways: Counter[Way]) -> Way:
    # of two that are as frequent, the plainer one
    return min(ways, key=lambda way: (-ways[way], way != Way(), str(way)))


def _free_name(name: str, way: Way, taken: Collection[str]) -> str:
    told = (way.preset, way.encoding if way.encoding != "utf-8" else None, way.form if way.form != "plain" else None)
    further = (f"{name}-{word}" for word in told if word)
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *further, *numbered) if each not in taken)


def _patterns(logs: Sequence[HostLog], ways: Mapping[str, Way]) -> dict[str, str]:
    """Give the glob of each log: one that is read unlike most of its glob's stands by itself."""
    by_pattern: dict[str, Counter[Way]] = {}
    for log in logs:
        by_pattern.setdefault(log.pattern, Counter())[ways[log.path]] += 1
    return {
        log.path: log.pattern if ways[log.path] == _usual(by_pattern[log.pattern]) else pattern_of(log.path)
        for log in logs
    }


def _paths(name: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Give the globs of a source; where a program has many logs in a directory, one for all that end alike."""
    by_place: dict[tuple[str, str], dict[str, None]] = {}
    for pattern in patterns:
        place = os.path.dirname(pattern), os.path.splitext(pattern)[1]
        by_place.setdefault(place, {})[pattern] = None
    paths: list[str] = []
    for (directory, ending), found in by_place.items():
        is_many = len(found) > _MANY_FILES and name != OTHERS
        paths += [os.path.join(directory, f"*{ending}")] if is_many else found
    return tuple(paths)


def _others_logs(proposal: Proposal, proposals: Sequence[Proposal]) -> tuple[str, ...]:
    """Give the logs that the globs of a source find, but that are another source's."""
    seen = discover(proposal.paths, ()).files
    return tuple(
        pattern_of(log.path) for other in proposals if other is not proposal for log in other.logs if log.path in seen
    )
