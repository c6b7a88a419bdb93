"""A directory on each of the real file systems."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.filesystem import MEMORY, Place, require


@pytest.fixture(params=list(Place), ids=lambda place: place.value)
def place(request: pytest.FixtureRequest) -> Place:
    """Each place in turn."""
    chosen: Place = request.param
    return chosen


@pytest.fixture
def root(place: Place, tmp_path: Path) -> Iterator[Path]:
    """Give an empty directory there, with `logs` in it; skip with the reason where there is none."""
    if place is Place.MEMORY and not MEMORY.is_dir():
        pytest.skip(f"{MEMORY} is not there")
    given = Path(tempfile.mkdtemp(dir=MEMORY)) if place is Place.MEMORY else tmp_path
    try:
        require(place, given)
        (given / "logs").mkdir()
        yield given
    finally:
        if given is not tmp_path:
            shutil.rmtree(given)
