"""The times that records say: which are found, what they mean, and that no text can hurt the search."""

from __future__ import annotations

import locale
import re
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.matching.timestamps import REACH, find_time, parse_format

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")

# What find_time makes of a record: isoformat of the result, None for "no timestamp".
KINDS = [
    ("2026-11-23T10:00:00", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23T10:00:00Z started", "2026-11-23T10:00:00+00:00"),
    ("2026-11-23t10:00:00z started", "2026-11-23T10:00:00+00:00"),
    ("2026-11-23T10:00Z", "2026-11-23T10:00:00+00:00"),
    ("2026-11-23 10:00 started", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23T10:00:00.5+08:00", "2026-11-23T10:00:00.500000+08:00"),
    ("2026-11-23T10:00:00,123+0900", "2026-11-23T10:00:00.123000+09:00"),
    ("2026-11-23T10:00:00.123456789-07", "2026-11-23T10:00:00.123456-07:00"),
    ("2026-11-23T10:00:00.1234567890 x", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23T10:00:00+05:45[Asia/Kathmandu]", "2026-11-23T10:00:00+05:45"),
    ("2026-11-23T10:00:00+09:00: hello", "2026-11-23T10:00:00+09:00"),
    ("It ended at 2026-11-23T10:00:00+09:00.", "2026-11-23T10:00:00+09:00"),
    ("It ended at 2026-11-23 10:00:00.", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23 10:00: hello", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23 10:00:00Z: hello", "2026-11-23T10:00:00+00:00"),
    ("2026-11-23 10:00:00.123456789 +0900 JST m=+0.1", "2026-11-23T10:00:00.123456+09:00"),
    ("2026-11-23 10:00:00 - no zone", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23 10:00:00,123 INFO [main] com.example.Foo - hello", "2026-11-23T10:00:00.123000+08:00"),
    ("2026/11/23 10:00:00 [error] 123#0: *1 open() failed", "2026-11-23T10:00:00+08:00"),
    ("2026/1/3 9:05:07 started", "2026-01-03T09:05:07+08:00"),
    ("Nov 23 10:00:00 host sshd[1]: hello", "2026-11-23T10:00:00+08:00"),
    ("Nov  3 10:00:00 host sshd[1]: hello", "2026-11-03T10:00:00+08:00"),
    ("<34>Nov 23 10:00:00.123 host sshd[1]: hello", "2026-11-23T10:00:00.123000+08:00"),
    ("Nov 23 10:00:00 2031 is the host's name", "2026-11-23T10:00:00+08:00"),
    ("Nov 23, 2025 2:03:04 PM org.apache.catalina.Startup", "2025-11-23T14:03:04+08:00"),
    ("Nov 23, 2025 12:03:04 AM org.apache.catalina.Startup", "2025-11-23T00:03:04+08:00"),
    ("Nov 23 2025 10:00:00 UTC: %ASA-6-302013: hello", "2025-11-23T10:00:00+00:00"),
    ("Mon Nov 23 2026 10:00:00 GMT+0900 (JST)", "2026-11-23T10:00:00+09:00"),
    ('1.2.3.4 - - [23/Nov/2026:10:00:00 +0900] "GET / HTTP/1.1" 200', "2026-11-23T10:00:00+09:00"),
    ("1234:M 23 Nov 2026 10:00:00.123 * Ready", "2026-11-23T10:00:00.123000+08:00"),
    ("[23-Nov-2026 10:00:00 UTC] PHP Fatal error", "2026-11-23T10:00:00+00:00"),
    ("Date: Mon, 23 Nov 2026 10:00:00 GMT", "2026-11-23T10:00:00+00:00"),
    ("[Mon Nov 23 10:00:00.123456 2025] [core:error] hello", "2025-11-23T10:00:00.123456+08:00"),
    ("Mon Nov 23 10:00:00 UTC 2026", "2026-11-23T10:00:00+00:00"),
    ("Mon Nov 23 10:00:00 CST 2026", "2026-11-23T10:00:00+08:00"),
    ("2026-11-23 10:00:00.123 UTC [12] LOG:  hello", "2026-11-23T10:00:00.123000+00:00"),
    ("2026-11-23 10:00:00.123 EST [12] LOG:  hello", "2026-11-23T10:00:00.123000+08:00"),
    ("2026-11-23 10:00:00.123 -03 [12] LOG:  hello", "2026-11-23T10:00:00.123000-03:00"),
    ("<165>1 2026-11-23T10:00:00.000003-07:00 host app - - hello", "2026-11-23T10:00:00.000003-07:00"),
    ("1700000000 hello", "2023-11-15T06:13:20+08:00"),
    ("1700000000.123    200 1.2.3.4 TCP_MISS", "2023-11-15T06:13:20.123000+08:00"),
    ("[1700000000.123456] usb 1-1: hello", "2023-11-15T06:13:20.123456+08:00"),
    ('{"ts": "1700000000123"}', "2023-11-15T06:13:20.123000+08:00"),
    ("level=info ts=1700000000.1234567 hello", "2023-11-15T06:13:20.123456+08:00"),
    ("1000000000 hello", "2001-09-09T09:46:40+08:00"),
    ("4133980799 hello", "2101-01-01T07:59:59+08:00"),
    ("2026年11月23日 10:00:00 错误", "2026-11-23T10:00:00+08:00"),
    ("时间2026年1月3日9时05分07秒 错误", "2026-01-03T09:05:07+08:00"),
    ("20261123 10:00:00 hello", "2026-11-23T10:00:00+08:00"),
    ("I20261123 10:00:00.123456 12 main.cc:1] hello", "2026-11-23T10:00:00.123456+08:00"),
    ("20261123T100000Z hello", "2026-11-23T10:00:00+00:00"),
    ("20261123T100000.5+0100 hello", "2026-11-23T10:00:00.500000+01:00"),
    ("2026-11-23T23:59:60.7Z hello", "2026-11-23T23:59:59.999000+00:00"),
    # The first one that a clock can show wins.
    ("2026-11-23 10:00:01 read file of 2020-01-01 00:00:00", "2026-11-23T10:00:01+08:00"),
    ("2026-13-01 10:00:00 Nov 31 10:00:00 2026-11-23 10:00:02", "2026-11-23T10:00:02+08:00"),
    ("2026-11-23 25:00:00 [23/Nov/2026:10:00:03 +0800]", "2026-11-23T10:00:03+08:00"),
    ("2026-11-23 10:00:61", None),
    ("2026-11-23 24:00:00", None),
    ("2026-11-23T24:00:00+08:00", None),
    ("2026-02-29 10:00:00", None),
    ("2026-11-23T10:00:00+25:00", None),
    ("Mon Nov 23 10:00:00 +9900 2026", "2026-11-23T10:00:00+08:00"),
    ("Nov 23, 2026 13:00:00 PM", None),
    ("0001-01-01 00:00:00", None),
    ("0001-01-01T00:00:00Z", None),
    ("1969-12-31 23:59:59", None),
    ("9999-12-31 23:59:59", None),
    ("9999-12-31T23:59:59+00:00", None),
    # Numbers that are no time.
    ("order 1700000000 is paid", None),
    ("17000000001 hello", None),
    ("1700000000.12 hello", None),
    ("1700000000abc hello", None),
    ("0999999999 hello", None),
    ("4133980800 hello", None),
    ("12026-11-23 10:00:00", None),
    ("2026-11-23", None),
    ("10:00:00 hello", None),
    ("xNov 23 10:00:00 hello", None),
    ("２０２６-11-23 10:00:00", None),
    ("2026-11-23 ١٠:00:00", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), KINDS)
def test_each_common_kind_is_found_and_means_what_its_writer_meant(text: str, expected: str | None) -> None:
    """A timestamp of a common kind is read to the digit; what no clock shows is passed over."""
    found = find_time(text, REFERENCE, SHANGHAI)
    assert (found.isoformat() if found else None) == expected


def test_a_timestamp_behind_the_beginning_is_the_messages() -> None:
    """A timestamp counts, whole, when it begins in the first REACH characters, and not behind them."""
    stamp = "2026-11-23T10:00:00.123456+08:00"
    last = find_time("x" * (REACH - 2) + " " + stamp, REFERENCE, UTC)
    assert last is not None
    assert last.isoformat() == stamp
    assert find_time("x" * (REACH - 1) + " " + stamp, REFERENCE, UTC) is None


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("Dec 31 23:59:59", "2027-01-01T00:00:01", "2026-12-31T23:59:59"),
        ("Jan  1 00:00:01", "2026-12-31T23:59:59", "2027-01-01T00:00:01"),
        ("Jan  1 00:00:00", "2027-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("Dec 31 23:59:59", "2026-12-31T00:00:00", "2026-12-31T23:59:59"),
        ("Dec 31 00:00:00", "2026-12-30T00:00:00", "2026-12-31T00:00:00"),
        ("Dec 31 00:00:01", "2026-12-30T00:00:00", "2025-12-31T00:00:01"),
        ("Nov 24 12:00:00", "2026-11-23T12:00:00", "2026-11-24T12:00:00"),
        ("Nov 24 12:00:01", "2026-11-23T12:00:00", "2025-11-24T12:00:01"),
        ("Nov 23 12:00:00", "2026-06-01T00:00:00", "2025-11-23T12:00:00"),
        ("Feb 29 12:00:00", "2026-11-23T12:00:00", "2024-02-29T12:00:00"),
        ("Feb 29 12:00:00", "2028-02-28T12:00:00", "2028-02-29T12:00:00"),
        ("Feb 29 12:00:00", "2028-02-28T11:59:59", "2024-02-29T12:00:00"),
        ("Feb 29 12:00:00", "2104-01-01T00:00:00", "2096-02-29T12:00:00"),
        ("Feb 30 12:00:00", "2026-11-23T12:00:00", None),
    ],
)
def test_a_missing_year_is_the_nearest(text: str, reference: str, expected: str | None) -> None:
    """A syslog time gets the year nearest to the reference, at most a day after it (hazard 9.1)."""
    now = datetime.fromisoformat(reference).replace(tzinfo=UTC)
    wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None
    assert find_time(text, now, UTC) == wanted
    assert parse_format("syslog").read(text, now, UTC) == wanted
    assert parse_format("%b %d %T").read(text, now, UTC) == wanted


def test_the_year_is_the_writers_not_the_readers() -> None:
    """New Year comes earlier in Shanghai: its Jan 1 belongs to the new year while the reference is still in the old."""
    reference = datetime(2026, 12, 31, 16, 0, 5, tzinfo=UTC)
    found = find_time("Jan  1 00:00:04 host", reference, SHANGHAI)
    assert found == reference - timedelta(seconds=1)


DST = [
    (BERLIN, "2026-03-29 01:59:59", "2026-03-29T01:59:59+01:00"),
    (BERLIN, "2026-03-29 02:30:00", "2026-03-29T03:30:00+02:00"),
    (BERLIN, "2026-03-29 03:00:00", "2026-03-29T03:00:00+02:00"),
    (BERLIN, "2026-10-25 01:59:59", "2026-10-25T01:59:59+02:00"),
    (BERLIN, "2026-10-25 02:30:00", "2026-10-25T02:30:00+02:00"),
    (BERLIN, "2026-10-25 03:00:00", "2026-10-25T03:00:00+01:00"),
    (NEW_YORK, "2026-03-08 01:59:59", "2026-03-08T01:59:59-05:00"),
    (NEW_YORK, "2026-03-08 02:30:00", "2026-03-08T03:30:00-04:00"),
    (NEW_YORK, "2026-03-08 03:00:00", "2026-03-08T03:00:00-04:00"),
    (NEW_YORK, "2026-11-01 00:59:59", "2026-11-01T00:59:59-04:00"),
    (NEW_YORK, "2026-11-01 01:30:00", "2026-11-01T01:30:00-04:00"),
    (NEW_YORK, "2026-11-01 02:00:00", "2026-11-01T02:00:00-05:00"),
]


@pytest.fixture(name="host_zone")
def fixture_host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """Let the host be in the parameter's zone."""
    zone: ZoneInfo = request.param
    monkeypatch.setenv("TZ", zone.key)
    time.tzset()
    yield zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("zone", "text", "expected"), DST)
def test_the_clocks_change(zone: ZoneInfo, text: str, expected: str) -> None:
    """Of two readings the first is taken, a skipped time is shifted forward by the gap (hazard 9.2)."""
    found = find_time(text, REFERENCE, zone)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(("host_zone", "text", "expected"), DST, indirect=["host_zone"])
def test_without_a_zone_the_hosts_is_meant(host_zone: ZoneInfo, text: str, expected: str) -> None:
    """With no zone given a time is the host's, by the same rules for clock changes."""
    found = find_time(text, REFERENCE, None)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize("host_zone", [BERLIN, NEW_YORK], indirect=True)
def test_epochs_and_missing_years_know_the_hosts_zone(host_zone: ZoneInfo) -> None:
    """Epochs are shown, and syslog times meant, in the host's zone when no zone is given."""
    for text in ("1700000000", "Nov 23 01:00:00 host"):
        here = find_time(text, REFERENCE, None)
        there = find_time(text, REFERENCE, host_zone)
        assert here is not None
        assert there is not None
        assert here.isoformat() == there.isoformat()


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
@pytest.mark.parametrize("day", [(2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1)])
def test_every_minute_of_a_change_day(zone: ZoneInfo, day: tuple[int, int, int]) -> None:
    """Minute by minute, a local time that exists once is read back exactly; one of a fold as the first."""
    midnight = datetime(*day, tzinfo=zone).astimezone(UTC)
    for minute in range(24 * 60):
        local = (midnight + timedelta(minutes=minute)).astimezone(zone)
        found = find_time(local.strftime("%Y-%m-%d %H:%M:%S"), REFERENCE, zone)
        assert found is not None
        assert found == local.replace(fold=0).astimezone(UTC)
        assert found.utcoffset() == local.replace(fold=0).utcoffset()


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("iso8601", "order 1700000000 at 2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00.500000+00:00"),
        ("iso8601", "20261123T100000", "2026-11-23T10:00:00+08:00"),
        ("iso8601", "Nov 23 10:00:00", None),
        ("syslog", "2020-01-01 00:00:00 Nov 23 10:00:00 host", "2026-11-23T10:00:00+08:00"),
        ("syslog", "2026-11-23 10:00:00", None),
        ("epoch", "order 5 at 1700000000.5 paid", "2023-11-15T06:13:20.500000+08:00"),
        ("epoch", "1700000000123", None),
        ("epoch_ms", "order 1700000000 at 1700000000123", "2023-11-15T06:13:20.123000+08:00"),
        ("%d.%m.%Y %H:%M:%S", "am 23.11.2026 10:00:00 Uhr", "2026-11-23T10:00:00+08:00"),
        ("%d.%m.%Y %H:%M:%S", "99.11.2026 10:00:00 23.11.2026 10:00:01", "2026-11-23T10:00:01+08:00"),
        ("%d.%m.%Y", "123.11.2026", None),
        ("%d.%m.%Y", "23.11.20261", None),
        ("%d.%m.%Y", "23.11.2026", "2026-11-23T00:00:00+08:00"),
        ("%D %T", "11/23/26 10:00:00", "2026-11-23T10:00:00+08:00"),
        ("%D", "11/23/69", None),
        ("%D", "11/23/70", "1970-11-23T00:00:00+08:00"),
        ("%F %T,%f", "2026-11-23 10:00:00,123456789", "2026-11-23T10:00:00.123456+08:00"),
        ("%A, %B %e, %Y %I:%M %p", "MONDAY, november  3, 2025 12:30 am", "2025-11-03T00:30:00+08:00"),
        ("%a %b %d %T %Y", "Mon Nov 23 10:00:00 2026", "2026-11-23T10:00:00+08:00"),
        ("%e %b %Y", " 3 Nov 2026", "2026-11-03T00:00:00+08:00"),
        ("%Y%m%d%H%M%S%f", "20261123100000123", "2026-11-23T10:00:00.123000+08:00"),
        ("%Y%m%d%H%M%S", "2026112310000", None),
        ("%Y%j %H", "2026327 10", "2026-11-23T10:00:00+08:00"),
        ("%Y/%j", "2026/366", None),
        ("%j", "366", "2024-12-31T00:00:00+08:00"),
        ("%F %T %z", "2026-11-23 10:00:00 -03:30", "2026-11-23T10:00:00-03:30"),
        ("%F %T%z", "2026-11-23 10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("%F %T %Z", "2026-11-23 10:00:00 gmt", "2026-11-23T10:00:00+00:00"),
        ("%F %T %Z", "2026-11-23 10:00:00 CST", "2026-11-23T10:00:00+08:00"),
        ("%F %T %z %Z", "2026-11-23 10:00:00 +0900 CST", "2026-11-23T10:00:00+09:00"),
        ("%F %T %Z %z", "2026-11-23 10:00:00 UTC +0900", "2026-11-23T10:00:00+09:00"),
        ("t=%s.%f", "t=1700000000.25", "2023-11-15T06:13:20.250000+08:00"),
        ("%% %Y-%m-%d", "all% 2026-11-23", "2026-11-23T00:00:00+08:00"),
        ("%b %Y %d", "xNov 2026 23", None),
        ("100%% %Y-%m-%d", "100% 2026-11-23", "2026-11-23T00:00:00+08:00"),
        ("%%Y [%Y] (%m.%d)", "%Y [2026] (11.23)", "2026-11-23T00:00:00+08:00"),
        ("%Y年%m月%d日 %H时", "2026年11月23日 10时", "2026-11-23T10:00:00+08:00"),
        ("%F  %T", "2026-11-23\t10:00:00", "2026-11-23T10:00:00+08:00"),
    ],
)
def test_a_named_format_is_found_anywhere(written: str, text: str, expected: str | None) -> None:
    """A rule's own format finds its times anywhere in the text, and only those."""
    made = parse_format(written)
    assert made.format == written
    found = made.read(text, REFERENCE, SHANGHAI)
    assert (found.isoformat() if found else None) == expected


def test_a_named_format_reads_behind_the_reach() -> None:
    """A format that the rule names is looked for in the whole text, not in its beginning."""
    found = parse_format("iso8601").read("x" * 60_000 + " 2026-11-23T10:00:00Z", REFERENCE, None)
    assert found == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("%F %Q", "'%Q' in '%F %Q' is no directive of a time format; there are: %% %A %a %B %b %D %d"),
        ("%F %", "'%' in '%F %' is no directive"),
        ("%-d.%m.", "'%-' in '%-d.%m.' is no directive"),
        ("%F %d", "'%F %d' has the day twice (%d, %d)"),
        ("%F %T %H", "has the hour twice (%H, %H)"),
        ("%F %I:%M", "%I (hour from 1 to 12) and %p (AM or PM) need each other"),
        ("%F %H:%M %p", "%H is the hour of 24"),
        ("%H:%M:%S", "does not say which day it is"),
        ("%Y-%m", "does not say which day it is"),
        ("ISO-8601", "did you mean 'iso8601'?"),
        ("epoch-ms", "did you mean 'epoch_ms'?"),
        ("", "use iso8601, syslog, epoch, epoch_ms, epoch_us or a strptime string like '%F %T'"),
    ],
)
def test_a_wrong_format_is_explained(written: str, message: str) -> None:
    """A format that can read nothing is refused with what is wrong and what would be right."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_format(written)


def test_names_are_english_in_any_locale() -> None:
    """A host set to another language reads the same month names."""
    before = locale.setlocale(locale.LC_TIME)
    others = [name for name in ("de_DE.UTF-8", "zh_CN.UTF-8", "fr_FR.UTF-8") if _set_locale(name)]
    try:
        found = parse_format("%d %B %Y").read("3 May 2026", REFERENCE, UTC)
        assert found == datetime(2026, 5, 3, tzinfo=UTC), others
    finally:
        locale.setlocale(locale.LC_TIME, before)


def _set_locale(name: str) -> bool:
    try:
        locale.setlocale(locale.LC_TIME, name)
    except locale.Error:  # not installed here
        return False
    return True


ZONES: st.SearchStrategy[tzinfo | None] = st.sampled_from([None, UTC, SHANGHAI, BERLIN, NEW_YORK])
FORMATS = [
    "iso8601",
    "syslog",
    "epoch",
    "epoch_ms",
    "epoch_us",
    "%b %e %T",
    "%Y%m%d%H%M%S%f",
    "%d/%B/%y %I:%M %p %z",
    "%j %s",
]
SCRAPS = st.lists(
    st.sampled_from([
        "2026", "0000", "9999", "1970", "99", "23", "60", "0", "-", "/", ":", " ", "  ", ".", ",", "T", "Z", "+",
        "Nov", "Feb", "Mon", "PM", "年", "月", "日", "时", "分", "秒", "1700000000", "+14:00", "-1400",
        "\n", "[", "=", "UTC", "é",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@given(text=st.one_of(st.text(max_size=400), SCRAPS), zone=ZONES)
def test_no_text_raises(text: str, zone: tzinfo | None) -> None:
    """Whatever a log holds, the answer is an aware time that converts to UTC, or None."""
    found = [find_time(text, REFERENCE, zone), *(parse_format(name).read(text, REFERENCE, zone) for name in FORMATS)]
    for moment in found:
        assert moment is None or moment.astimezone(UTC).tzinfo is UTC


MOMENTS = st.datetimes(datetime(2002, 1, 1), datetime(2099, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001
WRITTEN = ["%Y-%m-%dT%H:%M:%S.%f%z", "%d/%b/%Y:%H:%M:%S %z", "%Y%m%dT%H%M%S%z", "%d-%b-%Y %H:%M:%S.%f %z"]
OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    moment=MOMENTS, offset=OFFSETS, written=st.sampled_from(WRITTEN), before=st.sampled_from(["", "[", "<34>1 ", "é "])
)
def test_what_is_written_with_its_offset_is_read_back(
    moment: datetime, offset: timezone, written: str, before: str
) -> None:
    """A time written with its offset is read back, by find_time and by its own format, whatever the zone."""
    local = moment.astimezone(offset)
    expected = local if "%f" in written else local.replace(microsecond=0)
    text = before + local.strftime(written) + " hello"
    assert find_time(text, REFERENCE, NEW_YORK) == expected
    found = parse_format(written).read(text, REFERENCE, NEW_YORK)
    assert found == expected
    assert found.utcoffset() == expected.utcoffset()


LOCAL = [
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y/%m/%d %H:%M:%S",
    "%a %b %d %H:%M:%S.%f %Y",
    "%Y年%m月%d日 %H时%M分%S秒",
    "%Y%m%d %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%d %b %Y %H:%M:%S.%f",
]


@given(moment=MOMENTS, zone=st.sampled_from([UTC, SHANGHAI, BERLIN, NEW_YORK]), written=st.sampled_from(LOCAL))
def test_what_is_written_without_a_zone_is_read_back(moment: datetime, zone: tzinfo, written: str) -> None:
    """A local time is read back as the first moment at which the zone's clocks show it."""
    local = moment.astimezone(zone).replace(fold=0)
    expected = (local if "%f" in written else local.replace(microsecond=0)).astimezone(UTC)
    text = local.strftime(written)
    assert find_time(text, REFERENCE, zone) == expected
    assert parse_format(written).read(text, REFERENCE, zone) == expected


