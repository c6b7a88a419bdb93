"""The JSON Schema of rule files, see `config.json_schema`. Pure."""

from __future__ import annotations

from shipper.config.json_schema import DIALECT, KINDS, NAME, TEXT, Kinds, Schema, table_schema
from shipper.matching import rule_file
from shipper.matching.proving import KEYS, NO_MATCH, parse_expected, parse_now

_GROUP: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, TEXT]}
_EXPECTATION: Schema = {
    "type": "object",
    "properties": {key: {"type": ["string", "integer"]} for key in KEYS},
    "additionalProperties": False,
}

RULE_KINDS: Kinds = {
    **KINDS,
    rule_file.parse_pattern: NAME,
    rule_file.parse_patterns: {"type": "array", "items": NAME},
    rule_file.read_template: TEXT,
    rule_file.parse_group: _GROUP,
    rule_file.read_format: NAME,
    parse_expected: {"anyOf": [{"const": NO_MATCH}, _EXPECTATION, {"type": "array", "items": _EXPECTATION}]},
    parse_now: TEXT,
}


def rules_schema() -> Schema:
    """Give the schema of a rule file."""
    whole = table_schema(rule_file.RuleFile, {**RULE_KINDS, rule_file.read_later: {}})
    whole["properties"] |= {
        "rule": {"type": "array", "items": table_schema(rule_file.RuleTable, RULE_KINDS)},
        "grok": {"type": "object", "additionalProperties": NAME},
    }
    return {"$schema": DIALECT, "title": "Rules of Shipper", **whole}
