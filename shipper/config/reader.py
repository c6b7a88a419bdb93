"""Reads TOML tables into dataclasses; the dataclass is the schema.

A field made with `key()` is a key of the table; its kind parses the value. `table()` and `tables()` are
sub-tables and arrays of them. Every problem of a document is collected, each with its line: an unknown key
comes with a "did you mean", a wrong value with what was expected.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from shipper.config.kinds import Kind
from shipper.config.locator import Locator
from shipper.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.config.locator import KeyPath

T = TypeVar("T")

REQUIRED: Any = object()
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<given>:-(?P<default>[^}]*))?\})")
_TOO_DEEP = "not usable: its values or its keys are nested too deeply"
_DEEPEST = 50
_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def key(default: Any, parse: Callable[[Any], Any], *, expand: bool = True) -> Any:
    """Declare a key of a table.

    Args:
        default: the TOML value it has when left out (parsed like a given one), None for no value, or `REQUIRED`.
        parse: see `config.kinds`.
        expand: whether `${NAME}` is expanded in it; patterns say False.
    """
    metadata = {"kind": Kind(parse, expand), "default": default}
    if default is REQUIRED:
        return field(metadata=metadata)
    return field(default_factory=lambda: None if default is None else parse(default), metadata=metadata)


def table(cls: type[T]) -> T:
    """Declare a sub-table; left out, it has its keys' defaults."""
    made: T = field(default_factory=cls, metadata={"table": cls})
    return made


def optional_table(cls: type[T]) -> T | None:
    """Declare a sub-table whose being there says something; left out, it is None."""
    made: T | None = field(default=None, metadata={"table": cls})
    return made


def tables(cls: type[T]) -> tuple[T, ...]:
    """Declare an array of tables; left out, it is empty."""
    made: tuple[T, ...] = field(default=(), metadata={"tables": cls})
    return made


@dataclass(frozen=True, slots=True)
class Document:
    """One TOML file, parsed, with the place of every key.

    Attributes:
        file: its name, for people.
        text: what it says.
        values: of its keys.
        locator: finds their places.
    """

    file: str
    text: str = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    locator: Locator = field(repr=False)

    def written(self, path: KeyPath) -> Any:
        """Give the value of a key as it stands in the file, before any expansion; None where it is not written."""
        value: Any = self.values
        for part in path:
            if isinstance(part, str) and isinstance(value, dict):
                value = value.get(part)
            elif isinstance(part, int) and isinstance(value, list) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def problem(self, path: KeyPath, message: str, *, rule: str | None = None, warning: bool = False) -> Problem:
        """Say that something is wrong at a key (or at its closest written ancestor)."""
        place = self.locator.find(path)
        return Problem(self.file, message, place.line, place.column, rule=rule, warning=warning, path=path)


def parse_document(file: str, text: str) -> Document | Problem:
    """Parse TOML 1.0; a syntax error comes back as a Problem with its line and column."""
    try:
        values = tomllib.loads(text)
    except RecursionError:
        return Problem(file, _TOO_DEEP)
    except ValueError as error:
        if not isinstance(error, tomllib.TOMLDecodeError):  # Python's limit for the digits of a number
            return Problem(file, "not usable: a number in it has too many digits")
        said = str(error)
        found = _SYNTAX_PLACE.search(said)
        reason = said[: found.start()] if found else said
        if found and found[1]:
            line, column = int(found[1]), int(found[2])
        else:
            line, column = text.count("\n") + 1, None
        return Problem(file, f"not valid TOML: {reason}", line, column)
    if _is_deeper(values, _DEEPEST):
        return Problem(file, _TOO_DEEP)
    return Document(file, text, values, Locator(text))


def _is_deeper(values: object, most: int) -> bool:
    """Tell whether tables and lists lie in each other more than so many times."""
    level = [values]
    for _ in range(most):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [value for each in inside for value in each]
        if not level:
            return False
    return True