@given(moment=MOMENTS, behind=st.timedeltas(timedelta(days=-1), timedelta(days=363)))
def test_a_syslog_time_near_its_reading_is_read_back(moment: datetime, behind: timedelta) -> None:
    """A syslog time read from a day before it to most of a year after it gets its own year back."""
    text = moment.strftime("%b %d %H:%M:%S host")
    moment = moment.replace(microsecond=0)
    assert find_time(text, moment + behind, UTC) == moment


@given(moment=MOMENTS)
def test_epochs_are_read_back(moment: datetime) -> None:
    """Seconds with a fraction, milli- and microseconds since 1970 are read back to their last digit."""
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    millis = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert find_time(f"{micros // 10**6}.{micros % 10**6:06} x", REFERENCE, BERLIN) == moment
    assert find_time(f"{micros // 1000} x", REFERENCE, BERLIN) == millis
    assert parse_format("epoch").read(f"x {micros // 10**6}.{micros % 10**6:06}", REFERENCE, None) == moment
    assert parse_format("epoch_ms").read(f"x {micros // 1000}", REFERENCE, None) == millis
    assert find_time(f"{micros} x", REFERENCE, BERLIN) == moment
    assert parse_format("epoch_us").read(f"x {micros}", REFERENCE, None) == moment


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "scrap", ["2026-11-23 10:00:99 ", "2026-", "1700000000.", "1", " ", "Nov ", "Mon Nov  ", "年1"]
)
def test_64_kib_of_hostile_text_cost_nothing_special(scrap: str) -> None:
    """No pattern backtracks over a long text: many searches of 64 KiB stay far under the time-out."""
    text = (scrap * (65536 // len(scrap) + 1))[:65536]
    formats = [parse_format(name) for name in [*FORMATS, " %d %m", "%e  %b"]]
    for _ in range(5):
        assert find_time(text, REFERENCE, SHANGHAI) is None
        for made in formats:
            assert made.read(text, REFERENCE, SHANGHAI) is None
