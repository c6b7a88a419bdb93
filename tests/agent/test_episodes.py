"""What comes and goes is told once, what lasts is always told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipper.agent.episodes import LASTS, QUIET, Episodes


def test_trouble_is_told_once_for_each_kind() -> None:
    """However long it lasts; and its end."""
    episodes = Episodes()
    told = [episodes.fails(kind, now) for now, kind in enumerate(["a", "a", "b", "a", "b"])]
    assert told == [True, False, True, False, False]
    assert not any(episodes.fails("a", QUIET * n) for n in range(1, 20))
    assert episodes.ends()


def test_what_comes_again_soon_is_counted_unless_it_lasts() -> None:
    """The count is told with the next line."""
    episodes = Episodes()
    assert episodes.fails("a", 0.0)
    assert episodes.ends()
    for n in range(1, 4):
        assert not episodes.fails("a", 10.0 * n)
        assert not episodes.ends()
    assert not episodes.fails("a", 100.0)
    assert not episodes.fails("a", 100.0 + LASTS - 1)
    assert episodes.fails("a", 100.0 + LASTS)
    assert episodes.take_untold() == 3
    assert episodes.ends()
    assert episodes.take_untold() == 0
    assert episodes.fails("a", 100.0 + LASTS + QUIET)


def test_an_end_without_trouble_is_no_news() -> None:
    """Every request that is accepted is one."""
    episodes = Episodes()
    assert not episodes.ends()
    assert episodes.take_untold() == 0


@given(
    happenings=st.lists(
        st.tuples(st.floats(0.01, 30), st.sampled_from(["good", "a", "b", "c"])), min_size=1, max_size=300
    )
)
def test_lines_are_few_and_trouble_that_lasts_is_among_them(happenings: list[tuple[float, str]]) -> None:
    """Of each kind one in ten minutes, and one for each minute of trouble; ends as many as beginnings at most."""
    episodes, now, began, lines, ends = Episodes(), 0.0, None, 0, 0
    told_of_this = False
    for after, kind in happenings:
        now += after
        if kind == "good":
            assert episodes.ends() == told_of_this
            ends += told_of_this
            began, told_of_this = None, False
            continue
        began = now if began is None else began
        told = episodes.fails(kind, now)
        told_of_this |= told
        lines += told
        if now - began >= LASTS:
            assert told_of_this
    assert lines <= 3 * (1 + now / QUIET) + now / LASTS
    assert ends <= lines
