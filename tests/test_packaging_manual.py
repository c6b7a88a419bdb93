"""The manual page: it has every command with its options, every exit code, and the environment; formatters take it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from shipper.cli.app import shipper
from tests.pages import ROOT, problem_with
from tests.system.programs import program

SECTIONS = (
    "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO",
)  # fmt: skip
SIGNS = {"-": "-", "e": "\\", "(aq": "'", "(ga": "`", "(ha": "^", "(ti": "~", "(dq": '"', "&": ""}


@cache
def source() -> str:
    script = str(ROOT / "packaging/manual.py")
    command = [sys.executable, script, "--version", "1.2.3", "--date", "2026-11-26"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(text: str) -> str:
    """Give the text of the page as its reader sees it."""
    text = re.sub(r"\\f[BIP]|^\.(?:B|SS) ", "", text, flags=re.MULTILINE)
    return re.sub(r"\\(\(\w\w|[-e&])", lambda found: SIGNS[found[1]], text)


def parts(text: str, macro: str) -> dict[str, str]:
    """Give what stands under each heading."""
    found = re.split(rf'^\.{macro} "?(.*?)"?\n', text, flags=re.MULTILINE)[1:]
    return dict(zip((read(heading) for heading in found[::2]), found[1::2], strict=True))


def commands(group: click.Group, above: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, above, info_name=name)
        yield context.command_path, command
        if isinstance(command, click.Group):
            yield from commands(command, context)


COMMANDS = dict(commands(shipper, click.Context(shipper)))


def test_its_sections_are_those_of_a_manual() -> None:
    assert tuple(parts(source(), "SH")) == SECTIONS
    assert source().startswith('.TH SHIPPER 1 "2026-11-26" "shipper 1.2.3"')


def test_every_command_has_its_part_and_no_other_is_there() -> None:
    assert list(parts(parts(source(), "SH")["COMMANDS"], "SS")) == list(COMMANDS)
    assert {"run", "offsets set", "dead-letters retry"} < set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_told(path: str) -> None:
    """With the usage, and the whole of what the command's help says of it."""
    part = read(parts(parts(source(), "SH")["COMMANDS"], "SS")[path])
    assert part.startswith(f"shipper {path} ")
    context = click.Context(COMMANDS[path])
    records = [each.get_help_record(context) for each in COMMANDS[path].params if isinstance(each, click.Option)]
    assert [record for record in records if record and f".TP\n{record[0]}\n{record[1]}\n" not in part] == []
    assert part.endswith(".TP\n-h, --help\nShow this message and exit.\n")


@pytest.mark.parametrize("path", COMMANDS)
def test_its_examples_are_understood(path: str) -> None:
    """Whoever copies a command from it."""
    part = read(parts(parts(source(), "SH")["COMMANDS"], "SS")[path])
    for line in re.findall(r"^(?:.*\| )?(shipper .*?)(?: \|.*)?$", "\n".join(part.splitlines()[1:]), re.MULTILINE):
        assert problem_with(line) is None


def test_the_exit_codes_are_those_of_the_documentation() -> None:
    """And those of the command line's own description."""
    page = (ROOT / "docs/command-line.md").read_text()
    codes = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    said = read(parts(source(), "SH")["EXIT STATUS"])

    assert re.findall(r"^\.TP\n(\d+)$", said, re.MULTILINE) == codes == ["0", "1", "2", "130", "143"]
    main = ast.get_docstring(ast.parse((ROOT / "shipper/cli/app.py").read_text())) or ""
    assert re.findall(r"(?<![\w.])\d+(?= |\n)", main.split("Exit codes (spec, section 2):")[1]) == codes


def test_every_variable_that_the_program_reads_is_told() -> None:
    """Those that it asks the environment for, by their names in its sources; those that a library reads for it, too."""
    asked: set[str] = set()
    for file in (ROOT / "shipper").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Constant(str(name)) if re.fullmatch(r"(ALIBABA_CLOUD|SHIPPER)_[A-Z0-9_]+", name):
                    asked.add(name)
                case ast.Call(func=ast.Attribute(of, "get"), args=[ast.Constant(str(name)), *_]) if (
                    "environ" in ast.unparse(of)
                ):
                    asked.add(name)
    assert {"SHIPPER_CONFIG", "NOTIFY_SOCKET", "HOME", "CURL_CA_BUNDLE"} <= asked
    told = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", " ".join(terms("ENVIRONMENT"))))

    assert told == asked | {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "TZ", "NO_COLOR"}


def terms(section: str) -> list[str]:
    return re.findall(r"^\.TP\n(.*)$", read(parts(source(), "SH")[section]), re.MULTILINE)


def test_files_are_those_that_the_packages_bring() -> None:
    """What the unit and the recipes of the packages name."""
    told = ", ".join(terms("FILES"))
    unit = (ROOT / "packaging/systemd/shipper.service").read_text()
    for path in re.findall(r"/etc/shipper/\w+\.(?:toml|env)", unit):
        assert path in told
    for path in ("rules/", "prometheus/alerts.yml", "grafana/shipper.json"):
        assert f"/usr/share/shipper/{path}" in told


@pytest.mark.parametrize(
    "formatter",
    [("man", "--warnings", "-l"), ("groff", "-man", "-ww", "-Tutf8"), ("mandoc", "-T", "lint", "-W", "warning")],
)
def test_formatters_find_nothing_to_say(formatter: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "shipper.1"
    file.write_text(source())
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program(formatter[0]), *formatter[1:], file], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "WARNING" not in done.stdout


def test_commands_can_be_copied_from_the_formatted_page(tmp_path: Path) -> None:
    """Quotes, hyphens, tildes and backslashes stay what they are, and no word is broken.

    Debian's formatter draws some of these signs as they stand in any page; others do not.
    """
    assert [line for line in source().splitlines()[1:] if re.search(r"(?<!\\)[-'`^~]", line)] == []
    file = tmp_path / "shipper.1"
    file.write_text(source())
    done = subprocess.run([program("groff"), "-man", "-Tutf8", "-P-cbou", file], capture_output=True, text=True)
    shown = {line.strip() for line in done.stdout.splitlines()}
    for command in COMMANDS.values():
        for line in re.findall(r"^ +((?:.*\| )?(?:sudo )?shipper .*)$", command.help or "", re.MULTILINE):
            assert line in shown
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET," in shown
