"""The audit: a few records are judged by rules that the scan did not propose, so a scan that misses is found out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shipper.agent.judging import judged
from shipper.events import Event
from shipper.matching import plan
from shipper.matching.engine import AUDIT_BYTES, Engine, Missed
from shipper.matching.scanner import FindScanner, Needle
from tests.matching.test_engine import block, engine, rule

LINE = b"an error in a line that is as long as lines in logs are, some hundred bytes\n"
FINE = b"all is fine".ljust(len(LINE) - 1) + b"\n"
LINES = (LINE + FINE * 9) * 1000 + b"seldom".ljust(len(LINE) - 1) + b"\n"
SIGHTED = 3 * len(LINES)
BLOCKS = 2 * AUDIT_BYTES // len(LINES) + 2


class BlindScanner(FindScanner):
    """Overlooks what begins with `err`, but not in the first blocks: as if a literal need not be there."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        super().__init__(needles)
        self._seen = 0
        self._blind = {number for number, needle in enumerate(needles) if needle.data.startswith(b"err")}

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        self._seen += len(data)
        found = super().scan(data)
        return found if self._seen < SIGHTED else [each for each in found if each[1] not in self._blind]


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plan, "SCANNER", BlindScanner)
    plan._scanner.cache_clear()
    yield
    plan._scanner.cache_clear()


def blocks(judging: Engine, count: int) -> list[list[Event]]:
    return [judged(judging, block(LINES, offset=1 + number * len(LINES)))[0] for number in range(count)]


@pytest.mark.usefixtures("blind")
def test_a_scan_that_misses_is_found_out_and_mended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rule judges every record from then on, and that is told as an error, by rule and place."""
    judging = engine(tmp_path, rule("missed", "error") + rule("seen", "seldom"))
    found = blocks(judging, BLOCKS)

    events = [[event.rule for event in each].count("missed") for each in found]
    assert all([event.rule for event in each].count("seen") == 1 for each in found)
    before, after = events.index(0), len(events) - events[::-1].index(0)
    # once found out it is mended for good, for the block at hand too
    assert events == [1000] * before + [0] * (after - before) + [1000] * (len(events) - after)
    assert 0 < before < after < len(events)
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "The scan missed that rule 'missed' matches the record at offset " in told.getMessage()
    assert judging.unscanned == {"missed"}


@pytest.mark.usefixtures("blind")
def test_what_was_missed_is_told_with_its_place(tmp_path: Path) -> None:
    """A record that begins at the place that is named matches the rule."""
    judging = engine(tmp_path, rule("missed", "error") + rule("seen", "seldom"))
    missed: list[Missed] = []
    for number in range(BLOCKS):
        judging.match(block(LINES, offset=1 + number * len(LINES)))
        missed += judging.take_missed()

    (only,) = missed
    assert (only.rule, only.path) == ("missed", "/var/log/app.log")
    assert (only.offset - 1) % len(LINE) == 0
