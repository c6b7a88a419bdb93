"""A host that moves: logs and state are copied to other disks, where no file is the same inode (docs/operations.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import eventually
from tests.e2e.host import Host, journal

RULES = """
[[rule]]
id = "numbered"
match = 'ERROR (?<number>\\d+)'
event = "NumberedError"
content = "{number} {id}"
"""


def copy(tree: Path) -> None:
    """Put a copy in the place of a directory: the same names, content and times."""
    kept = tree.rename(tree.with_name("moved"))
    # the one before is still there, so no inode can be had again
    shutil.copytree(kept, tree)
    shutil.rmtree(kept)


def test_logs_and_state_are_copied(host: Host, tmp_path: Path) -> None:
    """Reading goes on by content; only files shorter than 1 KiB are read again, and their events have the same ids."""
    host.rules.write_text(RULES)
    accepted = tmp_path / "accepted.jsonl"

    def numbers() -> list[int]:
        return [int(str(each["content"]).split()[0]) for each in journal(accepted)]

    host.start()
    host.write("app.log", *(f"ERROR {n} {'x' * 50}" for n in range(100)))
    host.write("small.log", "ERROR 1000")
    eventually(lambda: len(numbers()) == 101)
    assert host.stop() == 0
    host.write("app.log", "ERROR 100")
    for tree in (host.logs, tmp_path / "state"):
        copy(tree)
    host.start()
    eventually(lambda: len(numbers()) == 103)
    host.write("app.log", "ERROR 101")
    eventually(lambda: 101 in numbers())
    assert sorted(numbers()) == [*range(102), 1000, 1000]
    assert len({str(each["content"]) for each in journal(accepted)}) == 103
