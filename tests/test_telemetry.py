"""The product's own log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
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


def test_text_lines_end_with_their_code(capsys: pytest.CaptureFixture[str]) -> None:
    """By which the documentation tells what to do."""
    telemetry.configure("info", "text")
    telemetry.file_found("/var/log/a.log", 0)

    assert capsys.readouterr().err.endswith("Reading /var/log/a.log from offset 0. [file_found]\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_mistake_of_ours_is_told_with_where_it_was_made(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """In text below the line, in JSON as a field; a control character in it stays harmless."""
    telemetry.configure("info", form)
    try:
        raise RuntimeError("odd \x1b[31m")
    except RuntimeError as error:
        telemetry.http_failed(error)
    said = capsys.readouterr().err

    traceback = json.loads(said)["traceback"] if form == "json" else said
    assert "test_telemetry.py" in traceback
    assert "RuntimeError: odd" in traceback
    assert "\x1b" not in said


def test_the_journal_is_told_how_bad_it_is() -> None:
    """By a number before each line, only where stderr leads to it: `journalctl -p err` shows what it should."""
    program = (
        "import os, sys\n"
        "from shipper import telemetry\n"
        "if sys.argv[1] == 'journal':\n"
        "    status = os.fstat(2)\n"
        "    os.environ['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}'\n"
        "telemetry.configure('info', 'text')\n"
        "telemetry.file_found('/a', 0)\n"
        "telemetry.delivery_failing('x', 0)\n"
        "telemetry.http_failed(ValueError('y'))\n"
    )
    told = {
        where: subprocess.run([sys.executable, "-c", program, where], capture_output=True, text=True, check=True).stderr
        for where in ("journal", "elsewhere")
    }

    marks = [line[:3] for line in told["journal"].splitlines()]
    assert marks == ["<6>", "<4>", "<3>", "<3>"]
    assert not any(line.startswith("<") for line in told["elsewhere"].splitlines())


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
