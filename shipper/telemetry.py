"""One function for each notable happening: one sentence in the log, one count.

ERROR means that data was lost or a person must act; WARNING is surprising but nothing is lost; INFO is a change
of condition. Nothing is said per line or per event, and never a secret or a log line's content.
The codes are stable names for programs that read the log (`log_format = "json"`).
"""

from __future__ import annotations

import logging
import shlex
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from shipper.printable import printable, printable_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_log = logging.getLogger("shipper")
_lock = threading.Lock()
_counts: Counter[str] = Counter()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        return f"{moment.isoformat(timespec='milliseconds')} {record.levelname:<7} {printable(record.getMessage())}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "code": getattr(record, "code", ""),
            "message": record.getMessage(),
        }
        fields.update(getattr(record, "fields", {}))
        # the name of a file may be no UTF-8, which JSON cannot hold
        told = {name: printable_path(value) if isinstance(value, str) else value for name, value in fields.items()}
        return orjson.dumps(told, default=str).decode()


class _StderrHandler(logging.Handler):
    """Writes to what stderr is now: a progress bar puts itself between, so that lines and bar do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except OSError:
            # nobody reads the log any more; the work goes on
            self.handleError(record)


def configure(level: str, form: str) -> None:
    """Send the product's log to stderr, as `log_level` and `log_format` say."""
    handler = _StderrHandler()
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    _log.handlers[:] = [handler]
    _log.propagate = False
    _log.setLevel(level.upper())


def counts() -> dict[str, int]:
    """Give a copy of all counts since the process began."""
    with _lock:
        return dict(_counts)


def _count(name: str, amount: int = 1) -> None:
    with _lock:
        _counts[name] += amount


def _tell(level: int, code: str, sentence: str, **fields: object) -> None:
    _log.log(level, "%s", sentence, extra={"code": code, "fields": fields})


def store_set_aside(
    file: str,
    aside: str,
    reason: str,
    *,
    kept: Mapping[str, int],
    partial: Sequence[str],
    missing_events: int,
    missing_dead_letters: int,
    reread: bool,
) -> None:
    """Tell that a damaged store is moved away, and what of it is in the new one (hazard 5.3).

    Args:
        file: the store.
        aside: where the damaged one is kept.
        reason: what is wrong with it.
        kept: rows in the new one, by table.
        partial: tables that could not be read as a whole.
        missing_events: waiting events known to be missing.
        missing_dead_letters: dead letters known to be missing, counted as lost.
        reread: whether all files are read again, for the sake of waiting events that may be missing.
    """
    _count("stores_set_aside")
    names = {"files": "positions", "outbox": "waiting events", "dead_letters": "dead letters"}
    # a backfill's positions are those of contents
    counts = {**kept, "files": kept["files"] + kept.get("passes", 0)}
    saved = ", ".join(f"{counts[table]} {name}" for table, name in names.items())
    sentence = f"The store {file} is damaged ({reason}) and is set aside as {aside}; {saved} are saved from it. "
    if partial:
        sentence += f"Not all could be read of: {', '.join(names.get(table, table) for table in partial)}. "
    if missing_dead_letters:
        sentence += f"{missing_dead_letters} dead letters are missing by their numbers (events lost, store_damaged). "
    if reread:
        known = f" ({missing_events} are missing by their numbers)" if missing_events else ""
        sentence += f"Since waiting events may be missing{known}, all files are read again from their beginning"
    else:
        sentence += "Files without a position are read from their beginning"
    _tell(
        logging.ERROR,
        "store_set_aside",
        f"{sentence}, so events may arrive twice.",
        file=file,
        aside=aside,
        reason=reason,
        kept=dict(kept),
        partial=list(partial),
        missing_events=missing_events,
        missing_dead_letters=missing_dead_letters,
        reread=reread,
    )


def store_damaged(reason: str) -> None:
    """Tell that damage of the store came to light while it was in use: the agent ends (hazard 5.3)."""
    _count("store_failures")
    _tell(
        logging.ERROR,
        "store_damaged",
        f"{reason}. The agent ends; its next start sets the store aside and saves from it what can be read.",
        reason=reason,
    )


def store_migrated(file: str, before: int, after: int, copy: str) -> None:
    """Tell that an older store is brought to this version, and where it is kept as it was (hazard 10.4)."""
    _tell(
        logging.INFO,
        "store_migrated",
        f"The store {file} is brought from version {before} to {after}; as it was it is kept as {copy}.",
        file=file,
        before=before,
        after=after,
        copy=copy,
    )


