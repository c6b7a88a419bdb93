"""Which generations of a log are new: by their stamps, and by what was there before where stamps tell nothing."""

from __future__ import annotations

from shipper.events import FileIdentity, History
from shipper.tailing.discovery import Found
from shipper.tailing.histories import STAMP_NS, STEP_NS, Histories

LOG = "/l/app.log"
HOUR = 3600 * 10**9
NOW = 1000 * HOUR


def found(*modified: int) -> list[Found]:
    return [Found(f"{LOG}.{n}", FileIdentity(1, n), 1, stamp, f"{LOG}*") for n, stamp in enumerate(modified)]


def new(histories: Histories, *modified: int, watermark: int, now: int = NOW) -> list[int]:
    return [file.modified for file in histories.unaccounted(LOG, found(*modified), watermark, now)]


def test_without_a_history_only_the_watermark_tells() -> None:
    """The first look at a log takes what is older for what was there before (hazard 1.2)."""
    assert new(Histories({}), NOW - HOUR, NOW - 5, NOW - 4, NOW, watermark=NOW - 4) == [NOW - 4, NOW]
    assert new(Histories({}), NOW - HOUR, watermark=NOW + HOUR) == []


def test_a_clock_that_was_set_back_is_outdone_by_what_was_there() -> None:
    """While the watermark lies in the future, what was not there is new, however old it looks (hazard 9.3)."""
    histories = Histories({LOG: History((NOW - 9 * HOUR, NOW + HOUR))})

    assert new(histories, NOW + HOUR, NOW - 9 * HOUR, NOW - 8 * HOUR, watermark=NOW + 2 * HOUR) == [NOW - 8 * HOUR]


def test_what_a_clock_hid_that_was_set_back_is_looked_for_until_all_is_accounted_for() -> None:
    """Also when it was set forward again, or another process looks, before everything could be read (hazard 9.3)."""
    histories = Histories({LOG: History((NOW - 9 * HOUR,))})
    new(histories, watermark=NOW + 2 * HOUR)
    assert histories.changes() == {LOG: History((NOW - 9 * HOUR,), set_back=True)}
    assert new(histories, NOW - 9 * HOUR, NOW - 8 * HOUR, watermark=NOW - 2 * HOUR) == [NOW - 8 * HOUR]
    histories.account(LOG, found(NOW - 8 * HOUR), NOW)

    assert histories.changes() == {LOG: History((NOW - 8 * HOUR,))}
    assert new(histories, NOW - 9 * HOUR, NOW - 8 * HOUR, watermark=NOW - 2 * HOUR) == []


def test_what_became_doubtful_is_looked_for_until_all_is_accounted_for() -> None:
    """From a moment on, and by another process too; what is older stays accounted for (hazards 1.2, 1.7)."""
    histories = Histories({LOG: History((NOW - 9 * HOUR, NOW - 8 * HOUR))})
    histories.doubt(LOG, NOW - 8 * HOUR)
    changes = histories.changes()

    assert changes == {LOG: History((NOW - 9 * HOUR,), set_back=True)}
    again = Histories({log: history for log, history in changes.items() if history})
    assert new(again, NOW - 9 * HOUR, NOW - 8 * HOUR, watermark=NOW) == [NOW - 8 * HOUR]


def test_a_small_step_back_is_outdone_although_the_clock_has_passed_the_watermark_again() -> None:
    """Up to an hour; what is still older and was not there was put there by somebody, and is left alone (9.3)."""
    histories = Histories({LOG: History((NOW - 20,))})

    assert new(histories, NOW - 20, NOW - 10, NOW - 10 - STEP_NS, watermark=NOW - 5) == [NOW - 10]


def test_what_is_written_now_is_never_taken_for_what_was_there() -> None:
    """Another generation may get the same coarse stamp within the same moment (hazard 1.5)."""
    histories = Histories({})
    histories.account(LOG, found(NOW - 1, NOW - STAMP_NS - 1, NOW + HOUR), NOW)

    assert histories.changes() == {LOG: History((NOW - STAMP_NS - 1, NOW + HOUR))}
    assert new(histories, NOW - 1, NOW - STAMP_NS - 1, watermark=NOW + HOUR) == [NOW - 1]


def test_only_what_changed_is_recorded_and_what_is_no_more_goes() -> None:
    """A look that finds what was there costs the store nothing (hazard 5.5)."""
    histories = Histories({LOG: History((1, 2)), "/l/other.log": History((3,))})
    histories.account(LOG, found(2, 1), NOW)
    assert histories.changes() == {}
    histories.account(LOG, found(2), NOW)
    histories.keep({LOG})
    changes = histories.changes()

    assert changes == {LOG: History((2,)), "/l/other.log": None}
    histories.recorded(changes)
    assert histories.changes() == {}
