"""Rules that take too long again and again are set aside, for longer each time, and what passes meanwhile is noted."""

from __future__ import annotations

from shipper.matching.quarantine import FIRST_ASIDE, STRIKES, STRIKES_WITHIN, Quarantine, Released, SetAside
from tests.matching.test_engine import block


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_strikes_within_a_minute_set_a_rule_aside() -> None:
    clock = Clock()
    rules = Quarantine(clock)
    for _ in range(STRIKES - 1):
        rules.strike("slow")
        rules.strike("other")
    assert rules.aside == frozenset()
    rules.strike("slow")

    assert rules.aside == {"slow"}
    assert rules.take_news() == [SetAside("slow", FIRST_ASIDE)]
    assert rules.take_news() == []


def test_strikes_that_are_rare_are_forgiven() -> None:
    clock = Clock()
    rules = Quarantine(clock)
    for _ in range(10 * STRIKES):
        rules.strike("slow")
        clock.now += STRIKES_WITHIN / (STRIKES - 1) + 0.1
    assert rules.aside == frozenset()


def test_a_rule_judges_again_after_its_time_which_doubles() -> None:
    clock = Clock()
    rules = Quarantine(clock)
    for expected in (FIRST_ASIDE, 2 * FIRST_ASIDE, 4 * FIRST_ASIDE):
        for _ in range(STRIKES):
            rules.strike("slow")
        assert rules.take_news() == [SetAside("slow", expected)]
        clock.now += expected - 1
        rules.release()
        assert rules.aside == {"slow"}
        clock.now += 1
        rules.release()
        assert rules.aside == frozenset()
        assert rules.take_news() == [Released("slow", {}, 0)]


def test_what_it_did_not_see_is_noted_by_file_and_offsets() -> None:
    clock = Clock()
    rules = Quarantine(clock)
    for _ in range(STRIKES):
        rules.strike("slow")
    rules.take_news()
    rules.pass_by("slow", block(b"x" * 10, offset=100))
    rules.pass_by("slow", block(b"x" * 10, offset=110))
    rules.release_all()

    assert rules.take_news() == [Released("slow", {"/var/log/app.log": (100, 120)}, 0)]
