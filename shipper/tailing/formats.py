"""How the lines of a source become records: its format, its records of several lines, its encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.containers import CRI, DOCKER, Containers
from shipper.tailing.multiline import Multiline, StartPattern, preset

if TYPE_CHECKING:
    from shipper.config.model import SourceTable
    from shipper.tailing.assembly import Assembler


def assembler_of(source: SourceTable) -> Assembler | None:
    """Give what makes records of a source's lines; None where each line is one (spec, section 3)."""
    if source.format in {"docker", "cri"}:
        return Containers(DOCKER if source.format == "docker" else CRI, source.max_line_bytes)
    table = source.multiline
    if table.start is None and table.preset is None:
        return None
    continuation = preset(table.preset) if table.start is None and table.preset else StartPattern(table.start or "")
    encoding = "utf-8" if source.encoding == "auto" else source.encoding
    return Multiline(continuation, encoding, table.max_lines, source.max_line_bytes, table.timeout)
