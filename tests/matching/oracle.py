"""The plain loop that the engine has to equal: each line decoded and searched once for each rule. Slow, and simple."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.events import Block, Event
from shipper.matching.composer import Host
from shipper.matching.judge import Judge
from shipper.matching.limits import Limits
from shipper.matching.records import LogRecord
from shipper.matching.rule import Rule

BOM = b"\xef\xbb\xbf"


def plain_loop(rules: Sequence[Rule], block: Block, host: Host, timeout: float) -> list[Event]:
    """Give the events of a block."""
    judge = Judge(rules, host, timeout, Limits(), None)
    events: list[Event] = []
    for record in lines(block):
        for rule in rules:
            if rule.applies_to(block.origin.source):
                made = judge.judge(rule, record, block, block.origin)
                if made is not None:
                    events += [each for each in made if isinstance(each, Event)]
                    if rule.final:
                        break
    return events


def lines(block: Block) -> list[LogRecord]:
    """Give the records of a block as the specification says: one \\n, then one \\r, and a file's BOM taken away."""
    encoding = block.origin.encoding
    if block.records is not None:
        return [
            LogRecord(block.data[r.start : r.end] if r.text is None else r.text, encoding, r.offset, r.line, r.time)
            for r in block.records
        ]
    found, offset = [], block.offset
    raw_lines = block.data.split(b"\n")
    if raw_lines[-1] == b"":
        raw_lines.pop()
    for number, raw in enumerate(raw_lines):
        line = raw[:-1] if raw.endswith(b"\r") else raw
        if offset == 0 and line.startswith(BOM):
            line = line[len(BOM) :]
        found.append(LogRecord(line, encoding, offset, number))
        offset += len(raw) + 1
    return found
