"""A status in the text format of Prometheus: base units, counters that end in `_total`, labels that stay few.

Paths are labels only as long as there are few files: each would be a series of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from shipper.agent.status import Health
from shipper.events import LostBytes, LostEvents
from shipper.printable import printable_path
from shipper.tailing.condition import FileState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from shipper.agent.status import Files, Process, Queue, Reload, RuleHits, Status

CONTENT_TYPE = CONTENT_TYPE_LATEST
MOST_LABELLED_FILES = 100
"""With more files than these none has series of its own."""


def exposition(status: Status) -> bytes:
    """Give what `/metrics` answers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(status))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status
        is_healthy = status.health in {Health.HEALTHY, Health.DEGRADED}
        yield _gauge(
            "shipper_healthy", "Whether the agent does its work: 0 when `shipper status` exits with 1.", is_healthy
        )
        bad = GaugeMetricFamily(
            "shipper_finding", "Something that is wrong, see `shipper status`.", labels=["what", "health"]
        )
        for what, health in sorted({(finding.what, finding.health.value) for finding in status.findings}):
            bad.add_metric([what, health], 1)
        yield bad
        if status.process is not None:
            yield from _process(status.process)
        if status.reload is not None:
            yield from _reload(status.reload)
        if status.files is not None:
            yield from _files(status.files)
        yield from _queue(status.queue)
        yield from _rules(status.rules or ())
        yield from self._delivery()
        yield _counter(
            "shipper_read_bytes", "Bytes of logs that were matched, in the life of the store.", status.bytes_read
        )
        reasons: Mapping[str, type[LostBytes | LostEvents]] = {"bytes": LostBytes, "events": LostEvents}
        for what, known in reasons.items():
            lost = CounterMetricFamily(
                f"shipper_lost_{what}", f"{what.capitalize()} that are lost for good.", labels=["reason"]
            )
            # also before the first loss, or nobody would see that it has increased
            amounts = {str(reason): 0 for reason in known}
            amounts |= {loss.reason: loss.amount for loss in status.losses if loss.what == what}
            for reason, amount in amounts.items():
                lost.add_metric([reason], amount)
            yield lost
        yield _gauge("shipper_dead_letters", "Events that the service refused and that are kept.", status.dead_letters)
        yield _gauge("shipper_unjudged_places", "Places in logs that a rule did not judge in time.", status.unjudged)

    def _delivery(self) -> Iterator[Metric]:
        sent = self._status.delivery
        if sent is None:
            return
        yield _counter("shipper_events_delivered", "Events that the service accepted.", sent.delivered)
        yield _counter("shipper_events_refused", "Events that the service refused for good.", sent.refused)
        yield _counter("shipper_requests_failed", "Requests that were not accepted and are sent again.", sent.failed)
        yield _counter(
            "shipper_requests_throttled", "Requests that were too fast for the account's limit.", sent.throttled
        )
        said = "When events were last accepted, since the epoch; 0 as long as none were since the agent started."
        accepted_at = 0.0 if sent.accepted_at is None else sent.accepted_at.timestamp()
        yield _gauge("shipper_last_accepted_timestamp_seconds", said, accepted_at)
        if sent.rate is not None:
            yield _gauge("shipper_allowed_requests_per_second", "This host's share of the account's limit.", sent.rate)
        said = "Seconds that the service's clock is ahead; 0 while both agree within a minute."
        yield _gauge("shipper_clock_offset_seconds", said, sent.clock_offset)


def _process(process: Process) -> Iterator[Metric]:
    info = GaugeMetricFamily("shipper_build_info", "The version that runs.", labels=["version", "scanner"])
    info.add_metric([process.version, process.scanner], 1)
    yield info
    yield _gauge(
        "shipper_start_time_seconds", "When the agent started, since the epoch.", process.started_at.timestamp()
    )
    ages = GaugeMetricFamily("shipper_loop_age_seconds", "Since a loop last began something.", labels=["loop"])
    ages.add_metric(["intake"], max(0.0, process.intake_age))
    ages.add_metric(["uploader"], max(0.0, process.uploader_age))
    yield ages


