"""Templates such as `"{hostname} {path}: {reason|unknown}"`: parsed once, filled without `str.format`. Pure.

`{name}` is replaced, `{name|default}` falls back where a capture took no part, `{{` and `}}` are braces, and a single
brace is an error. What is filled in is never looked at again: braces in a log line are just braces (hazard 8.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN = frozenset({"line", "path", "file", "hostname", "ip", "source", "rule", "time", "count", "id"})


SUMMARY = frozenset({"first", "last"})
"""What `summary` of a throttle may name besides."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a template that is filled.

    Attributes:
        name: what fills it.
        default: what stands there when a capture took no part; None when the template names none.
    """

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: literal texts and holes, in order."""

    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The places that are filled."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    def fill(self, values: Mapping[str, str | None]) -> str:
        """Replace every hole; a value that is None or not there gives the default, or nothing."""
        filled = []
        for part in self.parts:
            if isinstance(part, str):
                filled.append(part)
            else:
                value = values.get(part.name)
                filled.append(value if value is not None else part.default or "")
        return filled[0] if len(filled) == 1 else "".join(filled)


def parse_template(text: str) -> Template:
    """Parse a template.

    Raises:
        ValueError: a single brace, or a hole without a name; the message names the column.
    """
    parts: list[str | Hole] = []
    literal: list[str] = []
    at = 0
    while at < len(text):
        here = text[at]
        if here in "{}" and text[at : at + 2] == here * 2:
            literal.append(here)
            at += 2
        elif here == "}":
            raise ValueError(f"has a single '}}' at column {at + 1}; write }}}} for a brace")
        elif here == "{":
            end = text.find("}", at)
            inner = text[at + 1 : end] if end > 0 else ""
            if end < 0 or "{" in inner:
                raise ValueError(f"has a single '{{' at column {at + 1}; write {{{{ for a brace, or close it with '}}'")
            name, bar, default = inner.partition("|")
            if not name.strip():
                raise ValueError(f"has an empty {{}} at column {at + 1}; write the name of what goes there")
            if literal:
                parts.append("".join(literal))
                literal = []
            parts.append(Hole(name.strip(), default if bar else None))
            at = end + 1
        else:
            literal.append(here)
            at += 1
    if literal:
        parts.append("".join(literal))
    return Template(tuple(parts))
