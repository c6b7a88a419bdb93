"""The values that travel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.events import wire_time

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_the_documented_form() -> None:
    """API reference, section 4."""
    moment = datetime(2017, 10, 23, 14, 44, 39, 948_999, timezone(timedelta(hours=8)))

    assert wire_time(moment) == "20171023T144439.948+0800"
    assert wire_time(datetime(2026, 1, 2, tzinfo=UTC)) == "20260102T000000.000+0000"
    assert (
        wire_time(datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))) == "20260102T000000.000-0330"
    )


@given(st.datetimes(timezones=OFFSETS))
def test_every_time_is_the_same_moment_on_the_wire(moment: datetime) -> None:
    """To the millisecond, whatever the zone."""
    read = datetime.strptime(wire_time(moment), "%Y%m%dT%H%M%S.%f%z")

    assert read == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_a_time_without_zone_is_refused() -> None:
    """It would mean another moment on each host."""
    with pytest.raises(ValueError, match="needs a zone"):
        wire_time(datetime(2026, 1, 1))  # noqa: DTZ001
