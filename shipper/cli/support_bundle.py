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
from urllib.parse import urlsplit

import click
import orjson

from shipper.agent.status_json import to_json
from shipper.backfill.store import STORE as STORE_OF_BACKFILLS
from shipper.cli.config_option import config_option
from shipper.cli.status import read_status
from shipper.cli.terminal import data, say
from shipper.config.load import default_file, load_readable, read_document
from shipper.config.model import Secret
from shipper.errors import ConfigurationError, ShipperError
from shipper.matching.rulebook import find_rule_files, load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shipper.config.load import Readable
    from shipper.config.model import Config

MASK = "***"
_SECRET_KEYS = frozenset({"access_key_id", "access_key_secret"})
_HOST_FILES = ("/proc/self/limits", "/proc/meminfo", "/proc/self/mountinfo", "/etc/os-release")
_MOST_BYTES = 256 * 1024


@click.command("support-bundle", short_help="Collect what somebody needs who is to help, without secrets.")
@config_option()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file (default: with the time in it)."
)
def command(config_file: Path | None, output: Path | None) -> int:
    """Write status, configuration, rule files and versions into one .tar.gz, which only you may read.

    Keys and passwords are masked. Lines of logs are not in it, but for those in the tests of your rules; paths, host
    name and event names are. Look into it before you give it away: tar -tzf FILE.

    \b
    Examples:
      shipper support-bundle
      shipper support-bundle --output /tmp/shipper.tar.gz
    """
    chosen = config_file or default_file()
    readable: Readable | None = None
    problems: list[str] = []
    try:
        readable = load_readable(chosen)
        problems += map(str, readable.problems)
    except ConfigurationError as error:
        problems += map(str, error.problems)
    stamp = datetime.now(UTC)
    name = f"shipper-support-{stamp:%Y%m%dT%H%M%SZ}"
    target = output or Path(f"{name}.tar.gz")
    secrets = _secrets(None if readable is None else readable.config)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.UsageError(f"--output {target}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for member, content in _members(chosen, readable, problems):
            masked = _without(content, secrets)
            about = tarfile.TarInfo(f"{name}/{member}")
            about.size, about.mtime, about.mode = len(masked), int(time.time()), 0o600
            bundle.addfile(about, io.BytesIO(masked))
    say("Keys and passwords are masked. Look into it before you give it away.", "dim")
    data().out(str(target))
    return 0


def _members(file: Path, readable: Readable | None, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    """Give names and contents, each as far as it can be had."""
    yield "versions.json", _json(_versions())
    yield "configuration.json", _json(_configuration(file))
    if readable is not None:
        config = readable.config
        rule_files, empty = find_rule_files(config)
        problems += map(str, empty)
        try:
            problems += map(str, load_rules(rule_files, config.source)[1])
        except ConfigurationError as error:
            problems += map(str, error.problems)
        for number, each in enumerate(rule_files):
            yield f"rules/{number:03}-{each.name}", _read(each)
        try:
            yield "status.json", to_json(read_status(readable, ()), indent=True)
        except ShipperError as error:
            yield "status.txt", f"{error}\n".encode()
        yield "state.json", _json(_state(config))
    yield "problems.txt", "".join(f"{each}\n" for each in problems).encode("utf-8", "replace")
    for path in map(Path, _HOST_FILES):
        yield f"host/{path.name}", _read(path)


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


def _configuration(file: Path) -> object:
    """Give the configuration as it is written, `${NAME}` and all, with its secrets masked."""
    try:
        return _masked(read_document(file).values)
    except ConfigurationError as error:
        return {"problem": str(error)}


def _masked(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {name: _masked(each, str(name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, key) for each in value]
    if key in _SECRET_KEYS:
        return MASK
    if key in {"proxy", "endpoint"} and isinstance(value, str) and "@" in value:
        return f"{MASK}@{value.rpartition('@')[2]}"
    return value


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


def _secrets(config: Config | None) -> list[bytes]:
    """Give what must not stand anywhere, whatever it came from."""
    if config is None:
        return []
    keys = config.cloudmonitor.credentials
    found = [keys.access_key_secret.reveal() if isinstance(keys.access_key_secret, Secret) else "", keys.access_key_id]
    if config.cloudmonitor.proxy:
        found.append(urlsplit(config.cloudmonitor.proxy).password)
    return [each.encode() for each in found if each and len(each) > 3]


def _without(content: bytes, secrets: list[bytes]) -> bytes:
    for secret in secrets:
        content = content.replace(secret, MASK.encode())
    return content


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        return f"{path}: {error.strerror}\n".encode()


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
