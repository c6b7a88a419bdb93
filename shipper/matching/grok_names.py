"""The `%{NAMES}` of a rule file: `[grok]` is read, and the patterns of rules are written out before they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.matching.grok import WORD, expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.config.locator import KeyPath
    from shipper.config.reader import Document
    from shipper.errors import Problem


def read_names(document: Document, problems: list[Problem]) -> dict[str, str]:
    """Give the names of `[grok]`, each with its pattern; what is wrong is added to the problems."""
    table = document.values.get("grok", {})
    if not isinstance(table, dict):
        said = "[grok] is a table of names and patterns, such as ORDER = 'order \\d+'"
        problems.append(document.problem(("grok",), said))
        return {}
    names = {}
    for name, pattern in table.items():
        if not WORD.fullmatch(name):
            said = f"'{name}' is no name: letters, digits and _, a letter first"
            problems.append(document.problem(("grok", name), said))
        elif not isinstance(pattern, str):
            said = f"'{name}' must be a pattern in quotes, not {pattern!r}"
            problems.append(document.problem(("grok", name), said))
        else:
            names[name] = pattern
    return names


def with_names(
    document: Document,
    number: int,
    values: Mapping[str, object],
    names: Mapping[str, str],
    problems: list[Problem],
) -> dict[str, object]:
    """Give a rule's values with the names in its patterns written out; what is wrong is added to the problems.

    Args:
        document: the rule file.
        number: the rule's place in it.
        values: of the rule, of any kind.
        names: those of the file.
        problems: see above.
    """

    def written_out(value: object, path: KeyPath) -> object:
        if isinstance(value, list):
            return [written_out(each, path) for each in value]
        if not isinstance(value, str):
            return value
        try:
            return expand(value, names)
        except ValueError as error:
            problems.append(document.problem(path, f"'{path[-1]}' {error}"))
            return "-"

    patterns = {key: written_out(values[key], ("rule", number, key)) for key in ("match", "ignore") if key in values}
    return {**values, **patterns}
