"""Finds the logs of this host: where common programs log, what running programs write, what was written lately."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.cli.proposing.agent_user import acting_as, refusal
from shipper.cli.proposing.known_programs import KNOWN, known_writer
from shipper.cli.proposing.log_sample import SAMPLE_BYTES, Sample, read_sample
from shipper.cli.proposing.open_logs import ELSEWHERE, PROC, is_called_like_a_log, open_logs
from shipper.tailing.discovery import discover
from shipper.tailing.files import UnreadableError
from shipper.tailing.globs import literal
from shipper.tailing.surroundings import log_of

if TYPE_CHECKING:
    import pwd
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shipper.cli.proposing.known_programs import Known
    from shipper.cli.proposing.open_logs import OpenLog
    from shipper.events import Node

RECENT_DAYS = 7
_DEEPEST = 4
_MOST_NAMES = 20_000
_ALL_SAMPLES_BYTES = 32 * 1024 * 1024
_SHORT_SAMPLE_BYTES = 16 * 1024
# 2026-11-23, 20261123, also with an hour behind it
_DATE = re.compile(
    r"(?<!\d)20\d\d(?:-[01]\d-[0-3]\d|_[01]\d_[0-3]\d|\.[01]\d\.[0-3]\d|[01]\d[0-3]\d)(?:[T_.-]?\d\d)?(?!\d)"
)
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
# the journal is no text; logs of containers are found by their globs
_NOT_ENTERED = frozenset({"journal", "pods", "containers", "private", "installer"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where logs are looked for.

    Attributes:
        known: programs and where they log.
        proc: where the kernel tells of processes.
        elsewhere: directories in which a process's files are no logs.
        recent: the directory whose logs count also when nobody holds them open.
    """

    known: Sequence[Known] = KNOWN
    proc: Path = PROC
    elsewhere: tuple[str, ...] = ELSEWHERE
    recent: str = "/var/log"


@dataclass(frozen=True, slots=True)
class HostLog:
    """A log of this host.

    Attributes:
        path: where it is.
        pattern: the glob that finds it, and what it becomes after rotation.
        known: the program whose log it is, if that is a known one.
        writers: who holds it open for writing.
        sample: its end.
        refusal: why the agent cannot read it, and what to do; None when it can.
    """

    path: str
    pattern: str
    known: Known | None
    writers: tuple[OpenLog, ...]
    sample: Sample
    refusal: str | None

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of those who hold it open."""
        return tuple(dict.fromkeys(writer.program for writer in self.writers))


def find_logs(place: Place, user: pwd.struct_passwd | None) -> list[HostLog]:
    """Find the logs of this host, in the order in which their sources are to be written.

    Args:
        place: where to look.
        user: whom the agent runs as; None for whoever asks.
    """
    writers: dict[Node, list[OpenLog]] = {}
    for each in open_logs(place.proc, place.elsewhere):
        if (node := _node(each.path)) is not None:
            writers.setdefault(node, []).append(each)
    found: dict[str, HostLog] = {}
    taken: set[Node] = set()
    left = _ALL_SAMPLES_BYTES
    for path, pattern, known in _candidates(place, writers):
        node = _node(path)
        if path in found or (node is not None and node in taken):
            continue
        holders = tuple(writers.get(node, ())) if node is not None else ()
        try:
            sample = read_sample(path, SAMPLE_BYTES if left > 0 else _SHORT_SAMPLE_BYTES)
        except UnreadableError as error:
            if error.number not in _FORBIDDEN:
                continue
            sample = Sample()
        left -= len(sample.data)
        if not sample.is_text or (known is None and not holders and not sample.data):
            continue
        if node is not None:
            taken.add(node)
        with acting_as(user):
            why = refusal(path)
        found[path] = HostLog(path, pattern, known, holders, sample, why)
    return list(found.values())


def pattern_of(path: str) -> str:
    """Give the glob of a log: it itself, or with a date in its name, which will be another one tomorrow, all its dates.

    Bytes that are no UTF-8 cannot stand in a configuration: any character may stand for each.
    """
    directory, name = os.path.split(path)
    dated = _DATE.split(name)
    plain = os.path.basename(log_of(path))
    stem, ending = os.path.splitext(plain)
    if len(dated) > 1:
        pattern = "*".join(map(literal, dated))
    elif plain == name:
        pattern = literal(name)
    elif name.startswith(plain):
        pattern = f"{literal(name[: len(plain) + 1])}*"
    else:
        pattern = f"{literal(name[: len(stem) + 1])}*{literal(ending)}"
    whole = os.path.join(literal(directory), pattern)
    return "".join("?" if "\ud800" <= char <= "\udfff" else char for char in whole)


def _candidates(place: Place, writers: dict[Node, list[OpenLog]]) -> Iterator[tuple[str, str, Known | None]]:
    """Give paths that may be logs, each with the glob that finds it and the program whose log it is."""
    for known in place.known:
        for pattern in known.logs:
            seen = discover([pattern], ())
            for path in (*seen.files, *(path for path in seen.skipped if not seen.files)):
                yield path, pattern, known
    held = [each for holders in writers.values() for each in holders]
    for each in sorted(held, key=lambda each: each.path):
        yield each.path, pattern_of(each.path), known_writer(each.names)
    for path in _recent(place.recent):
        yield path, pattern_of(path), None


def _recent(directory: str) -> Iterator[str]:
    """Give the logs in a directory that were written in the last days, without older generations."""
    since = time.time() - RECENT_DAYS * 86_400
    names = 0
    for above, directories, files in os.walk(directory):
        depth = above.count("/") - directory.count("/")
        directories[:] = sorted(set(directories) - _NOT_ENTERED) if depth < _DEEPEST else []
        for name in sorted(files):
            names += 1
            if names > _MOST_NAMES:
                return
            path = os.path.join(above, name)
            if _is_a_logs_name(name) and log_of(path) == path and _was_written(path, since):
                yield path


def _is_a_logs_name(name: str) -> bool:
    return is_called_like_a_log(name) or name.endswith((".json", ".jsonl")) or (name.islower() and "." not in name)


def _was_written(path: str, since: float) -> bool:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0 and status.st_mtime >= since


def _node(path: str) -> Node | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
