"""What is told of the rules and of what they judge."""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING

from shipper.telemetry import journal

if TYPE_CHECKING:
    from collections.abc import Mapping


def storm_began(rule: str, backlog: int, *, folds: bool, told: bool) -> None:
    """Tell that a rule makes events faster than they can be sent; said again after a while at the earliest."""
    journal.count("storms")
    if told:
        return
    rest = (
        "further ones are folded into one that tells how many they were"
        if folds
        else "the files that feed it wait once the queue is full"
    )
    journal.tell(
        logging.WARNING,
        "storm_began",
        f"A storm: of rule '{rule}' more than {backlog} events wait (storm_backlog). They are sent in turn with those "
        f"of the other rules; {rest}. Nothing is lost; `[rule.throttle]` would keep it quiet.",
        rule=rule,
        backlog=backlog,
    )


def record_missed(rule: str, path: str, offset: int) -> None:
    """Tell that the scan did not propose a record that a rule matches: a fault of ours, mended at a price."""
    journal.count("records_missed")
    journal.tell(
        logging.ERROR,
        "record_missed",
        f"The scan missed that rule '{rule}' matches the record at offset {offset} of {path}; from now on it judges "
        "every record, which is slower. Records before this one may have been missed: please report the pattern.",
        rule=rule,
        path=path,
        offset=offset,
    )


def rule_set_aside(rule: str, seconds: float) -> None:
    """Tell that a rule judges nothing for a while, for it took too long again and again."""
    journal.count("rules_set_aside")
    said = (
        f"Rule '{rule}' took longer than match_timeout again and again: it is set aside for {seconds / 60:g} minutes "
        "and judges nothing meanwhile. Other rules go on. Mend its pattern: a reload takes it up at once."
    )
    journal.tell(logging.ERROR, "rule_set_aside", said, rule=rule, seconds=seconds)


def rule_released(rule: str, unseen: Mapping[str, tuple[int, int]], more: int) -> None:
    """Tell that a rule judges again, what it has not seen, and how to make that good."""
    journal.tell(logging.WARNING, "rule_released", f"Rule '{rule}' judges again.", rule=rule)
    for path, (first, behind) in unseen.items():
        said = (
            f"Rule '{rule}' did not judge {path} from offset {first} to {behind}; to make that good: "
            f"shipper backfill --rules RULE_FILE {shlex.quote(path)}"
        )
        journal.tell(logging.WARNING, "rule_unseen", said, rule=rule, path=path, first=first, behind=behind)
    if more:
        said = f"Nor did rule '{rule}' judge what came in {more} more files."
        journal.tell(logging.WARNING, "rule_unseen_files", said, rule=rule, files=more)


def record_not_judged(rule: str, path: str, offset: int, length: int) -> None:
    """Tell that a rule took too long on a record: it counts as no match, noted by place and never by text."""
    journal.count("records_not_judged")
    journal.tell(
        logging.WARNING,
        "record_not_judged",
        f"Rule '{rule}' did not finish within match_timeout on the {length} bytes at offset {offset} of {path}; "
        "the record counts as not matched.",
        rule=rule,
        path=path,
        offset=offset,
        length=length,
    )


def configuration_warning(problem: str) -> None:
    """Tell something about the configuration or the rules that works but deserves a look."""
    journal.tell(logging.WARNING, "configuration_warning", problem)


def reloaded(rules: int) -> None:
    """Tell that other rules and sources are in force."""
    journal.count("reloads")
    journal.tell(logging.INFO, "reloaded", f"Reloaded: {rules} rules are in force.", rules=rules)


def reload_refused(problem: str) -> None:
    """Tell one problem for which nothing was reloaded; what was in force stays."""
    journal.count("reloads_refused")
    journal.tell(logging.ERROR, "reload_refused", f"Nothing was reloaded, what was in force stays: {problem}")


def rules_refused(problem: str, in_force: str) -> None:
    """Tell one thing that is wrong with the rule files, and which rules are in force."""
    journal.count("reloads_refused")
    journal.tell(logging.ERROR, "rules_refused", f"The rule files are not fit, {in_force} in force: {problem}")


def rules_not_kept(reason: str) -> None:
    """Tell that the next start, if the rule files are broken then, has no good rules to fall back on."""
    journal.tell(
        logging.WARNING, "rules_not_kept", f"The rules in force cannot be kept in the state directory: {reason}"
    )


def restart_needed(keys: str) -> None:
    """Tell which changes of the configuration wait for a restart."""
    journal.tell(logging.WARNING, "restart_needed", f"Changes of {keys} take effect when the agent is restarted.")
