"""Rows of reading and matching alone: `wc -l`, the plain loop, ripgrep, and the engine."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime

from shipper.events import Block, Origin
from shipper.matching.composer import Host
from shipper.matching.engine import Engine
from shipper.matching.rulebook import load_rules
from shipper.tailing.files import LogFile
from shipper.tailing.tailer import Tailer
from tests.bench.collector import WrongCountError
from tests.bench.measuring import Bench, Measured, Row, Work
from tests.bench.processes import pinned

HOST = Host("bench", "127.0.0.1")
ORIGIN = Origin("bench", "utf-8", UTC)
MATCH_TIMEOUT = 0.1
MAX_LINE_BYTES = 65536
_CLOCK_EVERY = 64


def word_count(bench: Bench, work: Work) -> Measured:
    """Count lines, as fast as it can be done."""
    log = bench.log(work)
    with pinned(bench.cores.measured):
        began = time.perf_counter()
        done = subprocess.run(["wc", "-l", log.path], check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - began
    require(int(done.stdout.split()[0]), log.lines)
    return Measured(log.size / 1e6 / seconds)


def plain_loop(bench: Bench, work: Work) -> Measured:
    """Search each decoded line for each rule, with the engine's time limit, for as long as a run may take."""
    log = bench.log(work)
    rulebook, _ = load_rules([bench.rule_file(work)])
    searches = [rule.match.search for rule in rulebook.rules]
    found = offset = 0
    with pinned(bench.cores.measured), log.path.open("rb") as file:
        began = time.perf_counter()
        until = began + bench.seconds
        for number, line in enumerate(file):
            text = line[:MAX_LINE_BYTES].removesuffix(b"\n").decode("utf-8", "replace")
            for search in searches:
                found += search(text, timeout=MATCH_TIMEOUT) is not None
            offset += len(line)
            if number % _CLOCK_EVERY == 0 and time.perf_counter() > until:
                break
        seconds = time.perf_counter() - began
    require(found, log.matching_before(offset))
    return Measured(offset / 1e6 / seconds, {"of the log, MB": offset / 1e6})


def ripgrep(bench: Bench, work: Work) -> Measured:
    """Count the matching lines with `rg -j1 -c -f`; it has other engines, so it gets the portable patterns."""
    log = bench.log(work)
    patterns = bench.place("patterns")
    # a boundary of bytes: with one of Unicode its fast engine gives up at the first sign that is not ASCII
    lines = [f"{'(?i)' if rule.fold else ''}{rule.portable}\n".replace(r"\b", r"(?-u:\b)") for rule in work.chosen()]
    patterns.write_text("".join(lines))
    with pinned(bench.cores.measured):
        began = time.perf_counter()
        done = subprocess.run(
            ["rg", "--no-config", "-j1", "-c", "-f", patterns, log.path], capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
    if done.returncode > 1:
        raise RuntimeError(f"ripgrep: {done.stderr}")
    require(int(done.stdout or 0), log.matching)
    return Measured(log.size / 1e6 / seconds)


def matching(bench: Bench, work: Work) -> Measured:
    """Read blocks and match them; events go nowhere."""
    log = bench.log(work)
    rulebook, _ = load_rules([bench.rule_file(work)])
    engine = Engine(rulebook.rules, HOST, MATCH_TIMEOUT, clock=time.perf_counter)
    file = LogFile.open(str(log.path))
    tailer = Tailer(file, str(log.path), ORIGIN, max_line_bytes=MAX_LINE_BYTES, partial_timeout=5.0)
    events = 0
    with pinned(bench.cores.measured):
        began = time.perf_counter()
        until = began + bench.seconds
        while isinstance(block := tailer.next_block(datetime.now(UTC), 0.0), Block):
            events += len(engine.match(block))
            if time.perf_counter() > until:
                break
        seconds = time.perf_counter() - began
    file.close()
    require(events, log.matching_before(tailer.offset))
    return Measured(
        tailer.offset / 1e6 / seconds, {"of the log, MB": tailer.offset / 1e6, "events/s": events / seconds}
    )


def no_ripgrep() -> str | None:
    """Tell why ripgrep cannot be measured."""
    return None if shutil.which("rg") else "ripgrep is not installed"


def require(found: int, expected: int) -> None:
    """Make sure that a run did all of the job."""
    if found != expected:
        raise WrongCountError(f"{found} were found, {expected} were expected")


FEW, MANY, OFTEN = Work(10, 0.001), Work(200, 0.001), Work(200, 0.05)

ROWS = (
    Row("wc-10", "`wc -l`, the log of 10 rules", "MB/s", lambda bench: word_count(bench, FEW)),
    Row("wc-200", "`wc -l`, the log of 200 rules", "MB/s", lambda bench: word_count(bench, MANY)),
    Row("plain-10", "the plain loop, 10 rules, 0.1 %", "MB/s", lambda bench: plain_loop(bench, FEW)),
    Row("plain-200", "the plain loop, 200 rules, 0.1 %", "MB/s", lambda bench: plain_loop(bench, MANY)),
    Row("rg-10", "`rg -j1 -c -f`, 10 rules, 0.1 %", "MB/s", lambda bench: ripgrep(bench, FEW), no_ripgrep),
    Row("rg-200", "`rg -j1 -c -f`, 200 rules, 0.1 %", "MB/s", lambda bench: ripgrep(bench, MANY), no_ripgrep),
    Row("match-10", "matching alone, 10 rules, 0.1 %", "MB/s", lambda bench: matching(bench, FEW)),
    Row("match-200", "matching alone, 200 rules, 0.1 %", "MB/s", lambda bench: matching(bench, MANY)),
)