def events_dropped(amount: int, *, told: bool = False) -> None:
    """Tell that waiting events were dropped since the queue is full; while it stays so, further ones are counted."""
    _count("events_dropped", amount)
    if told:
        return
    _tell(
        logging.ERROR,
        "events_dropped",
        f"{amount} waiting events are dropped, the oldest first: the queue holds more than max_queue_bytes, and "
        "overflow is 'drop_oldest'. Until there is room again further ones are only counted (events lost, "
        "queue_full).",
        events=amount,
    )


def storm_began(rule: str, backlog: int, *, folds: bool, told: bool) -> None:
    """Tell that a rule makes events faster than they can be sent; said again after a while at the earliest."""
    _count("storms")
    if told:
        return
    rest = (
        "further ones are folded into one that tells how many they were"
        if folds
        else "the files that feed it wait once the queue is full"
    )
    _tell(
        logging.WARNING,
        "storm_began",
        f"A storm: of rule '{rule}' more than {backlog} events wait (storm_backlog). They are sent in turn with those "
        f"of the other rules; {rest}. Nothing is lost; `[rule.throttle]` would keep it quiet.",
        rule=rule,
        backlog=backlog,
    )


def file_found(path: str, offset: int) -> None:
    """Tell that a file is read from now on."""
    _count("files_found")
    _tell(logging.INFO, "file_found", f"Reading {path} from offset {offset}.", path=path, offset=offset)


def file_resumed(path: str, offset: int) -> None:
    """Tell that a known file is read on from its checkpoint."""
    _count("files_resumed")
    _tell(logging.INFO, "file_resumed", f"Reading {path} on from offset {offset}.", path=path, offset=offset)


def file_rewritten(path: str, offset: int, copy: str | None) -> None:
    """Tell that a file was truncated or its content replaced (hazards 1.3, 1.5)."""
    _count("files_rewritten")
    rest = f"what was left unread is read from {copy}" if copy else "no copy holds more of what it was"
    _tell(
        logging.INFO,
        "file_rewritten",
        f"{path} was truncated or rewritten after offset {offset}; {rest}; the file is read from 0.",
        path=path,
        offset=offset,
    )


def file_finished(path: str, offset: int) -> None:
    """Tell that a rotated or deleted file was read to its end and closed."""
    _count("files_finished")
    _tell(logging.INFO, "file_finished", f"Finished {path} at offset {offset}.", path=path, offset=offset)


def rest_found(path: str, before: str, offset: int) -> None:
    """Tell that the rest of a rotated file was found under another name (hazard 1.6)."""
    _count("rests_found")
    _tell(
        logging.INFO,
        "rest_found",
        f"{path} holds what is left of {before}; reading it from offset {offset}.",
        path=path,
        before=before,
        offset=offset,
    )


def generation_found(path: str, of: str) -> None:
    """Tell that a generation came and was rotated away between two looks, and is read now (hazard 1.2)."""
    _count("generations_found")
    _tell(
        logging.INFO,
        "generation_found",
        f"{path} was rotated away from {of} before it was seen; reading it from its beginning.",
        path=path,
        of=of,
    )


def rest_not_found(path: str, offset: int) -> None:
    """Tell that a file went away while nobody looked; whether something was left unread is not known (hazard 1.6)."""
    _count("rests_not_found")
    _tell(
        logging.WARNING,
        "rest_not_found",
        f"{path}, read up to offset {offset}, was rotated or deleted while the agent was down and is not found "
        "in its directory nor under the source's `rotated` globs; lines after that offset, if any, are not read.",
        path=path,
        offset=offset,
    )


def file_skipped(path: str, source: str, reason: str) -> None:
    """Tell, once for each reason, why a path that a source matches is not read."""
    _count("files_skipped")
    _tell(
        logging.WARNING,
        "file_skipped",
        f"{path} (source '{source}') is not read: {reason}.",
        path=path,
        source=source,
        reason=reason,
    )


def bytes_lost(path: str, reason: str, amount: int, *, told: bool = False) -> None:
    """Tell that bytes of a file will never be read; further ones of a reason that was told are only counted."""
    _count("bytes_lost", amount)
    if told:
        return
    _tell(
        logging.ERROR,
        "bytes_lost",
        f"{amount} bytes of {path} are lost: {reason}.",
        path=path,
        reason=reason,
        bytes=amount,
    )


