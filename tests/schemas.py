"""`make schemas`: writes the JSON Schemas that editors use, from the dataclasses that read the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import shipper
from shipper.config.json_schema import config_schema
from shipper.matching.rule_schema import rules_schema

DIRECTORY: Final = Path(shipper.__file__).parent / "schemas"
SCHEMAS: Final = {"shipper.schema.json": config_schema, "rules.schema.json": rules_schema}


def text_of(name: str) -> str:
    """Give what a schema's file should hold."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them."""
    for name in SCHEMAS:
        (DIRECTORY / name).write_text(text_of(name))


if __name__ == "__main__":
    main()