def suggestion(name: str, known: list[str]) -> str:
    """Say which known name was probably meant, as the end of a sentence."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def literal(text: str) -> str:
    """Give what stands in the file itself of a text with `${NAME}`: its own words and its defaults."""
    return _VARIABLE.sub(lambda found: (found["default"] or "") if found["name"] else "$", text)


class TableReader:
    """Reads the tables of one document.

    Attributes:
        document: what is read.
        problems: what is wrong with it, each with its place.
        taken: every value that is right, by its place; there also when others of its table are wrong, so that
            what depends on several keys can be judged in the same go.
    """

    def __init__(
        self, document: Document, environment: Mapping[str, str] | None = None, *, forgiving: bool = False
    ) -> None:
        """Read a document.

        Args:
            document: what is read.
            environment: where `${NAME}` comes from, which is left as it is when that is None.
            forgiving: take a key that is wrong for one that is left out, and leave out a table without its required
                keys, so that all else of the document can be used.
        """
        self.document = document
        self.problems: list[Problem] = []
        self.taken: dict[KeyPath, Any] = {}
        self._environment = environment
        self._forgiving = forgiving

    def read(self, cls: type[T], values: object, path: KeyPath = ()) -> T | None:
        """Make a `cls` of a table; None, and at least one problem, when that cannot be done."""
        if not isinstance(values, dict):
            shape = f"[[{_dotted(path)}]]" if isinstance(path[-1], int) else f"[{_dotted(path)}]"
            name = next(part for part in reversed(path) if isinstance(part, str))
            self._report(path, f"'{name}' must be a table: write {shape}")
            return None
        before = len(self.problems)
        keys = {item.name: item for item in dataclasses.fields(cls) if item.metadata}  # type: ignore[arg-type]
        for name in values:
            if name not in keys:
                where = f" in [{_dotted(path)}]" if path else ""
                self._report((*path, name), f"unknown key '{name}'{where}{suggestion(name, list(keys))}")
        arguments: dict[str, Any] = {}
        for name, item in keys.items():
            if name in values:
                self._read_key(item, values[name], (*path, name), arguments)
            elif _is_required(item):
                self._report(path, f"the key '{name}' is missing")
        if self._forgiving:
            required = (name for name, item in keys.items() if _is_required(item))
            return cls(**arguments) if all(name in arguments for name in required) else None
        return cls(**arguments) if len(self.problems) == before else None

    def _read_key(self, item: dataclasses.Field[Any], value: object, path: KeyPath, out: dict[str, Any]) -> None:
        meta = item.metadata
        if "table" in meta:
            made = self.read(meta["table"], value, path)
            if made is not None:
                out[item.name] = made
        elif "tables" in meta:
            if not isinstance(value, list):
                self._report(path, f"'{path[-1]}' must be an array of tables: write [[{_dotted(path)}]]")
                return
            each_made = [self.read(meta["tables"], each, (*path, n)) for n, each in enumerate(value)]
            out[item.name] = tuple(made for made in each_made if made is not None)
        else:
            self._read_value(item, value, path, out)

    def _read_value(self, item: dataclasses.Field[Any], value: object, path: KeyPath, out: dict[str, Any]) -> None:
        kind: Kind = item.metadata["kind"]
        written = value
        if kind.expand:
            before = len(self.problems)
            value = self._expand(value, path)
            if len(self.problems) > before:
                return
        try:
            out[item.name] = self.taken[path] = kind.parse(value)
        except ValueError as error:
            # a variable may hold a secret, wherever it was put: errors show the text before expansion (spec, 3)
            said = str(error) if value == written else str(error).replace(repr(value), repr(written))
            self._report(path, f"'{path[-1]}' {said}")
            return

    def _expand(self, value: object, path: KeyPath) -> object:
        if isinstance(value, list):
            return [self._expand(each, path) for each in value]
        if isinstance(value, dict):
            return {name: self._expand(each, path) for name, each in value.items()}
        environment = self._environment
        if environment is None or not isinstance(value, str):
            return value

        unset: dict[str, None] = {}

        def replaced(found: re.Match[str]) -> str:
            name = found["name"]
            if name is None:
                return "$"
            if name in environment:
                return environment[name]
            if not found["given"]:
                unset[name] = None
            return found["default"] or ""

        expanded = _VARIABLE.sub(replaced, value)
        for name in unset:
            # not the whole text: around the variable may stand the literal half of a secret
            self._report(
                path,
                f"'{path[-1]}' holds '${{{name}}}', but the environment variable {name} is not set; "
                f"set it or give a default: ${{{name}:-...}}",
                variable=name,
            )
        return expanded

    def _report(self, path: KeyPath, message: str, variable: str | None = None) -> None:
        self.problems.append(dataclasses.replace(self.document.problem(path, message), variable=variable))


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path if isinstance(part, str))