def format_not_kept(path: str, form: str) -> None:
    """Tell, once for each file, that lines are not in the format that their source says (hazards 4.2, 4.3)."""
    _count("formats_not_kept")
    _tell(
        logging.WARNING,
        "format_not_kept",
        f"{path} has lines that are not in the format '{form}'; they are matched as they are.",
        path=path,
        format=form,
    )


def file_failed(path: str, reason: str) -> None:
    """Tell that an open file cannot be read any more; it is opened again by the next scan (hazard 2.3)."""
    _count("files_failed")
    _tell(logging.WARNING, "file_failed", f"{path} cannot be read now: {reason}.", path=path, reason=reason)


def directory_not_watched(directory: str, reason: str) -> None:
    """Tell that a directory gives no hints, so that it is only polled (hazard 2.2)."""
    _count("directories_not_watched")
    sentence = f"{directory} cannot be watched ({reason}); it is looked at every second instead."
    _tell(logging.WARNING, "directory_not_watched", sentence, directory=directory, reason=reason)


def store_failing(reason: str) -> None:
    """Tell, once, that the store cannot be written: reading waits, nothing is lost (hazard 5.4)."""
    _count("store_failures")
    _tell(logging.ERROR, "store_failing", f"Reading waits: {reason}.", reason=reason)


def store_recovered() -> None:
    """Tell that the store can be written again."""
    _tell(logging.INFO, "store_recovered", "The store can be written again; reading goes on.")


def reading_paused(reason: str) -> None:
    """Tell, once, that no new lines are read because there is no room for their events."""
    _count("pauses")
    _tell(logging.WARNING, "reading_paused", f"Reading pauses: {reason}. Nothing is lost while the logs are kept.")


def reading_resumed() -> None:
    """Tell that reading goes on."""
    _tell(logging.INFO, "reading_resumed", "There is room again; reading goes on.")


def events_delivered(amount: int) -> None:
    """Count events that the service accepted."""
    _count("events_delivered", amount)
    _count("requests_accepted")


def event_refused(rule: str, event_id: str, code: str, message: str) -> None:
    """Tell that the service refused one event for good: it is kept as a dead letter."""
    _count("events_refused")
    _tell(
        logging.ERROR,
        "event_refused",
        f"The service refused an event of rule '{rule}' (id {event_id}) with {code}: {message} "
        "It is kept among the dead letters.",
        rule=rule,
        event_id=event_id,
        answer=code,
    )


def refusals_taken_back(count: int, words: str) -> None:
    """Tell that events which were refused one after the other are kept: it is the account that is refused."""
    said = (
        f"{count} different events of several rules were refused in a row with the same words ({words}): it is taken "
        "for a refusal of the account, and they wait again."
    )
    _tell(logging.WARNING, "refusals_taken_back", said, events=count, reason=words)


def events_redated(count: int) -> None:
    """Count events older than `max_event_age` that were sent with the present time."""
    _count("events_redated", count)


def send_slots_unavailable(path: str, reason: str) -> None:
    """Tell that agent and backfill cannot share the account's requests; each finds its own share then."""
    said = f"The send slots in {path} cannot be shared: {reason}. Agent and backfill each find their own pace."
    _tell(logging.WARNING, "send_slots_unavailable", said, path=path, reason=reason)


def off_by(seconds: float) -> str:
    """Say how far this host's clock is off one that is so many seconds ahead of it: `7 s behind`, `7 s ahead of`."""
    return f"{abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'}"


def clock_off(seconds: float) -> None:
    """Tell that this host's clock is far from the service's, and that requests are signed with the service's."""
    said = (
        f"This host's clock is {off_by(seconds)} the service's: set it. "
        "Requests are signed with the service's time meanwhile."
    )
    _tell(logging.WARNING, "clock_off", said, seconds=seconds)


def clock_right() -> None:
    """Tell that this host's clock agrees with the service's again."""
    _tell(logging.INFO, "clock_right", "This host's clock agrees with the service's again.")


def accepted_with_remark(code: str, message: str) -> None:
    """Tell that a request was accepted with another code than 200 (API reference, section 5.4, rule 7)."""
    sentence = f"The service accepted a request with code {code}: {message}"
    _tell(logging.WARNING, "accepted_with_remark", sentence, answer=code)


def request_failed() -> None:
    """Count a request that was not accepted."""
    _count("requests_failed")


def slowed_down(rate: float, words: str) -> None:
    """Tell that the service took requests for too fast: so an agent finds its share of the account's quota."""
    _tell(
        logging.INFO,
        "slowed_down",
        f"The service asks for fewer requests ({words}); at most {rate:.2g} a second for now.",
        rate=rate,
        reason=words,
    )


