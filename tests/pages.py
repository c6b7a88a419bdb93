"""Reads the pages of the documentation as GitHub does, for `test_docs.py`: headings, links, code, tables, commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from markdown_it import MarkdownIt

from shipper.cli.app import shipper
from shipper.cli.rule_options import RuleFilesCommand, _spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

ROOT: Final = Path(__file__).parent.parent
SHELLS: Final = frozenset({"sh", "bash", "console"})


@dataclass(frozen=True, slots=True)
class Code:
    """A fenced block: what it is called, and its lines."""

    language: str
    lines: tuple[str, ...]


class Page:
    """One document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()

    @cached_property
    def tokens(self) -> list[Token]:
        """All parts of the page; tables as GitHub has them."""
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @property
    def inline(self) -> Iterator[Token]:
        """Give the parts of its running text: words, links, code."""
        for token in self.tokens:
            yield from token.children or ()

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = []
        for token, text in zip(self.tokens, self.tokens[1:], strict=False):
            if token.type == "heading_open":
                said = "".join(part.content for part in text.children or ())
                found.append((int(token.tag[1:]), said))
        return found

    @cached_property
    def anchors(self) -> set[str]:
        """What may stand behind `#` in a link to it."""
        found: set[str] = set()
        for _, text in self.headings:
            name, number = slug(text), 0
            while name in found:
                number += 1
                name = f"{slug(text)}-{number}"
            found.add(name)
        return found

    @property
    def links(self) -> list[str]:
        """Where its links and pictures lead, in their order."""
        found = [token.attrGet("href") or token.attrGet("src") for token in self.inline]
        return [str(target) for target in found if target]

    @property
    def code(self) -> list[Code]:
        """Its fenced blocks."""
        found = [token for token in self.tokens if token.type == "fence"]
        return [Code(token.info.strip(), tuple(token.content.splitlines())) for token in found]

    @property
    def commands(self) -> Iterator[str]:
        """Give each command line of the product, from blocks for a shell and from code in the text."""
        for block in self.code:
            if block.language in SHELLS:
                yield from _of_ours(block)
        for token in self.inline:
            if token.type == "code_inline" and token.content.startswith("shipper "):
                yield token.content

    def mistakes(self) -> Iterator[str]:
        """Say what would not be shown as it is meant."""
        levels = [level for level, _ in self.headings]
        if self.tokens[0].tag != "h1" or levels.count(1) != 1:
            yield "it does not begin with its only heading of the first level"
        for before, (level, text) in zip(levels, self.headings[1:], strict=False):
            if level > before + 1:
                yield f"{text}: a level is left out before it"
        for token in self.tokens:
            first, behind = token.map or (0, 0)
            if token.type == "fence" and self.lines[behind - 1].strip() != token.markup:
                yield f"line {first + 1}: a block of code does not end"
            if token.type == "table_open" and len({_columns(line) for line in self.lines[first:behind]}) > 1:
                yield f"line {first + 1}: not every row of the table has the same number of columns"
            if token.type == "html_block" and not token.content.startswith("<!--"):
                yield f"line {first + 1}: raw HTML"
        for token in self.inline:
            if token.type == "html_inline":
                yield f"raw HTML: {token.content}"
            if token.type == "text" and re.search(r"\]\(|\*\*|``", token.content):
                yield f"markup that is shown as it stands: {token.content}"


def slug(heading: str) -> str:
    """Give the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def without_comments(block: Code) -> list[str]:
    """Give what a block says to a machine."""
    kept = (re.sub(r"(^|\s+)#(?!:).*$", "", line).rstrip() for line in block.lines)
    return [line for line in kept if line]


def problem_with(line: str) -> str | None:
    """Parse a command line of the product without running it; None when all of its names exist."""
    try:
        _parse(shlex.split(line))
    except click.UsageError as error:
        return f"{line}: {error.format_message()}"
    return None


def _parse(words: Sequence[str]) -> None:
    # [optional], (one|other) and repeated... are how the text writes what may be left out
    args = [each for word in words[1:] for each in word.strip("[]()").replace("...", "").split("|") if each]
    command: click.Command = shipper
    above: click.Context | None = None
    while True:
        context = click.Context(command, above, info_name=command.name)
        if isinstance(command, RuleFilesCommand):
            args = list(_spread(args))
        _, left, _ = command.make_parser(context).parse_args(args)
        if not isinstance(command, click.Group):
            if left:
                raise click.UsageError(f"more than it takes: {left}")
            return
        if not left:
            return
        _, found, args = command.resolve_command(context, left)
        assert found is not None
        command, above = found, context


def _of_ours(block: Code) -> Iterator[str]:
    text = "\n".join(block.lines).replace("\\\n", " ")
    for line in text.splitlines():
        shown = line.removeprefix("$ ")
        if block.language == "console" and shown == line:
            continue  # what a command prints
        words = shlex.shlex(shown, posix=False, punctuation_chars=True)
        words.whitespace_split, words.commenters = True, "#"
        part: list[str] = []
        for word in [*words, ";"]:
            if word.strip("();<>|&"):
                part.append(word)
                continue
            yield from _without_prefix(part)
            part = []


def _without_prefix(words: list[str]) -> Iterator[str]:
    """Give the product's own part of a command, behind `sudo`, `docker exec NAME` and their like."""
    for number, word in enumerate(words):
        before = words[:number]
        if before[-1:] == ["-u"]:
            continue  # the user's name
        if word == "shipper" or word.endswith("/bin/shipper"):
            if not before or before[0] == "sudo" or "exec" in before or all("=" in each for each in before):
                yield " ".join(["shipper", *words[number + 1 :]])
            return


def _columns(line: str) -> int:
    """Count the cells of a row: between bars, but those that are escaped."""
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return len(re.findall(r"(?<!\\)\|", inner)) + 1
