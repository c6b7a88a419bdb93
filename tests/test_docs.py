"""The documentation is true: its examples load, its keys exist, its links lead somewhere."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from shipper.cloudmonitor.advice import ADVICE
from shipper.config.load import load_config
from shipper.config.model import Config
from shipper.matching.proving import prove
from shipper.matching.rule_file import CaseTable, RuleTable
from shipper.matching.rulebook import load_rules
from tests.pages import ROOT, Page, problem_with, without_comments

ENGLISH, CHINESE = Page(ROOT / "README.md"), Page(ROOT / "README.zh-CN.md")
PAGES = [ENGLISH.path, CHINESE.path, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "packaging").rglob("*.md"))
EVERY_PAGE = pytest.mark.parametrize("page", [Page(path) for path in PAGES], ids=lambda page: page.name)
BLOCKS = [
    (page, block)
    for page in PAGES
    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
]


def keys(cls: type) -> set[str]:
    """Give the names of all keys of a table and of the tables in it."""
    found: set[str] = set()
    for field in dataclasses.fields(cls):
        if not field.metadata:
            continue
        inner = field.metadata.get("table") or field.metadata.get("tables")
        found |= keys(inner) if inner else {field.name}
    return found


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: value.name if isinstance(value, Path) else "")
def test_examples_are_right(tmp_path: Path, page: Path, block: str) -> None:
    """Rules load without any problem and pass their tests; configurations load."""
    file = tmp_path / "example.toml"
    file.write_text(block)
    if "[[rule]]" in block:
        rulebook, problems = load_rules([file])
        assert problems == (), page
        assert [outcome for outcome in prove(rulebook.cases) if not outcome.passed] == []
    else:
        load_config(file, {})


def test_there_are_examples() -> None:
    """The pattern that finds them still does."""
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(
    ("page", "cls"), [("configuration.md", Config), ("rules.md", RuleTable), ("rules.md", CaseTable)]
)
def test_every_key_is_described(page: str, cls: type) -> None:
    """A key that is not in its page does not exist for its users."""
    text = (ROOT / "docs" / page).read_text()

    assert [key for key in sorted(keys(cls)) if f"`{key}`" not in text and not re.search(rf"\b{key} =", text)] == []


def table_of(heading: str) -> type:
    """Give the dataclass of a heading such as `## `[[source]]``; the top level for one without a table's name."""
    found: type = Config
    for name in re.findall(r"[a-z]+", heading) if "[" in heading else []:
        metadata = {field.name: field.metadata for field in dataclasses.fields(found)}[name]
        found = metadata.get("table") or metadata["tables"]
    return found


def test_the_configuration_page_has_the_right_keys_in_each_table() -> None:
    """A row names only keys of the table that its heading names, and each of its keys has a row."""
    page = (ROOT / "docs/configuration.md").read_text()
    headings = set()
    for section in re.split(r"^##+ ", page, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
        if not rows:
            continue
        cls = table_of(heading)
        own = {field.name for field in dataclasses.fields(cls) if "kind" in field.metadata}
        assert {key for row in rows for key in re.findall(r"`([^`]+)`", row)} == own, heading
        headings.add(cls.__name__)

    assert headings == {
        "Config",
        "CloudMonitorTable",
        "CredentialsTable",
        "HttpTable",
        "StoreTable",
        "SourceTable",
        "MultilineTable",
    }


@EVERY_PAGE
def test_links_lead_somewhere(page: Page) -> None:
    """Relative links name files of the project, and headings that are in them."""
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = page.path.parent / target if target else page.path
        assert file.exists(), link
        assert not anchor or anchor in Page(file.resolve()).anchors, link


@EVERY_PAGE
def test_pages_are_shown_as_they_are_meant(page: Page) -> None:
    """Code ends, tables are even, no level of headings is left out, and nothing depends on raw HTML."""
    assert list(page.mistakes()) == []


@EVERY_PAGE
def test_commands_exist_with_their_options(page: Page) -> None:
    """Whoever copies a command from a page is understood."""
    assert [problem for command in page.commands if (problem := problem_with(command))] == []


def test_commands_are_found_and_judged() -> None:
    """The readers of the test above still read."""
    assert len(list(ENGLISH.commands)) > 15
    assert "No such option" in (problem_with("shipper status --nonsense") or "")
    assert "no such command" in (problem_with("shipper statsu") or "")
    assert "No such option" in (problem_with("shipper dead-letters retry --every") or "")
    assert "No such option" in (problem_with("shipper run --once") or "")
    assert problem_with("shipper check -r a.toml b.toml --json") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intro\n\n# Late\n", "heading of the first level"),
        ("# One\n\n### Three\n", "a level is left out"),
        ("# One\n\n```sh\nls\n", "does not end"),
        ("# One\n\n| a | b |\n|---|---|\n| 1 |\n", "number of columns"),
        ("# One\n\n<br>\n", "raw HTML"),
    ],
)
def test_mistakes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    """What the test of pages looks for, it finds."""
    monkeypatch.setattr("tests.pages.ROOT", tmp_path)
    file = tmp_path / "page.md"
    file.write_text(text)

    assert said in "".join(Page(file).mistakes())


