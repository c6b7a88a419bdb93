"""How `shipper explain` shows explanations and plans: for people, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from rich.text import Text

from shipper.agent.shown import uploaded
from shipper.cli.terminal import safe
from shipper.cli.units import took
from shipper.events import wire_time
from shipper.matching.explaining import Outcome
from shipper.matching.scanner import SCANNER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.matching.explaining import Explanation
    from shipper.matching.plan import Plan
    from shipper.matching.rule import Rule

_STYLES = {
    Outcome.MATCHED: "bold green",
    Outcome.NO_MATCH: "",
    Outcome.IGNORED: "yellow",
    Outcome.NOT_ASKED: "dim",
    Outcome.TIMED_OUT: "bold red",
}


def shown(line: str, explanations: Sequence[Explanation]) -> Text:
    """Show what each rule made of a record."""
    text = Text(safe(line), style="bold")
    width = max((len(each.rule) for each in explanations), default=0)
    for each in explanations:
        text.append(f"\n{safe(each.rule):<{width}}  ")
        text.append(each.outcome.value, style=_STYLES[each.outcome])
        if each.reason:
            text.append(f": {safe(each.reason)}")
        if each.seconds is not None:
            text.append(f"  {took(each.seconds)}", style="dim")
        for name, value in each.captures.items():
            text.append(f"\n  {safe(name)} = ", style="dim")
            text.append("(took no part)" if value is None else safe(value), style="dim" if value is None else "")
        if each.event is not None:
            event = each.event
            said = f"{event.name} | group {event.group_id} | {wire_time(event.time)} | {event.content}"
            text.append("\n  event: ", style="dim")
            text.append(safe(said))
    return text


def shown_plan(rules: Sequence[Rule], plan: Plan, sample: bytes) -> Text:
    """Show what the scanner looks for, rule by rule."""
    on = f"a sample of {len(sample)} bytes" if sample else "no sample; LOG would give one"
    text = Text(f"scanner {SCANNER.name}, planned on {on}", style="bold")
    width = max((len(rule.id) for rule in rules), default=0)
    for rule, wanted in zip(rules, plan.wanted, strict=True):
        text.append(f"\n{safe(rule.id):<{width}}  ")
        if not wanted.needles:
            text.append("every line is judged: no text is certain to be there, and rare", style="yellow")
            continue
        named = sorted(_needle(needle.data, caseless=needle.caseless) for needle in wanted.needles)
        text.append("lines with " + " or ".join(named))
        if wanted.second:
            text.append(" and with " + " or ".join(_needle(each) for each in wanted.second))
        text.append(f"  about {100 * wanted.rate:.2g} % of the lines" if sample else "", style="dim")
    return text


def _needle(data: bytes, *, caseless: bool = False) -> str:
    shown = safe(_plain(data))
    return f"'{shown}'" + (" in any case" if caseless else "")


def as_json_text(
    line: str | None,
    explanations: Sequence[Explanation],
    rules: Sequence[Rule],
    plan: Plan | None,
    sample: bytes,
) -> str:
    """Give all of it as JSON; the plan only when there is one, the rules only with a line."""
    whole: dict[str, Any] = {}
    if line is not None:
        whole["line"] = line
        whole["rules"] = [
            {
                "rule": each.rule,
                "outcome": each.outcome.value,
                "reason": each.reason,
                "captures": dict(each.captures),
                "event": None if each.event is None else uploaded(each.event) | {"id": each.event.id},
                "seconds": each.seconds,
            }
            for each in explanations
        ]
    if plan is not None:
        whole["plan"] = {
            "scanner": SCANNER.name,
            "sample_bytes": len(sample),
            "rules": [
                {
                    "rule": rule.id,
                    "needles": sorted(_plain(needle.data) for needle in wanted.needles),
                    "second": [_plain(each) for each in wanted.second],
                    "rate": wanted.rate if sample else None,
                }
                for rule, wanted in zip(rules, plan.wanted, strict=True)
            ],
        }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()


def _plain(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
