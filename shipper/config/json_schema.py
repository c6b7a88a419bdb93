"""JSON Schemas of the files people write, for their editors, made of the dataclasses that read them. Pure.

An editor completes keys and tells wrong ones by it; what only the program can judge, such as whether a pattern
compiles, is left to `shipper check`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from shipper.config import kinds
from shipper.config.model import Config, read_secret
from shipper.config.reader import REQUIRED

DIALECT = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]
Kinds = Mapping[Callable[[Any], Any], Schema]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": r"\S"}
_TEXTS: Schema = {"type": "array", "items": TEXT}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_QUANTITY = r"\s*[0-9]{1,18}(?:\.[0-9]{1,9})?\s*"
_DURATION: Schema = {"type": "string", "pattern": rf"^{_QUANTITY}(?:ms|s|m|h|d)\s*$"}
_SIZE: Schema = {"anyOf": [_COUNT, {"type": "string", "pattern": rf"^{_QUANTITY}(?:[kKmMgGtT][iI]?)?[bB]?\s*$"}]}

KINDS: Kinds = {
    kinds.parse_text: TEXT,
    kinds.parse_name: NAME,
    kinds.parse_pattern: {**NAME, "format": "regex"},
    kinds.parse_listen: {**NAME, "pattern": r"^(\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost):[0-9]{1,5}$"},
    kinds.parse_endpoint: {**NAME, "pattern": "^[hH][tT][tT][pP][sS]?://"},
    kinds.parse_encoding: NAME,
    kinds.parse_zone: NAME,
    kinds.parse_boolean: {"type": "boolean"},
    kinds.parse_texts: _TEXTS,
    kinds.parse_some_texts: {**_TEXTS, "minItems": 1},
    kinds.parse_duration: _DURATION,
    kinds.parse_positive_duration: _DURATION,
    kinds.parse_size: _SIZE,
    kinds.parse_line_limit: _SIZE,
    kinds.parse_integer: {"type": "integer"},
    kinds.parse_count: _COUNT,
    kinds.parse_positive_count: {**_COUNT, "minimum": 1},
    kinds.parse_group_id: _COUNT,
    kinds.parse_rate: {"type": "number", "minimum": 0},
    kinds.parse_fields: {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    read_secret: NAME,
}
"""What each kind of value looks like."""


def config_schema() -> Schema:
    """Give the schema of `shipper.toml`."""
    return {"$schema": DIALECT, "title": "shipper.toml", **table_schema(Config, KINDS, expands=True)}


def table_schema(cls: type[Any], known: Kinds, *, expands: bool = False) -> Schema:
    """Give the schema of a table.

    Args:
        cls: the dataclass that it is read into.
        known: what each kind of value in it looks like.
        expands: whether `${NAME}` may stand in a text of it.
    """
    keys = {item.name: item for item in dataclasses.fields(cls) if item.metadata}
    properties = {name: _key_schema(item, known, expands=expands) for name, item in keys.items()}
    required = [name for name, item in keys.items() if item.metadata.get("default") is REQUIRED]
    schema: Schema = {
        "type": "object",
        "description": inspect.cleandoc(cls.__doc__ or "").split("\n")[0],
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _key_schema(item: dataclasses.Field[Any], known: Kinds, *, expands: bool) -> Schema:
    meta = item.metadata
    if "table" in meta:
        return table_schema(meta["table"], known, expands=expands)
    if "tables" in meta:
        return {"type": "array", "items": table_schema(meta["tables"], known, expands=expands)}
    kind: kinds.Kind = meta["kind"]
    parse = kind.parse
    schema: Schema = {"enum": list(parse.allowed)} if isinstance(parse, kinds.Choice) else dict(known[parse])
    if expands and kind.expand and schema != TEXT and schema.get("type", "string") == "string":
        # what a variable holds is known to nobody here
        schema = {"anyOf": [schema, {"type": "string", "pattern": r"\$"}]}
    if meta["default"] is not REQUIRED and meta["default"] is not None:
        schema["default"] = meta["default"]
    return schema