def request_throttled() -> None:
    """Count a request that the service took for too fast."""
    _count("requests_throttled")


def delivery_failing(words: str) -> None:
    """Tell that events cannot be delivered now, once for each kind of trouble; they are kept."""
    _tell(logging.WARNING, "delivery_failing", f"Events cannot be delivered now and are kept: {words}.", reason=words)


def delivery_recovered(failures: int) -> None:
    """Tell that events are delivered again."""
    sentence = f"Events are delivered again after {failures} failed requests."
    _tell(logging.INFO, "delivery_recovered", sentence, failures=failures)


def delivery_waits_for_store(reason: str) -> None:
    """Tell that an answer could not be noted in the store; the events may be sent again."""
    _count("store_failures")
    _tell(logging.ERROR, "delivery_waits_for_store", f"Delivery waits: {reason}.", reason=reason)


def record_missed(rule: str, path: str, offset: int) -> None:
    """Tell that the scan did not propose a record that a rule matches: a fault of ours, mended at a price."""
    _count("records_missed")
    _tell(
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
    _count("rules_set_aside")
    said = (
        f"Rule '{rule}' took longer than match_timeout again and again: it is set aside for {seconds / 60:g} minutes "
        "and judges nothing meanwhile. Other rules go on. Mend its pattern: a reload takes it up at once."
    )
    _tell(logging.ERROR, "rule_set_aside", said, rule=rule, seconds=seconds)


def rule_released(rule: str, unseen: Mapping[str, tuple[int, int]], more: int) -> None:
    """Tell that a rule judges again, what it has not seen, and how to make that good."""
    _tell(logging.WARNING, "rule_released", f"Rule '{rule}' judges again.", rule=rule)
    for path, (first, behind) in unseen.items():
        said = (
            f"Rule '{rule}' did not judge {path} from offset {first} to {behind}; to make that good: "
            f"shipper backfill --rules RULE_FILE {shlex.quote(path)}"
        )
        _tell(logging.WARNING, "rule_unseen", said, rule=rule, path=path, first=first, behind=behind)
    if more:
        said = f"Nor did rule '{rule}' judge what came in {more} more files."
        _tell(logging.WARNING, "rule_unseen_files", said, rule=rule, files=more)


def record_not_judged(rule: str, path: str, offset: int, length: int) -> None:
    """Tell that a rule took too long on a record: it counts as no match, noted by place and never by text."""
    _count("records_not_judged")
    _tell(
        logging.WARNING,
        "record_not_judged",
        f"Rule '{rule}' did not finish within match_timeout on the {length} bytes at offset {offset} of {path}; "
        "the record counts as not matched.",
        rule=rule,
        path=path,
        offset=offset,
        length=length,
    )


def agent_started(rules: int, sources: int, endpoint: str) -> None:
    """Tell that the agent runs."""
    sentence = f"Started: {rules} rules, {sources} sources, events go to {endpoint}."
    _tell(logging.INFO, "agent_started", sentence, rules=rules, sources=sources, endpoint=endpoint)


def agent_stopping(waiting: int) -> None:
    """Tell that reading has ended and the outbox is being sent."""
    _tell(logging.INFO, "agent_stopping", f"Stopping: {waiting} events wait to be sent.", waiting=waiting)


def agent_stopped(delivered: int, waiting: int) -> None:
    """Tell how it ended."""
    left = f"; {waiting} wait in the store for the next start" if waiting else ""
    sentence = f"Stopped: {delivered} events were delivered{left}."
    _tell(logging.INFO, "agent_stopped", sentence, delivered=delivered, waiting=waiting)


def loop_failed(name: str) -> None:
    """Tell that one of the loops met an error nobody foresaw; the agent ends so that its supervisor restarts it."""
    _count("loops_failed")
    _log.error(
        "%s", f"The {name} loop failed; the agent stops.", exc_info=True, extra={"code": "loop_failed", "fields": {}}
    )


def configuration_warning(problem: str) -> None:
    """Tell something about the configuration or the rules that works but deserves a look."""
    _tell(logging.WARNING, "configuration_warning", problem)


def reloaded(rules: int) -> None:
    """Tell that other rules and sources are in force."""
    _count("reloads")
    _tell(logging.INFO, "reloaded", f"Reloaded: {rules} rules are in force.", rules=rules)


def reload_refused(problem: str) -> None:
    """Tell one problem for which nothing was reloaded; what was in force stays."""
    _count("reloads_refused")
    _tell(logging.ERROR, "reload_refused", f"Nothing was reloaded, what was in force stays: {problem}")


def rules_refused(problem: str, in_force: str) -> None:
    """Tell one thing that is wrong with the rule files, and which rules are in force."""
    _count("reloads_refused")
    _tell(logging.ERROR, "rules_refused", f"The rule files are not fit, {in_force} in force: {problem}")


def rules_not_kept(reason: str) -> None:
    """Tell that the next start, if the rule files are broken then, has no good rules to fall back on."""
    _tell(logging.WARNING, "rules_not_kept", f"The rules in force cannot be kept in the state directory: {reason}")


def restart_needed(keys: str) -> None:
    """Tell which changes of the configuration wait for a restart."""
    _tell(logging.WARNING, "restart_needed", f"Changes of {keys} take effect when the agent is restarted.")


def emulator_store_failed(reason: str) -> None:
    """Tell that the emulator could not keep events and answered 500; the client keeps them."""
    _count("emulator_store_failures")
    _tell(
        logging.ERROR,
        "emulator_store_failed",
        f"The emulator cannot write its store ({reason}); it answers 500 until it can.",
        reason=reason,
    )


def emulator_failed(error: BaseException) -> None:
    """Tell of a mistake of our own in the emulator: a connection ended without its answer."""
    _count("emulator_failures")
    _log.error("The emulator failed on a request.", exc_info=error, extra={"code": "emulator_failed", "fields": {}})


def http_listens(address: str) -> None:
    """Tell where metrics and health can be asked for."""
    _tell(logging.INFO, "http_listens", f"Metrics and health are served on http://{address}/.", address=address)


def http_failed(error: BaseException) -> None:
    """Tell of a mistake of our own: a question over HTTP ended without its answer."""
    _count("http_failures")
    _log.error(
        "A question over HTTP could not be answered.", exc_info=error, extra={"code": "http_failed", "fields": {}}
    )


def control_unavailable(path: str, reason: str) -> None:
    """Tell that the agent cannot be asked how it is; it works all the same."""
    _tell(
        logging.WARNING,
        "control_unavailable",
        f"The socket {path} cannot be made ({reason}); `shipper status` shows what the store knows.",
        path=path,
        reason=reason,
    )


def control_failed(reason: str) -> None:
    """Count a question on the agent's socket that was broken off, by who asked or for want of descriptors."""
    _count("questions_failed")
    _tell(logging.DEBUG, "control_failed", f"A question on the agent's socket ended early: {reason}.", reason=reason)


def control_broken(error: BaseException) -> None:
    """Tell of a mistake of our own: a question on the agent's socket that could not be answered."""
    _count("questions_failed")
    _log.error("The agent failed on a question.", exc_info=error, extra={"code": "control_broken", "fields": {}})


def watches_exhausted(directory: str, amount: int, remedy: str) -> None:
    """Tell that the kernel gives no more watches, so that directories are only polled (hazard 2.2)."""
    _count("directories_not_watched", amount)
    more = f" and {amount - 1} more" if amount > 1 else ""
    _tell(
        logging.WARNING,
        "watches_exhausted",
        f"The limit of watched directories is reached: {remedy}. {directory}{more} cannot be watched; "
        "looked at every second instead, nothing is lost.",
        directory=directory,
        directories=amount,
    )


def inotify_not_begun(reason: str, remedy: str) -> None:
    """Tell that no directory can be watched, so that all are only polled (hazard 2.2)."""
    _count("watchers_not_begun")
    _tell(
        logging.WARNING,
        "inotify_not_begun",
        f"No directory can be watched ({reason}): {remedy}. All are looked at every second instead, nothing is lost.",
        reason=reason,
    )


def file_system_polled(directory: str, kind: str) -> None:
    """Tell, once for a mounted file system, that it does not tell all changes and is polled (hazard 2.3)."""
    _count("file_systems_polled")
    _tell(
        logging.INFO,
        "file_system_polled",
        f"{directory} lies on a file system of type {kind}, which does not tell of every change; "
        "it is looked at every second.",
        directory=directory,
        kind=kind,
    )


def hints_overflowed(*, tell: bool) -> None:
    """Count that more happened in the watched directories than could be told; all of them are looked at (hazard 2.2).

    Args:
        tell: say so in the log, too; a storm would otherwise fill it.
    """
    _count("hints_overflowed")
    if tell:
        _tell(
            logging.INFO,
            "hints_overflowed",
            "More changed in the watched directories than the kernel could tell; "
            "all of them are looked at at once, nothing is lost. Further times are counted, not told, for 10 minutes.",
        )
