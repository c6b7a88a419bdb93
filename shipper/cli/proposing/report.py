"""What `shipper init` says: the logs that it found, the packs that it chose and why, and what to do next."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.cli.proposing.files import MOST_NOISY, way_words
from shipper.cli.terminal import counted, say
from shipper.cli.units import size
from shipper.config.load import DEFAULT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.cli.proposing.fitting_packs import Fitting, Pack
    from shipper.cli.proposing.host_logs import HostLog
    from shipper.cli.proposing.proposed_sources import Proposal

_SHOWN_PATHS = 3
_SHOWN_REFUSALS = 5
_SHOWN_EVENTS = 4
_UNITS = ("/etc/systemd/system/shipper.service", "/usr/lib/systemd/system/shipper.service")
_JOURNAL = ("/run/systemd/journal", "/run/log/journal")
# what the reason of a refusal proposes where a group would help
_JOIN_GROUP = re.compile(r"`(usermod -aG [^`]+)`")
_HIDDEN_FROM_UNIT = ("/home/", "/root/")


@dataclass(frozen=True, slots=True)
class Findings:
    """What `shipper init` found out.

    Attributes:
        proposals: the sources.
        fitting: the packs.
        notes: what somebody should know beside them.
        user: whom the agent runs as; None for whoever asks.
    """

    proposals: Sequence[Proposal]
    fitting: Fitting
    notes: Sequence[str]
    user: str | None

    @property
    def logs(self) -> list[HostLog]:
        """All logs of all sources."""
        return [log for proposal in self.proposals for log in proposal.logs]

    def as_json(self) -> dict[str, object]:
        """Give all of it as data."""
        return {
            "user": self.user,
            "sources": [_source(each) for each in self.proposals],
            "packs": [_pack(each) for each in self.fitting.packs],
            "other_packs": [str(file) for file in self.fitting.others],
            "tried": {"bytes": self.fitting.tried_bytes, "all": self.fitting.all_tried},
            "notes": [_text(note) for note in self.notes],
        }


def notes_of(logs: Sequence[HostLog], journal: Sequence[str] = _JOURNAL, units: Sequence[str] = _UNITS) -> list[str]:
    """Give what somebody should know of a host beside its logs.

    Args:
        logs: all that were found.
        journal: directories that are there where systemd's journal is.
        units: files of which one is there where the agent is installed as a service.
    """
    notes = []
    sources = {log.known.source for log in logs if log.known is not None}
    if not sources & {"system", "auth"} and any(map(os.path.isdir, journal)):
        notes.append(
            "What the kernel, systemd, sshd and sudo say is in the journal only, and in no file that could be read. "
            "Install rsyslog, which writes it to /var/log (`apt-get install rsyslog` or `dnf install rsyslog`), and "
            "run `shipper init` again."
        )
    hidden = [log.path for log in logs if log.path.startswith(_HIDDEN_FROM_UNIT)]
    if hidden and any(map(os.path.exists, units)):
        notes.append(
            f"The service does not see {hidden[0]}{_more(len(hidden) - 1)}: its unit has ProtectHome=yes. "
            "To let it read there: `systemctl edit shipper`, with ProtectHome=read-only below [Service]."
        )
    return notes


def say_findings(findings: Findings, *, copied: bool = True) -> None:
    """Say what was found, and what was chosen because of it; `copied`: whether packs are copied, with limits."""
    if findings.proposals:
        say("Logs of this host:", "bold")
    width = max((len(each.name) for each in findings.proposals), default=0)
    for proposal in findings.proposals:
        paths = [log.path for log in proposal.logs]
        say(f"  {proposal.name:<{width}}  {', '.join(paths[:_SHOWN_PATHS])}{_more(len(paths) - _SHOWN_PATHS)}")
        for detail in _details(proposal):
            say(f"  {'':<{width}}  {detail}", "dim")
    _say_refusals(findings)
    _say_packs(findings.fitting, copied=copied)
    for note in findings.notes:
        say(note, "yellow")


def next_commands(directory: Path, units: Sequence[str] = _UNITS) -> list[str]:
    """Give the commands that come next, each with its purpose."""
    configuration = directory / DEFAULT_FILE.name
    is_default = Path(os.path.abspath(configuration)) == DEFAULT_FILE
    option = "" if is_default else f" -c {shlex.quote(str(configuration))}"
    if is_default and any(map(os.path.exists, units)):
        commands = {
            "sudo -u shipper shipper check --online": "may the agent read, can it send? once the keys are in place",
            "systemctl restart shipper": "the agent, as a service",
            "shipper status": "what it reads and sends",
        }
    else:
        commands = {
            f"shipper check{option} --online": "the way to the service, with your keys",
            f"shipper run{option}": "the agent, in the foreground",
            "shipper demo": "the whole system on one screen, without an account",
        }
    width = max(map(len, commands))
    return [f"{each:<{width}}    # {purpose}" for each, purpose in commands.items()]


def _say_refusals(findings: Findings) -> None:
    refused = [log for log in findings.logs if log.refusal is not None]
    if not refused:
        return
    who = f"The agent's user {findings.user}" if findings.user else "This user"
    say(f"{who} may not read some of them. Their sources are written; they are read once that is mended:", "yellow")
    by_command: dict[str, list[str]] = {}
    others = []
    for log in refused:
        command = _JOIN_GROUP.search(log.refusal or "")
        if command is not None:
            by_command.setdefault(command[1], []).append(log.path)
        else:
            others.append(log)
    for said, paths in by_command.items():
        say(f"  {', '.join(paths[:_SHOWN_PATHS])}{_more(len(paths) - _SHOWN_PATHS)}: `{said}`, and restart the agent")
    for log in others[:_SHOWN_REFUSALS]:
        say(f"  {log.path}: {log.refusal}")
    if len(others) > _SHOWN_REFUSALS:
        say(f"  and {len(others) - _SHOWN_REFUSALS} more; `shipper check` and `shipper status` tell all")


def _say_packs(fitting: Fitting, *, copied: bool) -> None:
    tried = size(fitting.tried_bytes)
    if fitting.packs:
        say(f"Rule packs, tried on the ends of these logs ({tried}):", "bold")
    width = max((len(pack.name) for pack in fitting.packs), default=0)
    for pack in fitting.packs:
        say(f"  {pack.name:<{width}}  {'; '.join(pack.reasons)}")
        say(f"  {'':<{width}}  {_events(pack, copied=copied)}", "dim")
    if not fitting.all_tried:
        say("There was no time to try all of the logs; `shipper match --summary` does.", "dim")
    if fitting.others:
        names = ", ".join(file.stem for file in fitting.others)
        say(f"Further packs in {fitting.others[0].parent}: {names}", "dim")


def _events(pack: Pack, *, copied: bool) -> str:
    amounts = pack.events_by_name
    if not amounts:
        return "would have made no event"
    names = [f"{name} {amount:,}" for name, amount in amounts.most_common(_SHOWN_EVENTS)]
    said = f"would have made {counted(amounts.total(), 'event')}: {', '.join(names)}{_more(len(amounts) - len(names))}"
    if not pack.noisy:
        return said
    if copied:
        return f"{said}; written with a limit of {MOST_NOISY} in 10 minutes for what is frequent"
    return f"{said}; give what is frequent a [rule.throttle]"


def _details(proposal: Proposal) -> Iterator[str]:
    writers = dict.fromkeys(program for log in proposal.logs for program in log.programs)
    if writers:
        yield f"written by {', '.join(list(writers)[:_SHOWN_PATHS])}{_more(len(writers) - _SHOWN_PATHS)}"
    yield from way_words(proposal).values()
    for log in proposal.logs:
        if log.sample.odd_bytes:
            yield f"{log.path} holds bytes that are no UTF-8; if you know its encoding, name it"


def _source(proposal: Proposal) -> dict[str, object]:
    logs = [
        {
            "path": _text(log.path),
            "programs": [{"name": each.program, "pid": each.pid} for each in log.writers],
            "readable": log.refusal is None,
            "reason": _text(log.refusal) if log.refusal else None,
        }
        for log in proposal.logs
    ]
    return {
        "name": proposal.name,
        "paths": list(proposal.paths),
        "exclude": list(proposal.exclude),
        "encoding": proposal.way.encoding,
        "format": proposal.way.form,
        "multiline": proposal.way.preset,
        "logs": logs,
    }


def _pack(pack: Pack) -> dict[str, object]:
    return {
        "name": pack.name,
        "file": str(pack.file),
        "reasons": [_text(reason) for reason in pack.reasons],
        "events": dict(pack.events_by_name),
        "limited_rules": sorted(pack.noisy),
    }


def _text(path: str) -> str:
    # JSON holds text only, and names are bytes
    return os.fsencode(path).decode("utf-8", "replace")


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""
