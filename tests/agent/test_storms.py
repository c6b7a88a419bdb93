"""A storm of one rule: nothing is lost, every count is exact, and the other rules' events are on time (hazard 6.4)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.agent.health import Vitals, judge
from shipper.agent.stored import read_stored
from shipper.config.model import StoreTable
from shipper.events import Event
from shipper.matching.folding import MOST_APART, Folds
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store
from tests.agent.test_health import NOW
from tests.agent.test_intake import Reading

RULES = "".join(
    f"[[rule]]\nid = '{name}'\nmatch = '{word} (?<n>\\d+)'\nevent = '{event}'\ncontent = '{{n}}'\n"
    for name, word, event in (("storm", "ERROR", "Storm"), ("quiet", "RARE", "Quiet"))
)
BACKLOG = 1000
MORE = re.compile(r"(\d+) more between \S+ and \S+: (\d+)")


def read(root: Path, limits: StoreTable) -> Reading:
    return Reading(root, limits, watched=False, rules=RULES)


def told(sent: list[tuple[str, str]], name: str) -> int:
    """How many matches the events of a name tell of."""
    found = [(content, MORE.fullmatch(content)) for event, content in sent if event == name]
    return sum(int(more[1]) if more else 1 for _, more in found)


def steps(reading: Reading, count: int = 1) -> None:
    reading.intake._lookout.scan_now()
    for _ in range(count):
        reading.intake.step(reading.intake._clock.monotonic())
    reading.intake._commits.commit()


def send(store: Store) -> list[tuple[str, str]]:
    """One batch, as the uploader does it."""
    batch = store.next_events(100)
    store.acknowledge(batch)
    return [(each["name"], each["content"]) for each in (orjson.loads(waiting.payload) for waiting in batch)]


@pytest.mark.parametrize("storm", ["keep", "fold"])
def test_every_count_is_exact_and_a_quiet_rule_is_in_the_next_batch(
    tmp_path: Path, storm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """10,000 lines of a storm, more of them with every batch that is sent, and now and then one of a quiet rule."""
    limits = StoreTable(storm=storm, storm_backlog=BACKLOG, min_free_disk=0)
    reading = read(tmp_path, limits)
    reading.write(*(f"ERROR {n}" for n in range(10_000)))
    steps(reading, 30)
    written, sent, most = 10_000, [], 0
    for turn in range(40):
        reading.write(*(f"ERROR {n}" for n in range(written, written + 300)))
        reading.write(f"RARE {turn}", name="b.log")
        written += 300
        steps(reading, 2)
        most = max(most, reading.store.waiting_count)
        batch = send(reading.store)
        sent += batch
        assert ("Quiet", str(turn)) in batch
    if storm == "fold":
        with_folded = read_stored(StoreReader(tmp_path), 1)
        assert most <= BACKLOG + 10
        storms = tuple(rule for rule in with_folded.queue.rules if rule.folded)
        (finding,) = judge(Vitals(NOW, 0, 0, 0, 0, storms=storms), [])
        assert f"{with_folded.queue.rules[0].folded} more were folded" in finding.reason
    while reading.store.waiting_count:
        sent += send(reading.store)
        steps(reading)

    assert told(sent, "Storm") == written
    assert told(sent, "Quiet") == 40
    assert (len([1 for name, _ in sent if name == "Storm"]) == written) == (storm == "keep")
    assert [getattr(record, "code", "") for record in caplog.records].count("storm_began") == 1
    reading.store.close()


def test_what_was_folded_survives_the_end_of_the_agent(tmp_path: Path) -> None:
    """It is in the commit of the offsets; also an agent that folds no more tells it."""
    limits = StoreTable(storm="fold", storm_backlog=100, min_free_disk=0)
    reading = read(tmp_path, limits)
    reading.write(*(f"ERROR {n}" for n in range(5000)))
    steps(reading, 10)
    waiting = reading.store.waiting_count
    reading.intake.close()
    reading.store.close()
    assert waiting == 100

    store = Store(tmp_path, lambda event: orjson.dumps({"name": event.name, "content": event.content}))
    sent = []
    while store.waiting_count:
        sent += send(store)
    folds = Folds(store.limits())
    (closing,) = folds.close("storm")
    store.record([], [closing], limits=folds.changes())
    sent += send(store)

    assert told(sent, "Storm") == 5000
    assert not store.limits()
    store.close()


EVENTS = st.builds(
    Event,
    name=st.sampled_from(["a", "b"]),
    content=st.text(max_size=5),
    group_id=st.integers(0, 1),
    time=st.just(NOW),
    rule=st.sampled_from(["r", "s"]),
    path=st.sampled_from(["/p", "/\udcff"]),
    offset=st.just(0),
    id=st.just("0" * 32),
)


@given(st.lists(st.one_of(EVENTS, st.sampled_from(["r", "s", "death", "commit"])), max_size=60))
def test_folding_counts_as_a_counter_does(steps: list[Event | str]) -> None:
    """By rule, name and group; an agent that dies goes on from its last commit."""
    saved: dict[tuple[str, bytes], tuple[object, ...]] = {}
    folds, model, committed = Folds(), Counter[tuple[str, str, int]](), Counter[tuple[str, str, int]]()
    for step in steps:
        if isinstance(step, Event):
            folds.add(step)
            model[step.rule, step.name, step.group_id] += 1
        elif step == "commit":
            for state in folds.changes():
                saved.pop((state.rule, state.key), None)
                if state.state is not None:
                    saved[state.rule, state.key] = state
            folds.recorded()
            committed = model.copy()
        elif step == "death":
            folds, model = Folds(saved.values()), committed.copy()  # type: ignore[arg-type]
        else:
            found = {
                (each.rule, each.name, each.group_id): int(each.content.split(" ", 1)[0]) for each in folds.close(step)
            }
            assert found == {key: count for key, count in model.items() if key[0] == step and count}
            for key in found:
                del model[key]


def test_event_names_without_end_are_folded_within_bounds() -> None:
    """The rest shares one closing event, and every match is counted."""
    folds = Folds()
    for n in range(10 * MOST_APART):
        folds.add(Event(f"name {n}", "", 0, NOW, "r", "/p", 0, "0" * 32))
    closing = folds.close("r")

    assert len(closing) == MOST_APART + 1
    assert sum(int(event.content.split(" ")[0]) for event in closing) == 10 * MOST_APART