def test_both_readmes_say_the_same() -> None:
    """The same headings, commands and links, so that neither language is behind."""
    english, chinese = ENGLISH, CHINESE

    assert [level for level, _ in chinese.headings] == [level for level, _ in english.headings]
    assert [(code.language, without_comments(code)) for code in chinese.code] == [
        (code.language, without_comments(code)) for code in english.code
    ]
    assert chinese.links[0] == english.path.name
    assert english.links[0] == chinese.path.name
    assert sorted(chinese.links[1:]) == sorted(english.links[1:])


def test_every_page_is_named_in_the_readme() -> None:
    """A page that nobody is led to is not read."""
    further = ENGLISH.text.split("## Further reading\n")[1]

    assert [page for page in sorted((ROOT / "docs").glob("*.md")) if f"](docs/{page.name})" not in further] == []


def test_the_units_configuration_loads() -> None:
    """What the steps of packaging/systemd install is right."""
    config, _ = load_config(ROOT / "packaging/systemd/shipper.toml", {})

    assert config.source[0].name == "system"


def test_every_command_is_in_the_readme_and_has_examples() -> None:
    """A newcomer finds each command, and each command's help shows how it is used."""
    from click.testing import CliRunner

    from shipper.cli.app import COMMANDS, shipper

    readme = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"shipper {name}" in readme, name
        shown = CliRunner().invoke(shipper, [name, "--help"])
        assert shown.exit_code == 0
        assert f"shipper {name} " in shown.output.split("Options:")[0].split("\n", 1)[1] or name == "demo"


def test_the_table_of_messages_is_the_one_that_the_product_uses() -> None:
    """`docs/delivery.md`: what a message means, and what to do."""
    rows = [
        f"| {', '.join(f'`{word}`' for word in row.words) or ', '.join(map(str, row.statuses))} "
        f"| {row.meaning} | {row.action} |"
        for row in ADVICE
    ]
    text = (ROOT / "docs" / "delivery.md").read_text()
    table = text.split("<!-- advice -->\n")[1].split("<!-- end -->")[0]

    assert table.splitlines()[2:] == rows


def test_every_message_of_the_agent_is_described_with_its_level() -> None:
    """The codes and levels in the log are those on the page, no more and no fewer."""
    told: dict[str, str] = {}
    sources = [ast.parse(file.read_text()) for file in (ROOT / "shipper/telemetry").glob("*.py")]
    for call in (node for source in sources for node in ast.walk(source)):
        if not isinstance(call, ast.Call):
            continue
        match call:
            case ast.Call(
                func=ast.Attribute(ast.Name("journal"), "tell"),
                args=[ast.Attribute(attr=level), ast.Constant(name), *_],
            ):
                told[str(name)] = level.lower()
            case ast.Call(func=ast.Attribute(ast.Attribute(ast.Name("journal"), "log"), level), keywords=keywords):
                for each in keywords:
                    if each.arg == "extra" and isinstance(each.value, ast.Dict):
                        first = next(iter(each.value.values))
                        if isinstance(first, ast.Constant):
                            told[str(first.value)] = level
    page = (ROOT / "docs/messages.md").read_text()
    described = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))

    assert len(told) > 50
    assert described == told
