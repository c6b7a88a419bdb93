"""What a backfill makes of a file is what the agent makes of it while it is written, compressed or not."""

from __future__ import annotations

import tempfile
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.agent.intake import Intake
from shipper.config.model import MultilineTable, SourceTable, StoreTable
from shipper.matching.engine import Engine
from shipper.outbox.store import Store
from shipper.tailing.following import Following
from tests.backfill.jobs import HOST, Kept, orders_of, run
from tests.matching.writing import load
from tests.tailing.archiving import KINDS, PACK

RULES = """
[[rule]]
id = 'each'
match = '(?s)(?<all>.+)'
event = 'Each'
content = '{id} {line}'

[[rule]]
id = 'errors'
match = 'ERROR'
event = 'Error'
"""
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\x00"), max_size=80)
LINES = st.lists(st.one_of(st.sampled_from(["2026-11-23T10:00:00Z ERROR x", "\tat a.b(C.java)", "", "\r"]), TEXT))
SOURCES = {
    "lines": {},
    "java": {"multiline": MultilineTable(preset="java")},
    "short": {"max_line_bytes": 1024},
    "gb18030": {"encoding": "gb18030"},
    "utf-16": {"encoding": "utf-16-le"},
}


def live(directory: Path, source: SourceTable, chunks: list[bytes]) -> list[tuple[str, str]]:
    """What an agent makes of it, given piece by piece."""
    rules = load(directory, RULES).rules
    log = Path(source.paths[0])
    with closing(Store(directory, lambda event: orjson.dumps([event.rule, event.content]))) as store:
        intake = Intake(
            Following([source], [], {}),
            Engine(rules, HOST, 5.0),
            store,
            StoreTable(min_free_disk=0),
            wake=threading.Event(),
            recorded=lambda: None,
            watcher=None,
        )
        now = 0.0
        for chunk in chunks:
            with log.open("ab") as file:
                file.write(chunk)
            now += 1.0
            while intake.step(now):
                pass
        for _ in range(4):
            # what is open at the end is taken after its time-out
            now += 60.0
            while intake.step(now):
                pass
        intake.close()
        found = [orjson.loads(event.payload) for event in store.next_events(100_000)]
    return sorted((rule, content) for rule, content in found)


@settings(max_examples=40, deadline=None)
@given(LINES, st.lists(st.integers(1, 400), max_size=4), st.sampled_from(sorted(SOURCES)), st.sampled_from(KINDS))
def test_plain_compressed_and_live_make_the_same_events_with_the_same_ids(
    lines: list[str], cuts: list[int], how: str, kind: str
) -> None:
    """For rules without limits: the same records, the same ids (spec, section 4)."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "rules").mkdir()
        (directory / "logs").mkdir()
        (directory / "packed").mkdir()
        log = directory / "logs" / "a.log"
        source = SourceTable(name="app", paths=(str(log),), start_at="beginning", **SOURCES[how])  # type: ignore[arg-type]
        content = "".join(f"{line}\n" for line in lines).encode(source.encoding, "replace")
        places = sorted({0, *(cut for cut in cuts if cut < len(content)), len(content)})
        log.touch()
        expected = live(directory, source, [content[a:b] for a, b in pairwise(places)])
        (directory / "packed" / "a.log.1.z").write_bytes(PACK[kind](content))
        orders = orders_of(directory / "rules", RULES)
        for path in (log, directory / "packed" / "a.log.1.z"):
            kept = Kept()
            assert run(orders, kept, [path], source=source)[0]
            found = sorted((event.rule, event.content) for event in kept.events)
            assert found == expected
