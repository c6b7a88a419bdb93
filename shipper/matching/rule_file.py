"""The tables and keys of a rule file: spec, section 4. These dataclasses are the schema, as in `config.model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import regex

from shipper.config import kinds
from shipper.config.reader import REQUIRED, key, optional_table, table, tables
from shipper.matching.proving import parse_expected, parse_now
from shipper.matching.templates import Template, parse_template
from shipper.matching.timestamps import TimeFormat, parse_format

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from shipper.matching.proving import Expectation
    from shipper.matching.rule import Pattern


def parse_pattern(value: object) -> Pattern:
    """Take a pattern of the `regex` module; the message tells where in the pattern it fails and why."""
    text = kinds.parse_name(value)
    try:
        return regex.compile(text)
    except regex.error as error:
        # the exception's attributes are there, but in no stub
        position, said = getattr(error, "pos", None), getattr(error, "msg", str(error))
        place = "" if position is None else f" at column {position + 1} of the pattern"
        raise ValueError(f"is not a valid pattern{place}: {said} in {text!r}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a valid pattern: {error} in {text!r}") from None


def parse_patterns(value: object) -> tuple[Pattern, ...]:
    """Take an array of patterns."""
    return tuple(parse_pattern(text) for text in kinds.parse_texts(value))


def read_template(value: object) -> Template:
    """Take a template; see `templates`."""
    return parse_template(kinds.parse_text(value))


def parse_group(value: object) -> int | Template:
    """Take a group id, or a template that gives one; digits in quotes are a group id too."""
    if not isinstance(value, str):
        return kinds.parse_group_id(value)
    template = read_template(value)
    if template.holes:
        return template
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f'must be a whole number, or a template such as "{{group}}" that gives one, not {value!r}')
    return kinds.parse_group_id(int(value))


def read_format(value: object) -> TimeFormat:
    """Take a time format; see `timestamps`."""
    return parse_format(kinds.parse_name(value))


def read_later(value: object) -> object:
    """Take anything: it is read by those who know the whole file."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTable:
    """`[rule.time]`."""

    format: TimeFormat | None = key(None, read_format)
    field: str | None = key(None, kinds.parse_name)
    zone: tzinfo | None = key(None, kinds.parse_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdTable:
    """`[rule.threshold]`."""

    count: int = key(REQUIRED, kinds.parse_positive_count)
    within: float = key(REQUIRED, kinds.parse_positive_duration)
    by: tuple[str, ...] = key([], kinds.parse_texts)
    max_keys: int = key(10_000, kinds.parse_positive_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleTable:
    """`[rule.throttle]`."""

    max: int = key(REQUIRED, kinds.parse_count)
    per: float = key(REQUIRED, kinds.parse_positive_duration)
    by: tuple[str, ...] = key([], kinds.parse_texts)
    max_keys: int = key(10_000, kinds.parse_positive_count)
    summary: Template = key("{count} more between {first} and {last}: {line}", read_template)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactTable:
    """`[[rule.redact]]`, and `[[redact]]` at the top of a file."""

    pattern: Pattern = key(REQUIRED, parse_pattern)
    replace: str = key("***", kinds.parse_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """`[[rule.test]]`."""

    line: str | None = key(None, kinds.parse_text)
    lines: tuple[str, ...] | None = key(None, kinds.parse_some_texts)
    expect: Expectation | tuple[Expectation, ...] = key(REQUIRED, parse_expected)
    path: str | None = key(None, kinds.parse_name)
    source: str | None = key(None, kinds.parse_name)
    fields: dict[str, str] | None = key(None, kinds.parse_fields)
    now: datetime | None = key(None, parse_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """`[[rule]]`."""

    id: str = key(REQUIRED, kinds.parse_name)
    match: Pattern = key(REQUIRED, parse_pattern)
    event: Template = key(REQUIRED, read_template)
    description: str = key("", kinds.parse_text)
    sources: tuple[str, ...] = key([], kinds.parse_texts)
    ignore: tuple[Pattern, ...] = key([], parse_patterns)
    group_id: int | Template | None = key(None, parse_group)
    content: Template = key("{line}", read_template)
    final: bool = key(False, kinds.parse_boolean)
    match_timeout: float | None = key(None, kinds.parse_positive_duration)
    shadow: bool = key(False, kinds.parse_boolean)
    time: TimeTable = table(TimeTable)
    threshold: ThresholdTable | None = optional_table(ThresholdTable)
    throttle: ThrottleTable | None = optional_table(ThrottleTable)
    redact: tuple[RedactTable, ...] = tables(RedactTable)
    test: tuple[CaseTable, ...] = tables(CaseTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """The top of a rule file; the rules themselves are read one by one."""

    rule: Any = key([], read_later)
    grok: Any = key(None, read_later)
    redact: tuple[RedactTable, ...] = tables(RedactTable)
