"""Rules take turns: against a plain model, and what that means for the quiet rules beside a storm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shipper.outbox.store import Store
from shipper.outbox.turns import Turns
from tests.outbox.test_store import encode, event

if TYPE_CHECKING:
    from pathlib import Path

STORM = 100_000


class TurnsMachine(RuleBasedStateMachine):
    """`Turns` and a list of lists get the same."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.waiting: dict[str, list[int]] = {}
        self.given: list[int] = []
        self.last = 0

    @rule(name=st.sampled_from("abcdef"), gap=st.integers(0, 3), count=st.integers(1, 300))
    def join(self, name: str, gap: int, count: int) -> None:
        """Runs of consecutive numbers, and single ones."""
        numbers = range(self.last + 1 + gap, self.last + 1 + gap + count)
        self.turns.join(name, numbers)
        self.waiting.setdefault(name, []).extend(numbers)
        self.last = numbers[-1]

    @rule(limit=st.integers(1, 700))
    def give(self, limit: int) -> None:
        """Round by round, one of each."""
        longest = max(map(len, self.waiting.values()), default=0)
        rounds = [line[place] for place in range(longest) for line in self.waiting.values() if place < len(line)]
        self.given = self.turns.next(limit)
        assert self.given == rounds[:limit]

    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        """Some of those that were given leave, and some that are gone already."""
        taken = data.draw(st.lists(st.sampled_from(self.given), unique=True)) if self.given else []
        by_number = {number: name for name, line in self.waiting.items() for number in line}
        # one that is gone: its rule is known, as the store knows it
        served = [(by_number.get(number, "a"), number) for number in taken]
        self.turns.serve(served)
        in_order_of_their_last = reversed(dict.fromkeys(name for name, _ in reversed(served)))
        for name in in_order_of_their_last:
            left = [number for number in self.waiting.pop(name, ()) if number not in taken]
            if left:
                self.waiting[name] = left

    @rule(upto=st.integers(0, 2000))
    def drop(self, upto: int) -> None:
        """The oldest go, those that were given stay."""
        stay = frozenset(self.given)
        self.turns.drop_through(upto, stay)
        left = {n: [number for number in line if number > upto or number in stay] for n, line in self.waiting.items()}
        self.waiting = {name: line for name, line in left.items() if line}

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """All that wait are given when all are asked for."""
        everybody = sum(map(len, self.waiting.values()))
        assert sorted(self.turns.next(everybody + 1)) == sorted(n for line in self.waiting.values() for n in line)


TestTurns = TurnsMachine.TestCase


def test_an_event_behind_a_storm_is_in_the_next_batch(tmp_path: Path) -> None:
    """Also after a restart; and the storm has what the others leave (spec, section 6)."""
    store = Store(tmp_path, encode)
    for begin in range(0, STORM, 10_000):
        store.record([], [event(n, "storm") for n in range(begin, begin + 10_000)])
    store.record([], [event(n, "quiet") for n in range(3)])
    for _ in range(2):
        assert [waiting.rule for waiting in store.next_events(100)].count("quiet") == 3
        store.close()
        store = Store(tmp_path, encode)
    store.acknowledge([waiting for waiting in store.next_events(100) if waiting.rule == "quiet"])

    batch = store.next_events(100)
    assert [waiting.payload for waiting in batch] == [f"content {n}".encode() for n in range(100)]
    store.close()


def test_more_rules_than_a_batch_holds_are_all_served_before_any_again(tmp_path: Path) -> None:
    """The turn goes on behind the last event that was settled."""
    store = Store(tmp_path, encode)
    store.record([], [event(n, f"rule {n % 250}") for n in range(1000)])
    served: list[str] = []
    for _ in range(5):
        batch = store.next_events(50)
        served += [waiting.rule for waiting in batch]
        store.acknowledge(batch)

    assert len(set(served)) == 250
    store.close()


def test_a_big_queue_takes_little_memory() -> None:
    """Eight bytes an event at most, and a storm next to nothing."""
    turns = Turns()
    turns.join("storm", range(1, 1_000_001))
    for number in range(1_000_001, 1_100_001, 2):
        turns.join("even", [number])
        turns.join("odd", [number + 1])

    assert len(turns._lines["storm"]._far) == 2
    assert turns._lines["even"]._far.itemsize * len(turns._lines["even"]._far) == 8 * 50_000
