"""`shipper init`: finds the logs of this host and writes a configuration and rules for them (spec, section 2)."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from shipper.cli.proposing.agent_user import agent_user
from shipper.cli.proposing.existing_configuration import Existing, read_existing, rule_files_in, rule_ids
from shipper.cli.proposing.files import configuration_text, pack_text, rules_text, sources_text
from shipper.cli.proposing.fitting_packs import fit
from shipper.cli.proposing.host_logs import Place, find_logs
from shipper.cli.proposing.open_logs import running
from shipper.cli.proposing.places import write_new
from shipper.cli.proposing.proposed_sources import propose
from shipper.cli.proposing.report import Findings, next_commands, notes_of, say_findings
from shipper.cli.proposing.trial import Trial, try_out
from shipper.cli.terminal import counted, data, say, say_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = Place()


@click.command("init", short_help="Find this host's logs, and write a configuration and rules for them.")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--dry-run", is_flag=True, help="Print the files instead of writing them.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found, and why what was chosen, as JSON.")
def command(directory: Path, *, dry_run: bool, as_json: bool) -> int:
    """Find the logs of this host, and write a configuration and rules for them into DIRECTORY, by default here.

    Logs are found where common programs have them, by what running programs hold open for writing, and by what was
    written in /var/log lately. They become sources in shipper.toml, with encoding, format and stack traces as the logs
    have them. Rule packs that fit are copied into rules.d, after a trial on the ends of the logs. Run it as root:
    others see their own programs only.

    Nothing is overwritten, and nothing is written that `shipper check` and `shipper test` would not pass. Where
    shipper.toml is there already, it is left as it is: the sources that it does not have are printed, and the packs are
    named; exit code 1 if there are any.

    \b
    Examples:
      sudo shipper init /etc/shipper
      shipper init --dry-run
      shipper init --json --dry-run | jq .packs
      sudo shipper init /etc/shipper | sudo tee -a /etc/shipper/shipper.toml
    """
    say("Looking at the logs of this host…", "dim")
    configuration = directory / "shipper.toml"
    if os.path.lexists(configuration):
        return _compare(configuration, dry_run=dry_run, as_json=as_json)
    there = rule_files_in(directory / "rules.d")
    findings = _find(Existing(rule_ids=rule_ids(there)))
    files = _files(directory, findings)
    trial = try_out(directory, files, there)
    if trial.passed and not dry_run:
        write_new(files, agent_user())
    if as_json:
        written = [str(file) for file in files] if trial.passed and not dry_run else []
        _print_json({**findings.as_json(), "written": written, "problems": [str(each) for each in trial.problems]})
    else:
        say_findings(findings)
    if dry_run and not as_json:
        for file, text in files.items():
            data().out(f"# ==> {file} <==\n{text}")
    return _conclude(directory, files, trial, dry_run=dry_run)


def _find(existing: Existing) -> Findings:
    """Find what a configuration does not have yet."""
    user = agent_user()
    logs = find_logs(PLACE, user)
    fitting = fit(propose(logs), running(PLACE.proc))
    fitting.packs = [pack for pack in fitting.packs if not existing.has(pack)]
    proposals = propose([log for log in logs if not existing.covers(log)], existing.source_names)
    return Findings(proposals, fitting, notes_of(logs), user.pw_name if user is not None else None)


def _files(directory: Path, findings: Findings) -> dict[Path, str]:
    """Give the texts of the new files: the configuration comes last, when its rules are there."""
    rules = directory / "rules.d"
    files = {rules / pack.name: pack_text(pack) for pack in findings.fitting.packs}
    files[rules / "first.toml"] = rules_text(rules / "first.toml", findings.fitting)
    new = {file: text for file, text in files.items() if not os.path.lexists(file)}
    for file in files.keys() - new.keys():
        say(f"{file}: there already, and left as it is", "yellow")
    return {**new, directory / "shipper.toml": configuration_text(findings.proposals, findings.notes)}


def _conclude(directory: Path, files: Mapping[Path, str], trial: Trial, *, dry_run: bool) -> int:
    """Say how it went, and what comes next; gives the exit code."""
    if not trial.passed:
        say_problems(trial.problems)
        say("Nothing was written: it would not pass `shipper check` and `shipper test`.", "bold red")
        return 1
    # its warnings, such as that no credentials are there yet
    say_problems(trial.problems)
    if dry_run:
        say(f"It would pass: {trial.counts()}. Nothing was written.", "green")
        return 0
    rules = counted(len(files) - 1, "rule file")
    say(
        f"Written: {directory / 'shipper.toml'}, and {rules} in {directory / 'rules.d'}. They pass: {trial.counts()}.",
        "green",
    )
    say("Next:", "bold")
    for each in next_commands(directory):
        say(f"  {each}")
    return 0


def _compare(configuration: Path, *, dry_run: bool, as_json: bool) -> int:
    """Tell what a configuration that is there does not have; gives the exit code."""
    existing = read_existing(configuration)
    if existing.is_broken:
        say(f"{configuration}: there already, and left as it is. It cannot be read:", "yellow")
        say(f"  shipper check -c {shlex.quote(str(configuration))}    # says why")
        return 1
    findings = _find(existing)
    if as_json:
        _print_json({**findings.as_json(), "written": [], "problems": []})
    else:
        say_findings(findings, copied=False)
    say(f"{configuration}: there already, and left as it is.", "yellow")
    if not findings.proposals and not findings.fitting.packs:
        say("It has all logs that were found, and the packs that fit.", "green")
        return 0
    if findings.proposals:
        say("It does not read the logs above. To add their sources, append what is printed on stdout:")
        whose = "sudo " if agent_user() is not None or os.geteuid() == 0 else ""
        quoted = shlex.quote(str(configuration))
        say(f"  shipper init {shlex.quote(str(configuration.parent))} | {whose}tee -a {quoted}")
        if not as_json:
            data().out(sources_text(findings.proposals))
    if findings.fitting.packs:
        say("It does not have these packs; to add them:")
        files = " ".join(shlex.quote(str(pack.file)) for pack in findings.fitting.packs)
        say(f"  cp {files} {shlex.quote(str(configuration.parent / 'rules.d'))}/")
    return 0 if dry_run else 1


def _print_json(found: Mapping[str, object]) -> None:
    data().out(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
