"""A backfill that sends: what is shown of it, and what a run leaves to the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.backfill.job import Progress
from shipper.backfill.running import Ended, Wishes, deliver
from shipper.backfill.selection import select
from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.config.load import load_config
from tests.backfill.jobs import NUMBERED, orders_of

LINES = 700


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_text("".join(f"ERROR {n}\n" for n in range(LINES)))
    (tmp_path / "rules").mkdir()
    return path


def run(
    tmp_path: Path, log: Path, emulator: Emulator, *, again: int = 0, most: int | None = None
) -> tuple[Ended, list[tuple[int, int]]]:
    """Send a log; gives how it ended, and what was shown: files read, and events that wait."""
    file = tmp_path / "shipper.toml"
    file.write_text(
        f'state_dir = "{tmp_path}/state"\n[store]\nmin_free_disk = 0\n[cloudmonitor]\nendpoint = "{emulator.url}"\n'
        '[cloudmonitor.credentials]\naccess_key_id = "testkey"\naccess_key_secret = "testsecret"\n'
    )
    file.chmod(0o600)
    shown: list[tuple[int, int]] = []

    def show(progress: Progress, waiting: Callable[[], int] | None) -> Callable[[], None]:
        assert waiting is not None
        return lambda: shown.append((progress.files, waiting()))

    orders = orders_of(tmp_path / "rules", NUMBERED, again=again)
    wishes = Wishes(select([str(log)], (), None), orders, most=most)
    _, ended, unreadable = deliver(load_config(file)[0], wishes, threading.Event(), show)
    assert unreadable == ()
    return ended, shown


def test_what_is_left_to_send_is_shown_to_the_end(tmp_path: Path, log: Path) -> None:
    """Sending takes longer than reading: then it is what people look at."""
    with Emulator(Settings()) as emulator:
        ended, shown = run(tmp_path, log, emulator)

    assert ended == Ended(True, LINES, 0, 0)
    left = [waiting for files, waiting in shown if files == 1]
    assert len(set(left)) > 3
    assert left == sorted(left, reverse=True)


def test_sending_all_again_in_portions_comes_to_an_end(tmp_path: Path, log: Path) -> None:
    """A run that finds enough waiting reads nothing, and forgets nothing of how far the one before had read."""
    with Emulator(Settings()) as emulator:
        run(tmp_path, log, emulator)
        portions = [run(tmp_path, log, emulator, again=1, most=300)[0] for _ in range(3)]
        sent = emulator.stats().events

    assert [each.delivered for each in portions] == [300, 300, 100]
    assert all(each.is_complete for each in portions)
    assert sent == 2 * LINES
