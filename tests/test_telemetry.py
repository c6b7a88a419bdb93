"""The product's own log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from shipper import telemetry
from shipper.printable import printable


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    log = logging.getLogger("shipper")
    before = log.handlers[:], log.propagate, log.level
    yield
    log.handlers[:], log.propagate, log.level = before


def test_text_lines_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name with a newline or an escape stays one harmless line."""
    telemetry.configure("info", "text")
    telemetry.file_found("/var/log/a\n2026 ERROR forged\x1b]0;title\x07.log", 0)
    lines = capsys.readouterr().err.splitlines()

    assert len(lines) == 1
    assert "\\x1b" in lines[0]
    assert "\x1b" not in lines[0]


def test_json_lines_have_a_code_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, for programs."""
    telemetry.configure("info", "json")
    telemetry.file_found("/var/log/磁盘.log", 7)
    found = json.loads(capsys.readouterr().err)

    assert (found["code"], found["level"], found["path"], found["offset"]) == (
        "file_found",
        "info",
        "/var/log/磁盘.log",
        7,
    )


def test_below_the_level_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """`log_level`."""
    telemetry.configure("error", "text")
    telemetry.file_found("/a", 0)

    assert capsys.readouterr().err == ""


def test_happenings_are_counted() -> None:
    """Whatever the level."""
    before = telemetry.counts().get("events_delivered", 0)
    telemetry.events_delivered(5)

    assert telemetry.counts()["events_delivered"] == before + 5


@pytest.mark.parametrize("text", ["plain", "磁盘满了", "é ü", "emoji 😀"])
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    """Only what could steer a terminal is escaped."""
    assert printable(text) == text
