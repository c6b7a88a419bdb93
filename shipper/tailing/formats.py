"""How the lines of a source become records: its format, its records of several lines, its encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.tailing.containers import CRI, DOCKER, Containers
from shipper.tailing.multiline import Multiline, StartPattern, preset

if TYPE_CHECKING:
    from shipper.config.model import SourceTable
    from shipper.tailing.assembly import Assembler
    from shipper.tailing.containers import Form
    from shipper.tailing.multiline import Continuation


def assembler_of(source: SourceTable) -> Assembler | None:
    """Give what makes records of a source's lines; None where each line is one (spec, section 3)."""
    form = form_of(source)
    if form is not None:
        return Containers(form, source.max_line_bytes)
    continuation = continuation_of(source)
    if continuation is None:
        return None
    encoding = "utf-8" if source.encoding == "auto" else source.encoding
    table = source.multiline
    return Multiline(continuation, encoding, table.max_lines, source.max_line_bytes, table.timeout)


def form_of(source: SourceTable) -> Form | None:
    """Give how a container runtime writes the source's lines; None where none does."""
    return {"docker": DOCKER, "cri": CRI}.get(source.format)


def continuation_of(source: SourceTable) -> Continuation | None:
    """Give what tells which lines continue a record; None where none does. It may remember what it was asked last."""
    table = source.multiline
    if table.start is not None:
        return StartPattern(table.start)
    return None if table.preset is None else preset(table.preset)
