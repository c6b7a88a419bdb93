"""What a shell completes, asked through the shell's own script; also for `run`, which has a parser of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.programs import program

COMMAND = "#!{python}\nimport sys\n\nfrom shipper.__main__ import main\n\nsys.exit(main())\n"
# what bash does when somebody presses the tabulator behind the last word
PRESS = 'eval "$(_SHIPPER_COMPLETE=bash_source shipper)"; COMP_WORDS=({words}); COMP_CWORD={last}; '
PRESS += '_shipper_completion shipper; printf "%s\\n" "${{COMPREPLY[@]}}"'


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which the command is."""
    script = tmp_path / "shipper"
    script.write_text(COMMAND.format(python=sys.executable))
    script.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def completed(path: str, *words: str) -> list[str]:
    press = PRESS.format(words=" ".join(map(shlex.quote, words)), last=len(words) - 1)
    done = subprocess.run(
        [program("bash"), "--norc", "-c", press], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("shipper", "run", ""), ["-c", "--config", "-h", "--help"]),
        (("shipper", "run", "--"), ["--config", "--help"]),
        (("shipper", "run", "-c", "/etc/shipper/shipper.toml", "--"), ["--help"]),
        (("shipper", "check", "--on"), ["--online"]),
        (("shipper", "dead-letters", "re"), ["retry"]),
        (("shipper", "sta"), ["status"]),
    ],
)
def test_bash_offers(path: str, words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(path, *words) == offered


def test_the_options_of_run_are_those_of_its_own_parser(path: str) -> None:
    """It is parsed with the standard library and completed with the terminal library: both know the same options."""
    told = subprocess.run([sys.executable, "-m", "shipper", "run", "--help"], capture_output=True, text=True)

    options = re.findall(r"(?<![\w-])--?[a-z]+", told.stdout.split("options:")[1].split("signals:")[0])
    assert sorted(set(options)) == sorted(completed(path, "shipper", "run", ""))
