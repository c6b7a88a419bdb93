"""One rule, compiled: what it looks for and what it makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from shipper.matching.templates import Template

if TYPE_CHECKING:
    from datetime import tzinfo

    from shipper.matching.redaction import Redaction
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
class Threshold:
    """`[rule.threshold]`: an event only when a rule matches often enough.

    Attributes:
        count: matches that make an event.
        within: seconds in which they have to lie.
        by: captures for each of whose values it is counted.
        max_keys: how many of those are told apart; the rest share one count.
    """

    count: int
    within: float
    by: tuple[str, ...]
    max_keys: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """`[rule.throttle]`: at most so many events; the rest is counted and told by one more.

    Attributes:
        max: events of one window.
        per: seconds that a window lasts.
        by: captures for each of whose values there is a window.
        max_keys: how many of those are told apart; the rest share one window.
        summary: content of the event that tells how many were held back.
    """

    max: int
    per: float
    by: tuple[str, ...]
    max_keys: int
    summary: Template


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
        shadow: it counts and shows what it would make, sends nothing, and keeps no record from later rules.
        threshold: how often it has to match for an event.
        throttle: how many events it may make.
        redact: what of a record must not leave the host; those that hold for all rules come last.
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
    shadow: bool = False
    threshold: Threshold | None = None
    throttle: Throttle | None = None
    redact: tuple[Redaction, ...] = ()

    def names(self) -> frozenset[str]:
        """Give the names that its templates and limits use."""
        templates = [each for each in (self.event, self.content, self.group_id) if isinstance(each, Template)]
        by: tuple[str, ...] = ()
        if self.threshold is not None:
            by = self.threshold.by
        if self.throttle is not None:
            by += self.throttle.by
            templates.append(self.throttle.summary)
        return frozenset({*by, *(hole.name for each in templates for hole in each.holes)})

    def applies_to(self, source: str | None) -> bool:
        """Tell whether records of a source are judged; None is a file that belongs to none (spec, section 2)."""
        if not self.sources:
            return True
        return source is not None and any(fnmatchcase(source, glob) for glob in self.sources)
