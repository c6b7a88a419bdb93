"""The fields of a JSON line by dotted names: `{"a": {"b": 1}}` has `a.b`; items of arrays have their number. Pure."""

from __future__ import annotations

from typing import Any

import orjson

MAX_FIELDS = 1000


def json_fields(line: bytes) -> dict[str, str | None] | None:
    """Give the fields of a JSON object as texts; None for anything else.

    Texts are as they are; numbers, true and false as JSON writes them; null is None, as a capture that took no part;
    objects and arrays are compact JSON under their own name, and their parts have names too. At most `MAX_FIELDS`.
    """
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parsed, dict):
        return None
    fields: dict[str, str | None] = {}
    # a list of what is still to be named, not recursion: how deep a line nests is up to who wrote it
    pending: list[tuple[str, Any]] = list(reversed(parsed.items()))
    while pending and len(fields) < MAX_FIELDS:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{name}.{key}", part) for key, part in reversed(value.items())]
        elif isinstance(value, list):
            pending += [(f"{name}.{number}", part) for number, part in reversed(list(enumerate(value)))]
        fields[name] = value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
    return fields
