r"""Writes a rule as people write it: TOML, the usual keys first, patterns in quotes that leave `\` as it is. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from shipper.config.toml_string import basic_string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ORDER = (
    "id", "description", "sources", "match", "ignore", "event", "group_id", "content", "final", "shadow",
    "match_timeout",
)  # fmt: skip
TABLES = ("time", "threshold", "throttle")
ARRAYS = ("redact", "test")

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def rule_text(values: Mapping[str, Any], grok: Mapping[str, Any] | None = None) -> str:
    """Give the text of a rule file with one rule.

    Args:
        values: the rule's keys, as TOML has them: texts, numbers, booleans, lists and tables.
        grok: names that its patterns use.

    Raises:
        ValueError: something in it cannot be written as TOML.
    """
    lines: list[str] = []
    if grok:
        lines += ["[grok]", *(_line(name, value) for name, value in grok.items()), ""]
    lines += ["[[rule]]", *_rule_lines(values)]
    text = "\n".join(lines) + "\n"
    wanted = {"rule": [dict(values)]} | ({"grok": dict(grok)} if grok else {})
    if tomllib.loads(text) != wanted:
        raise ValueError("what was written does not read back as it was meant")
    return text


def keys_text(values: Mapping[str, Any]) -> str:
    """Give some keys of a rule as TOML that can stand alone: tables are named as if the rule were the whole file."""
    lines = [_line(name, value) for name, value in values.items() if not _is_table(value)]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{_key(name)}]", *(_line(*item) for item in value.items())]
        elif _is_table(value):
            for table in value:
                lines += ["", f"[[{_key(name)}]]", *(_line(*item) for item in table.items())]
    return "\n".join(lines).strip("\n")


def _rule_lines(values: Mapping[str, Any]) -> Iterator[str]:
    known = [name for name in ORDER if name in values]
    unknown = [name for name in values if name not in {*ORDER, *TABLES, *ARRAYS}]
    tables = [name for name in (*known, *unknown, *TABLES, *ARRAYS) if name in values and _is_table(values[name])]
    for name in (*known, *unknown):
        if name not in tables:
            yield _line(name, values[name])
    for name in (*TABLES, *ARRAYS):
        if name in values and name not in tables:
            yield _line(name, values[name])
    for name in tables:
        value = values[name]
        for table in [value] if isinstance(value, dict) else value:
            mark = f"[rule.{_key(name)}]" if isinstance(value, dict) else f"[[rule.{_key(name)}]]"
            yield ""
            yield f"  {mark}"
            for item in table.items():
                yield f"  {_line(*item)}"


def _is_table(value: object) -> bool:
    is_array = isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
    return is_array or isinstance(value, dict)


def _line(name: str, value: object) -> str:
    return f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else basic_string(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        is_better = ("\\" in value or '"' in value) and "'" not in value and value.isprintable()
        return f"'{value}'" if is_better else basic_string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(_line(name, each) for name, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise ValueError(f"{type(value).__name__} is nothing that a rule holds")
