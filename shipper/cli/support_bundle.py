"""`shipper support-bundle`: all that somebody needs who is to help, in one file, without secrets."""

from __future__ import annotations

import io
import os
import platform
import tarfile
import time
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from shipper.agent.status_json import to_json
from shipper.backfill.store import STORE as STORE_OF_BACKFILLS
from shipper.cli.config_option import config_option
from shipper.cli.masking import Masking
from shipper.cli.status import read_status
from shipper.cli.terminal import data, say
from shipper.config.load import default_file, load_readable, read_document
from shipper.errors import ConfigurationError, ShipperError
from shipper.matching.rulebook import find_rule_files, load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shipper.config.load import Readable
    from shipper.config.model import Config
    from shipper.errors import Problem

_HOST_FILES = ("/proc/self/limits", "/proc/meminfo", "/proc/self/mountinfo", "/etc/os-release")
_MOST_BYTES = 256 * 1024


@click.command("support-bundle", short_help="Collect what somebody needs who is to help, without secrets.")
@config_option()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file (default: with the time in it)."
)
def command(config_file: Path | None, output: Path | None) -> int:
    """Write status, configuration, rule files and versions into one .tar.gz, which only you may read.

    Keys and passwords are masked, and whatever stands under a name that is no key. Lines of logs are not in it, but for
    those in the tests of your rules; paths, host name and event names are. Look into it before you give it away:
    tar -tzf FILE.

    \b
    Examples:
      shipper support-bundle
      shipper support-bundle --output /tmp/shipper.tar.gz
    """
    chosen = config_file or default_file()
    stamp = datetime.now(UTC)
    name = f"shipper-support-{stamp:%Y%m%dT%H%M%SZ}"
    target = output or Path(f"{name}.tar.gz")
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.UsageError(f"--output {target}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for member, content in _members(chosen):
            about = tarfile.TarInfo(f"{name}/{member}")
            about.size, about.mtime, about.mode = len(content), int(time.time()), 0o600
            bundle.addfile(about, io.BytesIO(content))
    say("Keys and passwords are masked. Look into it before you give it away.", "dim")
    data().out(str(target))
    return 0


def _members(file: Path) -> Iterator[tuple[str, bytes]]:
    """Give names and contents, each as far as it can be had, without secrets."""
    masking = Masking(os.environ)
    configuration = _configuration(file, masking)
    problems: list[Problem] = []
    rule_files: list[Path] = []
    readable: Readable | None = None
    try:
        readable = load_readable(file)
        problems += readable.problems
        rule_files, empty = find_rule_files(readable.config)
        problems += empty
        problems += load_rules(rule_files, readable.config.source)[1]
    except ConfigurationError as error:
        problems += error.problems
    for each in rule_files:
        _note_secrets(each, masking)
    # from here on all secrets are known
    yield "versions.json", _json(_versions())
    yield "configuration.json", _json(masking.value(configuration))
    for number, each in enumerate(rule_files):
        yield f"rules/{number:03}-{each.name}", _encoded(masking.without(_text(each)))
    if readable is not None:
        try:
            status = orjson.loads(to_json(read_status(readable, ())))
            yield "status.json", _json(masking.value(status))
        except ShipperError as error:
            yield "status.txt", _encoded(masking.without_urls(f"{error}\n"))
        yield "state.json", _json(masking.value(_state(readable.config)))
    yield "problems.txt", _encoded(masking.without_urls("".join(f"{each}\n" for each in problems)))
    for path in map(Path, _HOST_FILES):
        yield f"host/{path.name}", _encoded(masking.without(_text(path)))


def _versions() -> dict[str, object]:
    return {
        "shipper": version("cloudmonitor-shipper"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "time": datetime.now(UTC).isoformat(),
        "time_zone": time.tzname,
        "packages": dict(sorted((each.name, each.version) for each in distributions())),
        # names alone: what they hold may be secret
        "environment": sorted(name for name in os.environ if name.upper().startswith(("SHIPPER", "ALIBABA", "ALIYUN"))),
    }


def _configuration(file: Path, masking: Masking) -> object:
    """Give the configuration as it is written, `${NAME}` and all, with its secrets masked."""
    try:
        return masking.configuration(read_document(file).values)
    except ConfigurationError as error:
        masking.note_text(_read(file).decode("utf-8", "replace"))
        return {"problem": str(error)}


def _note_secrets(file: Path, masking: Masking) -> None:
    """Find secrets that lie in a file of rules by mistake."""
    try:
        masking.note_document(read_document(file).values)
    except ConfigurationError:
        masking.note_text(_read(file).decode("utf-8", "replace"))


def _state(config: Config) -> Mapping[str, object]:
    """Give names, sizes and modes of what lies in the state directory."""
    found: dict[str, Any] = {}
    try:
        for entry in sorted(config.state_path.iterdir()):
            status = entry.lstat()
            found[entry.name] = {"bytes": status.st_size, "mode": oct(status.st_mode), "owner": status.st_uid}
        disk = os.statvfs(config.state_path)
    except OSError as error:
        return {"problem": f"{config.state_path}: {error.strerror}", "files": found}
    return {
        "files": found,
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "free_inodes": disk.f_favail,
        "has_backfilled": STORE_OF_BACKFILLS in found,
    }


def _text(path: Path) -> str:
    return _read(path).decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(path: Path) -> bytes:
    """Read a file, a long one up to the end of a line: half of a secret would not be found again."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        return f"{path}: {error.strerror}\n".encode("utf-8", "surrogateescape")
    return content if len(content) <= _MOST_BYTES else content[: content.rfind(b"\n", 0, _MOST_BYTES) + 1]


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
