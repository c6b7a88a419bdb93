"""The file of accepted events."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import orjson
import pytest

from shipper.cloudmonitor.emulator import Emulator, Fault, Settings
from shipper.errors import StateError
from tests.cloudmonitor.emulator.upload import BODY, events_body, upload, upload_headers

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 10, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=8)))
DATE = "Mon, 23 Nov 2026 02:00:00 GMT"


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_for_each_accepted_event(tmp_path: Path) -> None:
    """Lines have exactly the documented keys, a number for the group, and the receive time where none was sent."""
    store = tmp_path / "events.jsonl"
    body = events_body(
        {"name": "甲", "content": "a\nb", "groupId": "27147", "time": "20171023T180923.456+0800", "ver": "1.0"},
        {"name": "n2", "content": ""},
    )
    with Emulator(Settings(store=store), now=lambda: NOW) as emulator:
        reply = upload(emulator, body, upload_headers(body, date=DATE))
        assert reply.outcome == (200, "200")
        found = lines(store)  # already, since the line is there before the answer
    frame = {"received": "2026-11-23T10:00:00.123+08:00", "request_id": reply.json["requestId"]}
    assert found == [
        frame | {"name": "甲", "groupId": 27147, "time": "20171023T180923.456+0800", "content": "a\nb"},
        frame | {"name": "n2", "groupId": 0, "time": "20261123T100000.123+0800", "content": ""},
    ]
    assert list(found[0]) == ["received", "request_id", "name", "groupId", "time", "content"]


def test_refused_events_leave_no_line(tmp_path: Path) -> None:
    """Neither a violation nor a fault before acceptance writes anything."""
    store = tmp_path / "events.jsonl"
    with Emulator(Settings(store=store, faults={Fault.ERROR: 1.0})) as emulator:
        upload(emulator)
        upload(emulator, b"{}")
    assert store.read_bytes() == b""


def test_a_store_goes_on_and_a_torn_line_is_ended(tmp_path: Path) -> None:
    """Lines of earlier runs stay; one that a kill left unfinished does not swallow the next event."""
    store = tmp_path / "events.jsonl"
    store.write_bytes(b'{"name":"earlier"}\n{"name":"to')
    with Emulator(Settings(store=store)) as emulator:
        upload(emulator)
    before, torn, after = store.read_bytes().splitlines()
    assert (before, torn) == (b'{"name":"earlier"}', b'{"name":"to')
    assert orjson.loads(after)["name"] == "disk_full"


def test_a_new_store_is_private(tmp_path: Path) -> None:
    """Events are log lines: others cannot read the file."""
    store = tmp_path / "events.jsonl"
    with Emulator(Settings(store=store)):
        assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_full_disk_is_a_500_and_no_half_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the answer is 500, nothing counts as accepted, no part of the request stays in the file."""
    store = tmp_path / "events.jsonl"
    write = os.write
    full = [True]

    def short_write(file: int, data: bytes) -> int:
        if full[0] and data[:1] == b"{":
            return write(file, data[:20])
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    with Emulator(Settings(store=store)) as emulator:
        monkeypatch.setattr(os, "write", short_write)
        reply = upload(emulator, BODY)
        assert reply.outcome == (500, "500")
        assert "No space left" in reply.json["msg"]
        assert store.read_bytes() == b""
        assert emulator.stats().events == 0
        full[0] = False
        assert upload(emulator, BODY).outcome == (200, "200")
        assert emulator.stats().events == 1
    assert len(lines(store)) == 1


def test_unwritable_store_is_one_clear_error(tmp_path: Path) -> None:
    """A store that cannot be opened is said by name, and nothing is left listening."""
    emulator = Emulator(Settings(store=tmp_path / "missing" / "events.jsonl"), now=lambda: datetime.now(UTC))
    with pytest.raises(StateError, match=r"missing/events\.jsonl.*No such file") as caught:
        emulator.start()
    assert caught.value.exit_code == 2
    emulator.stop()
