"""Stories in which the simulation once found a fault, cut down to what it takes: they stay told."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.agent import commits
from tests.simulation.world import World, act

LOGS: dict[str, Any] = {"globs": ("/logs/*.log",)}
FAMILY: dict[str, Any] = {"globs": ("/logs/app.log*",)}
FEW = {"descriptors": 4}
RECORDS = {"multiline": True}
REUSED = {"generations": False}
LONG_BANNER = {"banner": b"started %s\n" % (b"-" * 1100)}
Story = list[tuple[str, int]]
COARSE = 4_000_000

FOUND: dict[str, tuple[dict[str, Any], Story]] = {
    "a file that cannot be read is begun anew and closed, not for ever begun anew": (FAMILY, [
        ("stale", 0), ("rename", 0), ("sleep", 2), ("write", 0), ("step", 0), ("copytruncate", 0), ("step", 0),
        ("stale", 0), ("write", 9), ("remove", 0),
    ]),
    "an archive is not taken for the plain file whose inode it has": (LOGS | FEW | REUSED, [
        ("write", 6), ("copytruncate", 0), ("step", 0), ("stale", 0), ("step", 0), ("rename", 0), ("rename", 0),
        ("compress", 1), ("compress", 2),
    ]),
    "archives inside the globs end, and leave their descriptors to others": (FAMILY | FEW, [
        ("rename", 0), ("write", 2), ("between", 0), ("copytruncate", 0), ("step", 0), ("copytruncate", 0),
        ("compress", 2), ("stop", 0), ("step", 0), ("write", 4), ("rename twice", 1), ("step", 0), ("step", 0),
        ("sleep", 2), ("compress", 2), ("step", 0), ("rename", 0), ("sleep", 7), ("rename", 0), ("compress", 1),
        ("write", 1), ("step", 0), ("compress", 2),
    ]),
    "many rests are found at once, and the log itself is read too": (FAMILY | FEW | REUSED, [
        ("copytruncate", 0), ("rename", 0), ("write", 11), ("rename", 0), ("rename", 0), ("rename", 0),
        ("rename twice", 0), ("copytruncate", 0), ("between", 0), ("rename", 0), ("write", 7), ("rename", 0),
        ("write", 2), ("rename", 0), ("write", 10), ("rename", 0), ("step", 0), ("sleep", 7), ("write", 3),
        ("copytruncate", 0), ("step", 0), ("kill", 0), ("step", 0), ("write", 1), ("rename", 0), ("sleep", 3),
        ("step", 0), ("rename", 0), ("step", 0), ("step", 0), ("kill", 0), ("unlistable", 0), ("write", 10),
        ("step", 0),
    ]),
    "a family waits for its file that was written to while it was closed": (FAMILY | FEW | REUSED, [
        ("rename", 0), ("rename", 0), ("sleep", 7), ("rename twice", 0), ("step", 0), ("copytruncate", 0),
        ("sleep", 6), ("step", 0), ("write", 0), ("rename", 0), ("sleep", 2), ("step", 0), ("compress", 0),
    ]),
    "what was read of a file is known after another got its inode": (LOGS | FEW | REUSED, [
        ("rename", 0), ("rename", 0), ("rename", 0), ("write", 2), ("rename", 0), ("step", 0), ("step", 0),
        ("rename", 0), ("compress", 1), ("between", 0), ("sleep", 5), ("step", 0), ("write", 6), ("between", 0),
    ]),
    "a clock that jumps ahead forgets no past content": (LOGS | FEW, [
        ("copytruncate", 0), ("copytruncate", 0), ("rename twice", 1), ("stop", 0), ("step", 0), ("sleep", 7),
        ("rename twice", 0), ("step", 0), ("jump", 2), ("rename twice", 0), ("sleep", 7),
    ]),
    "nothing is forgotten of a directory that cannot be listed": (LOGS | FEW, [
        ("rename", 0), ("step", 0), ("remove", 0), ("step", 0), ("sleep", 6), ("write", 5), ("unlistable", 0),
        ("between", 0), ("jump", 2), ("sleep", 7), ("step", 0), ("sleep", 7), ("step", 0),
    ]),
    "what came between two looks is found although the clock was set back": (LOGS, [
        ("jump", 0), ("rename twice", 0), ("sleep", 2), ("step", 0), ("stop", 0), ("rename twice", 0),
    ]),
    "what is rotated within one tick of a coarse clock is told apart after it was set back": (LOGS, [
        ("jump", 0), ("copytruncate", 0), ("write", 0), ("write", 0), ("rename", 0), ("sleep", 2), ("partial", 0),
        ("write", 0), ("step", 0), ("write", 0), ("rename", 0), ("sleep", 4), ("write", 0), ("rename twice", 1),
        ("write", 0), ("copytruncate", 0), ("step", 0), ("rename twice", 0),
    ]),
    "a compressed copy of the beginning of what a truncated file held is known": (FAMILY | FEW, [
        ("stale", 0), ("sleep", 2), ("rename", 0), ("write", 0), ("between", 0), ("compress", 0), ("step", 0),
    ]),
    "no closed file of another family is used": (FAMILY | FEW | {"style": "olddir", "hints": True}, [
        ("write", 0), ("rename twice", 1), ("rename", 0), ("step", 0), ("kill", 0),
    ]),
    "no file is compared that was closed to make room for its successor": (FAMILY | FEW | {"hints": True}, [
        ("copytruncate", 0), ("step", 0), ("sleep", 7), ("link", 0), ("write", 0), ("rename", 0), ("step", 0),
        ("kill", 0), ("step", 0), ("rename", 0),
    ]),
    "an unlinked file is not closed to make room": (FAMILY | FEW | {"sources": 2}, [
        ("rename", 0), ("write", 0), ("step", 0), ("copytruncate", 0), ("step", 0), ("write", 0), ("compress", 1),
        ("between", 0),
    ]),
    "an unlinked file that cannot be read now is read later": (FAMILY, [
        ("stale", 0), ("write", 3), ("remove", 0), ("step", 0), ("sleep", 2), ("step", 0),
    ]),
    "a file that cannot be read ends no process": (LOGS | {"sources": 2, "style": "links"}, [
        ("stale", 0), ("sleep", 2), ("copytruncate", 0), ("step", 0),
    ]),
    "a record that is open at the end of a file that is let go is taken": (FAMILY | RECORDS, [
        ("write", 2), ("step", 0), ("copytruncate", 0), ("partial", 0), ("step", 0), ("rename", 0), ("sleep", 7),
        ("compress", 1),
    ]),
    "a file of which nothing was taken yet is not accounted for": (FAMILY | RECORDS, [
        ("write", 1), ("write", 0), ("write", 1), ("write", 0), ("rename twice", 2), ("copytruncate", 0),
        ("partial", 0), ("sleep", 3), ("rename", 0), ("write", 0), ("rename", 0), ("step", 0), ("compress", 2),
        ("kill", 0),
    ]),
    "nor does one with the same long banner": (FAMILY | RECORDS | LONG_BANNER | {"sources": 2}, [
        ("rename twice", 0), ("copytruncate", 0), ("write", 0), ("rename twice", 1), ("sleep", 2), ("step", 0),
        ("sleep", 2), ("compress", 2), ("step", 0), ("rename twice", 0), ("kill", 0),
    ]),
    "another file with the same few words hides no rest": (
        LOGS | RECORDS | {"hints": True, "banner": b"started\n"}, [
        ("write", 1), ("rename twice", 0), ("sleep", 3), ("link", 0), ("step", 0), ("compress", 1), ("rename", 0),
        ("write", 0), ("stop", 0),
    ]),
    "nor is its rest in another directory": (FAMILY | RECORDS | {"style": "olddir"}, [
        ("write", 1), ("write", 1), ("copytruncate", 0), ("partial", 0), ("jump", 0), ("between", 0), ("partial", 0),
        ("write", 0), ("between", 0), ("rename twice", 1), ("sleep", 3), ("step", 0), ("stop", 0), ("link", 0),
        ("compress", 2), ("kill", 0),
    ]),
    "nor is what was copied of it": (LOGS | RECORDS | LONG_BANNER | {"hints": True, "sources": 2}, [
        ("write", 8), ("write", 6), ("write", 1), ("write", 4), ("rename twice", 1), ("step", 0), ("copytruncate", 0),
        ("rename twice", 0), ("step", 0), ("copytruncate", 0), ("stop", 0),
    ]),
    "a lost file that cannot be read now is read later": (LOGS | {"style": "links", "banner": b"started\n"}, [
        ("partial", 0), ("kill at", 0), ("stale", 0), ("rename", 0), ("sleep", 2), ("partial", 0), ("step", 0),
    ]),
    "a rest that was written to is not closed to make room": (LOGS | FEW | {"style": "links"}, [
        ("rename", 0), ("step", 0), ("step", 0), ("rename", 0), ("step", 0), ("step", 0), ("unlistable", 0),
        ("rename twice", 0), ("stop", 0), ("step", 0), ("heal", 0), ("sleep", 2), ("step", 0), ("write", 0),
        ("rename", 0), ("sleep", 2),
    ]),
    "a generation is not taken for another one because their long banners are equal": (LOGS | LONG_BANNER, [
        ("write", 1), ("step", 0), ("copytruncate", 0), ("rename twice", 0),
    ]),
    "an archive is not taken for another one because their long banners are equal": (FAMILY | LONG_BANNER, [
        ("partial", 0), ("rename", 0), ("write", 0), ("compress", 0), ("kill at", 0),
    ]),
    "a file with a long banner does not wait for one that rests": (FAMILY | FEW | LONG_BANNER, [
        ("write", 0), ("rename twice", 1), ("rename", 0),
    ]),
    "a search goes on beyond what begins with the same banner": (LOGS | {"banner": b"started\n"}, [
        ("rename twice", 0), ("step", 0), ("rename", 0), ("partial", 0), ("step", 0), ("rename", 0), ("rename", 0),
        ("write", 0), ("stop", 0), ("compress", 1),
    ]),
    "what lay beside a log is not forgotten while its only known file lies in another directory": (
        FAMILY | {"style": "olddir"}, [
        ("jump", 0), ("rename", 0), ("kill", 0), ("stale", 0), ("step", 0), ("sleep", 6), ("step", 0), ("write", 0),
        ("between", 0),
    ]),
    "what a clock hid that was set back is found after it was set forward again": (LOGS | FEW, [
        ("kill", 0), ("between", 0), ("write", 0), ("copytruncate", 0), ("rename", 0), ("sleep", 6), ("jump", 0),
        ("step", 0), ("remove", 0), ("write", 0), ("compress", 0), ("jump", 2), ("rename", 0),
    ]),
    "what waited for descriptors is found after the clock was set back and forth": (LOGS | FEW, [
        ("jump", 0), ("rename", 0), ("sleep", 2), ("write", 0), ("copytruncate", 0), ("kill at", 1), ("kill at", 2),
        ("remove", 0), ("write", 0), ("rename twice", 0), ("jump", 2),
    ]),
    "an archive that was read itself is not the rest of a file with the same banner": (LOGS | LONG_BANNER, [
        ("rename twice", 0), ("compress", 0), ("copytruncate", 0), ("partial", 0), ("sleep", 2), ("step", 0),
        ("truncate", 0),
    ]),
    "a rest is looked for among the older stamps of a clock that was set back": (
        LOGS | RECORDS | {"banner": b"started\n", "hints": True}, [
        ("write", 1), ("jump", 0), ("rename twice", 0), ("sleep", 3), ("link", 0), ("step", 0), ("compress", 1),
        ("stop", 0), ("rename twice", 0),
    ]),
    "a log that is cut, written and cut again within one tick of a coarse clock is looked at again": (
        FAMILY | RECORDS | {"style": "olddir"}, [
        ("sleep", 2), ("write", 2), ("copytruncate", 0), ("write", 0), ("between", 0), ("kill at", 0), ("write", 0),
        ("copytruncate", 0),
    ]),
    "what only ends in the same few characters as what was read is not a part of it": (LOGS | {"hints": True}, [
        ("write", 8), ("write", 4), ("write", 8), ("write", 2), ("write", 5), ("write", 5), ("rename", 0), ("write", 5),
        ("write", 0), ("step", 0), ("stop", 0), ("step", 0), ("copytruncate", 0), ("rename twice", 0),
        ("rename twice", 11), ("write", 8), ("write", 10), ("write", 8), ("rename twice", 5),
    ]),
    "nor is it when it came between two truncations": (FAMILY | RECORDS | {"style": "olddir", "hints": True}, [
        ("partial", 0), ("write", 10), ("write", 0), ("write", 2), ("write", 2), ("write", 6), ("partial", 0),
        ("between", 0), ("write", 9), ("partial", 0), ("partial", 0), ("write", 10), ("write", 1), ("rename twice", 1),
        ("write", 1), ("write", 8), ("write", 9), ("write", 9), ("rename twice", 10), ("write", 0), ("partial", 0),
        ("write", 4), ("write", 4), ("write", 3), ("write", 0), ("truncate", 0), ("write", 1), ("write", 10),
        ("step", 0), ("write", 2), ("kill", 0), ("write", 4), ("partial", 0), ("between", 0), ("write", 10),
        ("write", 3), ("write", 3), ("rename twice", 2),
    ]),
    "what is looked for is not forgotten because a copy got its inode": (FAMILY | FEW | RECORDS | {"hints": True}, [
        ("rename", 0), ("step", 0), ("rename", 0), ("write", 0), ("rename", 0), ("write", 1), ("sleep", 3), ("step", 0),
        ("rename", 0), ("compress", 0), ("kill at", 0), ("write", 0), ("stop", 0), ("step", 0), ("between", 0),
        ("step", 0), ("stop", 0),
    ]),
    "nor because another rest was found in that copy": (FAMILY | FEW | RECORDS | {"hints": True}, [
        ("rename", 0), ("step", 0), ("rename", 0), ("write", 0), ("rename", 0), ("write", 1), ("sleep", 3), ("step", 0),
        ("rename", 0), ("compress", 0), ("kill at", 0), ("write", 1), ("stop", 0), ("between", 0), ("stop", 0),
        ("between", 0), ("stop", 0),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("granularity", [1, COARSE])
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_found(name: str, granularity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these lost or repeated a line before it was set right."""
    monkeypatch.setattr(commits, "STORE_RETRY", 0.0)
    settings, story = FOUND[name]
    world = World(**settings, granularity=granularity)
    try:
        for action, number in story:
            act(world, action, number)
        world.finish()
    finally:
        world.close()
