"""The page for those who run many hosts (docs/operations.md) is held to what it speaks of."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipper.agent.backpressure import HARD_LIMIT
from shipper.cloudmonitor.batching import MAX_BYTES, MAX_EVENTS, encode
from shipper.cloudmonitor.emulator import Settings
from shipper.config.model import StoreTable
from shipper.events import Event
from shipper.outbox.store import Store
from shipper.tailing.following import MAX_OPEN
from tests.pages import ROOT, Page

STORE = StoreTable()
PAGE = Page(ROOT / "docs/operations.md")
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "packaging/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def rows(text: str) -> list[list[str]]:
    """Give the cells of the rows of tables, without their headings."""
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in found if not set(row[0]) <= set("|-")]


def test_each_alert_has_a_row_that_says_what_to_do() -> None:
    """In the order of the file; each leads to where more is told."""
    told = {row[0].strip("`"): row[2] for row in rows(PAGE.text) if re.fullmatch(r"`Shipper\w+`", row[0])}
    missing = [rule["alert"] for rule in ALERTS if rule["alert"] not in told]
    assert missing == [], f"docs/operations.md, Alerts, has no row for {missing}"
    assert list(told) == [rule["alert"] for rule in ALERTS]
    assert [name for name, action in told.items() if not re.search(r"\]\((troubleshooting|limits)\.md", action)] == []


def test_metrics_that_it_names_are_served() -> None:
    """Those in its queries, by the table of metrics, which is held to what is served."""
    served = (ROOT / "docs/metrics.md").read_text()
    named = set(re.findall(r"\bshipper_[a-z_]+[a-z]\b", PAGE.text)) - {"shipper_rule"}
    assert len(named) >= 10
    assert [name for name in named if f"`{name}" not in served] == []


def test_no_alert_needs_a_metric_that_the_page_leaves_out() -> None:
    (dropped,) = re.findall(r"regex: (\S+)", PAGE.text)
    named = {name for rule in ALERTS for name in re.findall(r"shipper_\w+", rule["expr"])}
    assert re.fullmatch(dropped, "shipper_rule_searches_total")
    assert [name for name in named if re.fullmatch(dropped, name)] == []


def test_the_hours_that_a_queue_lasts_are_right() -> None:
    table = PAGE.text.split("<!-- queue -->\n")[1].split("<!-- end -->")[0]
    found = rows(table)[1:]
    assert len(found) >= 5
    for rate, size, hours in found:
        assert float(hours) == pytest.approx(STORE.max_queue_bytes / int(size) / float(rate) / 3600, rel=0.01)


def test_an_event_takes_on_the_disk_what_the_page_says(tmp_path: Path) -> None:
    """Half as much again for events of 200 bytes."""
    now = datetime.now(UTC)
    events = [Event("AppDiskFull", "x" * 118, 0, now, "r", "/var/log/app.log", n, f"{n:032x}") for n in range(20_000)]
    with closing(Store(tmp_path, encode)) as store:
        for first in range(0, len(events), 500):
            store.record([], events[first : first + 500])
        waiting = store.waiting_bytes
    assert waiting / len(events) == pytest.approx(200, abs=5)
    assert 1.2 < (tmp_path / "shipper.db").stat().st_size / waiting < 1.5


@pytest.mark.parametrize(
    "said",
    [
        f"The default of {STORE.max_queue_bytes >> 20} MiB lasts",
        f"`min_free_disk`, {STORE.min_free_disk >> 20} MiB",
        f"beyond `storm_backlog`, {STORE.storm_backlog:,} events",
        f"16 bytes for each of `remember_delivered`, {STORE.remember_delivered:,}",
        f"takes {Settings().qps} requests a second",
        f"each with up to {MAX_EVENTS} events and {MAX_BYTES:,} bytes",
        f"at most {MAX_OPEN:,} logs are open at once",
        "(2,000 × 0.9 − events per second" if Settings().qps * MAX_EVENTS == 2000 else "another quota",
        "At twice `max_queue_bytes` no file is" if HARD_LIMIT == 2 else "another limit",
    ],
)
def test_numbers_are_those_of_the_program(said: str) -> None:
    assert said in " ".join(PAGE.text.split())
