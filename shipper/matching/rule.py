"""One rule, compiled: what it looks for and what it makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import tzinfo

    from shipper.matching.templates import Template
    from shipper.matching.timestamps import TimeFormat

Pattern = Any  # a compiled pattern of the `regex` module, which has no public type


@dataclass(frozen=True, slots=True)
class RuleTime:
    """`[rule.time]`: how the time of an event is read.

    Attributes:
        format: the one format to look for; None looks for the common kinds.
        field: the capture that holds it; None looks in the whole record.
        zone: zone of times that name none; None takes the source's.
    """

    format: TimeFormat | None = None
    field: str | None = None
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule file's `[[rule]]` means.

    Attributes:
        id: unique over all files.
        match: searched in the record.
        ignore: a record that matches one of these is no event.
        event: the event's name.
        content: the event's content.
        group_id: a number, a template, or None for the source's.
        sources: globs of source names; empty for every source.
        final: later rules do not see a record that this one matched and did not ignore.
        time: how the time is read; None looks for the common kinds.
        timeout: seconds for one search; None takes `match_timeout` of the configuration.
    """

    id: str
    match: Pattern
    ignore: tuple[Pattern, ...]
    event: Template
    content: Template
    group_id: int | Template | None
    sources: tuple[str, ...] = ()
    final: bool = False
    time: RuleTime | None = None
    timeout: float | None = None

    def applies_to(self, source: str | None) -> bool:
        """Tell whether records of a source are judged; None is a file that belongs to none (spec, section 2)."""
        if not self.sources:
            return True
        return source is not None and any(fnmatchcase(source, glob) for glob in self.sources)
