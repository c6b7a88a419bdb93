"""Chooses rule packs for the logs of a host, and tries them on the ends of those logs."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipper.agent.machine import this_host
from shipper.cli.proposing.known_programs import AUTH, SYSTEM
from shipper.config.model import Config, MultilineTable, SourceTable
from shipper.matching.engine import Engine
from shipper.matching.rulebook import Rulebook, load_rules
from shipper.matching.shipped import shipped_rule_files
from shipper.tailing.open_log import OpenLog
from shipper.tailing.streams import StreamedLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from shipper.cli.proposing.host_logs import HostLog
    from shipper.cli.proposing.proposed_sources import Proposal

NOISY = 20
TRIAL_SECONDS = 5.0
_MATCH_TIMEOUT = 0.1
# they judge lines of any program: what they would make of a host is for somebody to decide who knows it
_FOR_ANY_PROGRAM = frozenset({"generic", "java", "python"})
_INTERPRETERS = {"java": "java", "python": "python"}


@dataclass(frozen=True, slots=True)
class Sign:
    """What tells that a program writes to the logs of the system.

    Attributes:
        sources: whose logs it writes to.
        processes: what it is called while it runs.
        words: what stands in its lines.
        files: what is there when it is installed.
    """

    sources: tuple[str, ...]
    processes: tuple[str, ...] = ()
    words: tuple[bytes, ...] = ()
    files: tuple[str, ...] = ()


_SIGNS = {
    "systemd": Sign((SYSTEM,), ("systemd",), (b" systemd[1]: ",)),
    "sshd": Sign((AUTH,), ("sshd",), (b" sshd[", b" sshd-session["), ("/usr/sbin/sshd",)),
    "sudo": Sign((AUTH,), (), (b" sudo: ", b" sudo["), ("/usr/bin/sudo",)),
    "cron": Sign((SYSTEM,), ("cron", "crond"), (b" CRON[", b" CROND[", b" cron[", b" crond[")),
    "haproxy": Sign((SYSTEM,), ("haproxy",), (b" haproxy[",)),
    "postfix": Sign((SYSTEM,), (), (b" postfix/",)),
    "containerd": Sign((SYSTEM,), ("containerd", "dockerd"), (b" containerd[", b" dockerd[")),
}


@dataclass(slots=True)
class Pack:
    """A rule pack that fits this host.

    Attributes:
        file: where it came from.
        reasons: why it was chosen.
        rules: ids of its rules.
        events: how many each rule would have made of the ends of the logs.
        names: of these events, by rule.
    """

    file: Path
    reasons: list[str]
    rules: tuple[str, ...] = ()
    events: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.file.name

    @property
    def noisy(self) -> dict[str, int]:
        """The rules that would have made many events, and how many."""
        return {rule: amount for rule, amount in self.events.items() if amount > NOISY}

    @property
    def events_by_name(self) -> Counter[str]:
        """How many events of each name."""
        found: Counter[str] = Counter()
        for rule, amount in self.events.items():
            found[self.names[rule]] += amount
        return found


@dataclass(slots=True)
class Fitting:
    """What came of looking for packs.

    Attributes:
        packs: those that fit.
        others: files of those that do not.
        tried_bytes: how much of the logs was tried.
        all_tried: whether there was time for all of it.
    """

    packs: list[Pack]
    others: list[Path]
    tried_bytes: int = 0
    all_tried: bool = True


def fit(proposals: Sequence[Proposal], processes: AbstractSet[str], seconds: float = TRIAL_SECONDS) -> Fitting:
    """Choose packs and try them.

    Args:
        proposals: the sources of the host, with their logs.
        processes: names of what runs.
        seconds: how long trying may take.
    """
    files = {file.stem: file for file in shipped_rule_files()}
    rulebook, _ = load_rules(list(files.values()))
    reasons: dict[str, list[str]] = {}
    for name, reason in (*_by_logs(proposals), *_by_signs(proposals, processes)):
        if name in files:
            reasons.setdefault(name, []).append(reason)
    packs = {name: Pack(file, reasons.get(name, []), _rules_of(rulebook, file)) for name, file in files.items()}
    candidates = [pack for name, pack in packs.items() if pack.reasons or name not in _FOR_ANY_PROGRAM]
    found = Fitting([], [])
    hits = _try(found, proposals, rulebook, {rule for pack in candidates for rule in pack.rules}, seconds)
    for pack in packs.values():
        for rule in pack.rules:
            for (path, event), amount in hits.get(rule, {}).items():
                pack.events[rule] += amount
                pack.names[rule] = event
                if not pack.reasons:
                    pack.reasons.append(f"lines of {path} match it")
    found.packs += [pack for pack in packs.values() if pack.reasons]
    found.others += [pack.file for pack in packs.values() if not pack.reasons]
    return found


def settings_of(proposal: Proposal) -> SourceTable:
    """Give what the configuration will say of a source."""
    way = proposal.way
    return SourceTable(
        name=proposal.name,
        paths=proposal.paths,
        exclude=proposal.exclude,
        encoding=way.encoding,
        format=way.form,
        multiline=MultilineTable(preset=way.preset),
    )


def _rules_of(rulebook: Rulebook, file: Path) -> tuple[str, ...]:
    pairs = zip(rulebook.rules, rulebook.places, strict=True)
    return tuple(rule.id for rule, (document, _) in pairs if document.file == str(file))


def _by_logs(proposals: Sequence[Proposal]) -> Iterator[tuple[str, str]]:
    """Give packs of programs whose logs are here, each with its reason."""
    told: set[str] = set()
    for proposal in proposals:
        for log in proposal.logs:
            for pack, reason in _of_log(proposal, log):
                if pack not in told:
                    told.add(pack)
                    yield pack, reason


def _of_log(proposal: Proposal, log: HostLog) -> Iterator[tuple[str, str]]:
    for pack in log.known.packs if log.known is not None else ():
        yield pack, f"{log.path} is there"
    for writer in log.writers if log.known is None else ():
        for beginning, pack in _INTERPRETERS.items():
            if any(name.startswith(beginning) for name in writer.names):
                yield pack, f"{writer.program} (pid {writer.pid}) writes {log.path}"
    if (preset := proposal.way.preset) in _INTERPRETERS and log.sample.preset == preset:
        yield _INTERPRETERS[preset], f"stack traces are in {log.path}"


def _by_signs(proposals: Sequence[Proposal], processes: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Give packs of programs that write to the logs of the system, each with its reason."""
    for pack, sign in _SIGNS.items():
        logs = [log for each in proposals for log in each.logs if each.name in sign.sources]
        if not logs:
            continue
        spoken = next((log for log in logs if any(word in log.sample.data for word in sign.words)), None)
        running = next((name for name in sign.processes if name in processes), None)
        installed = next((file for file in sign.files if os.path.exists(file)), None)
        if spoken is not None:
            yield pack, f"{pack} writes to {spoken.path}"
        elif running is not None:
            yield pack, f"{running} runs"
        elif installed is not None:
            yield pack, f"{installed} is there"


def _try(
    found: Fitting, proposals: Sequence[Proposal], rulebook: Rulebook, wanted: AbstractSet[str], seconds: float
) -> dict[str, Counter[tuple[str, str]]]:
    """Judge the ends of the logs; gives by rule how many events of which log and name."""
    rules = [rule for rule in rulebook.rules if rule.id in wanted]
    engine = Engine(rules, this_host(Config()), _MATCH_TIMEOUT, clock=time.perf_counter)
    hits: dict[str, Counter[tuple[str, str]]] = {}
    until = time.monotonic() + seconds
    for proposal in proposals:
        source = settings_of(proposal)
        for log in proposal.logs:
            if not log.sample.data:
                continue
            content = StreamedLog(io.BytesIO(log.sample.data))
            for block in OpenLog(content, log.path, source, _modified(log.path)).blocks():
                for event in engine.match(block):
                    hits.setdefault(event.rule, Counter())[log.path, event.name] += 1
                found.tried_bytes += len(block.data)
                if time.monotonic() > until:
                    found.all_tried = False
                    return hits
    return hits


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()
