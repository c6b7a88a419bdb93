"""TOML as `shipper init` writes it: values that the configuration reads back as they were, and comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.config.toml_string import basic_string
from shipper.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT_COLUMN = 37


def quoted(text: str) -> str:
    """Give a string of the configuration, in which a dollar may begin a variable's name."""
    return basic_string(text.replace("$", "$$"))


def quoted_all(texts: Iterable[str]) -> str:
    """Give an array of strings, over several lines where one would be long."""
    items = [quoted(text) for text in texts]
    line = f"[{', '.join(items)}]"
    return line if len(line) <= 100 or len(items) == 1 else "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def with_comment(line: str, comment: str) -> str:
    """Give a line with a comment behind it."""
    return f"{line:<{_COMMENT_COLUMN - 1}} # {one_comment(comment)}"


def one_comment(text: str) -> str:
    """Make text from elsewhere, such as a file's name, fit into a comment."""
    return printable(text)
