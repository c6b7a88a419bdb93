"""`make schemas`: writes the JSON Schemas that editors and Helm use, from the dataclasses that read the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import shipper
from shipper.config.json_schema import config_schema
from shipper.matching.rule_schema import rules_schema

DIRECTORY: Final = Path(shipper.__file__).parent / "schemas"
SCHEMAS: Final = {"shipper.schema.json": config_schema, "rules.schema.json": rules_schema}
CHART: Final = Path(__file__).parent.parent / "packaging/helm/shipper"
VALUES: Final = CHART / "values.schema.json"


def text_of(name: str) -> str:
    """Give what a schema's file should hold."""
    return _text(SCHEMAS[name]())


def text_of_values() -> str:
    """Give what the schema of the chart's values should hold: what is there, but `config` from the configuration's."""
    values = json.loads(VALUES.read_text())
    values["properties"]["config"] = _config_of_values()
    return _text(values)


def _config_of_values() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(config_schema()))
    keys = schema["properties"]
    for set_by_the_chart in ("state_dir", "rules", "http"):
        del keys[set_by_the_chart]
    # a key has no place in a ConfigMap
    del keys["cloudmonitor"]["properties"]["credentials"]
    # Helm judges patterns as Go has them
    _leave_out_formats(schema)
    return {name: value for name, value in schema.items() if name not in {"$schema", "title"}}


def _leave_out_formats(schema: Any) -> None:
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _leave_out_formats(each)
    if isinstance(schema, dict) and schema.get("format") == "regex":
        del schema["format"]


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them."""
    for name in SCHEMAS:
        (DIRECTORY / name).write_text(text_of(name))
    VALUES.write_text(text_of_values())


if __name__ == "__main__":
    main()
