"""From the bytes of a line to what the service holds: nothing on the way changes a character."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipper.cloudmonitor import batching
from shipper.cloudmonitor.client import Client, require_accepted
from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.events import Block, Origin, wire_time
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.outbox.store import Store

NOW = datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC)
RULE = textwrap.dedent(
    """\
    [[rule]]
    id = "all"
    match = '(?s)^(?<all>.*)$'
    event = "{all}"
    content = "{all}"
    group_id = 42
      [rule.time]
      field = "all"
      format = "never %Y-%m-%dT%H:%M:%S never"
    """
)


@dataclass(frozen=True, slots=True)
class Stations:
    """The stations of the product's path, as the agent joins them; a client comes with each example."""

    engine: Engine
    store: Store
    emulator: Emulator


@pytest.fixture(scope="module")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stations]:
    directory: Path = tmp_path_factory.mktemp("round-trip")
    file = directory / "rules.toml"
    file.write_text(RULE, encoding="utf-8")
    rules = load_rules([file])[0].rules
    store = Store(directory, batching.encode)
    with Emulator(Settings(qps=0, remember=100)) as emulator:
        yield Stations(Engine(rules, Host("h", "192.0.2.1"), 5.0), store, emulator)
        store.close()
        assert emulator.violations == ()


LINES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60),
        st.text('{}|"\\/\x00\x07\x1b\x7f\x85\u2028\u2029\ufeff\ufffe\U0001f98a\U0010ffff%s$', max_size=20),
        st.sampled_from(["{all}", "{0.__class__}", "{line}", "{{", "</script>", "\\ud800", "\\u0000", "%(x)s", "null"]),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(LINES)
@example(['{"content": "x"}', "\x00\x01\x1f", "é ſ İ 内存 🦊", "'; DROP TABLE outbox; --"])
def test_any_text_reaches_the_service_as_it_stood_in_the_line(stations: Stations, lines: list[str]) -> None:
    """Name, content, group and time survive templates, JSON, outbox, HTTP and signature unchanged (spec, section 5)."""
    data = "".join(f"{line}\n" for line in lines).encode()
    block = Block(Origin("app", "utf-8", UTC), "/l.log", data, 1, b"", NOW)
    stations.store.record([], stations.engine.match(block))
    waiting = stations.store.next_events(batching.MAX_EVENTS)
    with Client(stations.emulator.url, "testkey", "testsecret", ip="192.0.2.1") as client:
        require_accepted(client.send(batching.body([event.payload for event in waiting])))
    stations.store.acknowledge(waiting)

    # what ends a line is not in it, and an event always has a name
    texts = [line.removesuffix("\r") for line in lines]
    held = stations.emulator.events()[-len(lines) :]
    assert [(event.name, event.content, event.group_id, event.time) for event in held] == [
        (text if text.strip() else "all", text, 42, wire_time(NOW)) for text in texts
    ]
    assert stations.store.waiting_count == 0