def _reload(reload: Reload) -> Iterator[Metric]:
    yield _gauge("shipper_rules", "Rules that are in force.", reload.rules)
    said = "Since when these rules are in force, since the epoch."
    yield _gauge("shipper_rules_loaded_timestamp_seconds", said, reload.at.timestamp())
    said = "Whether the rule files are as they are in force: 0 when what they say now was refused."
    yield _gauge("shipper_rules_current", said, reload.refused is None)
    said = "Whether all is in force that shipper.toml says: 0 when a reload was refused, or keys wait for a restart."
    yield _gauge("shipper_configuration_current", said, reload.configuration is None)


def _files(files: Files) -> Iterator[Metric]:
    states = GaugeMetricFamily("shipper_files", "Files by what is done with them.", labels=["state"])
    for state in FileState:
        states.add_metric([state.value], files.states.get(state, 0))
    yield states
    yield _gauge("shipper_lag_bytes", "Bytes that are there and not read yet, of all files.", files.lag)
    yield _gauge("shipper_lag_seconds", "How long ago the longest waiting file was written to.", files.lag_seconds)
    yield _gauge("shipper_held_deleted_bytes", "Bytes of deleted files that are held open.", files.held_deleted_bytes)
    if files.count > MOST_LABELLED_FILES:
        return
    by_file = {
        "lag": "Bytes of a file that are not read yet.",
        "size": "Bytes that a file has.",
        "offset": "Bytes of a file before its offset.",
    }
    # generations of one log may have the same path
    newest = {printable_path(each.path): each for each in reversed(files.listed)}
    for what, said in by_file.items():
        family = GaugeMetricFamily(f"shipper_file_{what}_bytes", said, labels=["path"])
        for path, each in sorted(newest.items()):
            if (amount := getattr(each, what)) is not None:
                family.add_metric([path], amount)
        yield family


def _queue(queue: Queue) -> Iterator[Metric]:
    yield _gauge("shipper_queue_events", "Events that wait to be sent.", queue.events)
    yield _gauge("shipper_queue_bytes", "Encoded bytes of these.", queue.bytes)
    yield _gauge("shipper_queue_limit_bytes", "How many may wait, `max_queue_bytes`.", queue.limit)
    by_rule = GaugeMetricFamily("shipper_queue_rule_events", "Events of a rule that wait.", labels=["rule"])
    for rule in queue.rules:
        by_rule.add_metric([rule.rule], rule.events)
    yield by_rule


def _rules(rules: Iterable[RuleHits]) -> Iterator[Metric]:
    found = list(rules)
    counters: Mapping[str, tuple[str, str]] = {
        "shipper_rule_matches": ("Records that a rule matched and did not ignore.", "matched"),
        "shipper_rule_ignored": ("Records that a rule ignored.", "ignored"),
        "shipper_rule_searches": ("Records that a rule was asked about.", "judged"),
        "shipper_rule_search_seconds": ("Time that a rule's searches took.", "seconds"),
        "shipper_rule_timeouts": ("Searches that took longer than match_timeout.", "timed_out"),
        "shipper_rule_below_threshold": ("Matches that made no event yet.", "below"),
        "shipper_rule_held_back": ("Events that a throttle held back.", "held"),
        "shipper_rule_redaction_failures": ("Records of which nothing is shown.", "redaction_failed"),
    }
    for name, (said, attribute) in counters.items():
        family = CounterMetricFamily(name, said, labels=["rule"])
        for rule in found:
            family.add_metric([rule.id], getattr(rule, attribute))
        yield family
    last = GaugeMetricFamily(
        "shipper_rule_last_match_timestamp_seconds", "Time of the record that a rule matched last.", labels=["rule"]
    )
    for rule in found:
        if rule.last is not None:
            last.add_metric([rule.id], rule.last.timestamp())
    yield last


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=float(value))


def _counter(name: str, said: str, value: float) -> Metric:
    return CounterMetricFamily(name, said, value=value)
