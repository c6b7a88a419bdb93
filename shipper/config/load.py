"""Reads `shipper.toml` from disk and judges what one key alone cannot: duplicates, secrets, endpoints."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipper.config.kinds import is_loopback, split_address
from shipper.config.model import Config, HttpTable
from shipper.config.reader import Document, TableReader, literal, parse_document, suggestion
from shipper.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shipper.config.locator import KeyPath

_HOW_TO_NAME_IT = "; name the configuration with -c FILE or $SHIPPER_CONFIG"
DEFAULT_FILE = Path("/etc/shipper/shipper.toml")
# hosts that resolve only inside Alibaba Cloud (API reference, section 7.2); `metrichub-cms-` are the public ones
_VPC_HOST = re.compile(r"metrichub-(?!cms-)(?:inner\.)?[a-z0-9-]+\.aliyun(?:cs)?\.com")


def default_file(environment: Mapping[str, str] | None = None) -> Path:
    """Give the file that is read when none is named: `$SHIPPER_CONFIG`, then `/etc/shipper/shipper.toml`."""
    named = (os.environ if environment is None else environment).get("SHIPPER_CONFIG")
    return Path(named) if named else DEFAULT_FILE


def read_document(file: Path, advice: str = "") -> Document:
    """Read and parse one TOML file.

    Args:
        file: its path.
        advice: what to do when it does not exist, as the end of a sentence.

    Raises:
        ConfigurationError: it is missing, unreadable, not UTF-8, or not TOML; always with the file's name.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError([Problem(str(file), "is not UTF-8 text, as TOML must be", line)]) from None
    except OSError as error:
        said = {
            FileNotFoundError: f"does not exist{advice}",
            PermissionError: "cannot be read: permission denied",
            IsADirectoryError: "is a directory, a file is expected",
        }.get(type(error), f"cannot be read: {error.strerror}")
        raise ConfigurationError([Problem(str(file), said)]) from None
    found = parse_document(str(file), text.removeprefix("\ufeff"))
    if isinstance(found, Problem):
        raise ConfigurationError([found])
    return found


def load_config(file: Path, environment: Mapping[str, str] | None = None) -> tuple[Config, tuple[Problem, ...]]:
    """Read the configuration.

    Returns:
        The configuration, and warnings about it.

    Raises:
        ConfigurationError: with every problem of the file.
    """
    document = read_document(file, _HOW_TO_NAME_IT)
    reader = TableReader(document, os.environ if environment is None else environment)
    config = reader.read(Config, document.values)
    problems = _problems(reader)
    if config is None or not all(problem.warning for problem in problems):
        raise ConfigurationError(problems)
    return dataclasses.replace(config, file=file.absolute()), tuple(problems)


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be used of a configuration, whether it is right or not.

    Attributes:
        config: keys that are wrong have their defaults, and so has all of `[http]` when one of its keys is wrong;
            sources without a name or paths are left out. `state_dir` is as it was written.
        problems: all that is wrong, and warnings.
    """

    config: Config
    problems: tuple[Problem, ...]

    @property
    def mistakes(self) -> tuple[Problem, ...]:
        """What is wrong in the file itself; a variable that is not set here may well be where the agent runs."""
        return tuple(each for each in self.problems if not each.warning and each.variable is None)

    def wrong_in(self, *tables: str) -> tuple[Problem, ...]:
        """Give what keeps some tables from being known here, variables that are not set included."""
        return tuple(each for each in self.problems if not each.warning and each.path[:1] and each.path[0] in tables)


def load_readable(file: Path, environment: Mapping[str, str] | None = None) -> Readable:
    """Read what can be read of a configuration, for those who ask an agent, or its store, how it is.

    They need `state_dir` and little else, and are most needed when something is wrong. An agent that runs goes by what
    it read before the last edit, and may have variables that are not set here.

    Raises:
        ConfigurationError: `state_dir` cannot be known; with every problem of the file.
    """
    document = read_document(file, _HOW_TO_NAME_IT)
    reader = TableReader(document, os.environ if environment is None else environment, forgiving=True)
    config = reader.read(Config, document.values)
    problems = _problems(reader)
    if config is None or _hides_state_dir(document, problems):
        raise ConfigurationError(problems)
    found = Readable(dataclasses.replace(config, file=file.absolute()), tuple(problems))
    if found.wrong_in("http"):
        # half of it would give the link of another page, or another token
        return dataclasses.replace(found, config=dataclasses.replace(found.config, http=HttpTable()))
    return found


def _hides_state_dir(document: Document, problems: list[Problem]) -> bool:
    """Tell whether `state_dir` is wrong, or perhaps given under a misspelt name or in another table by mistake."""
    if "state_dir" in document.values:
        return any(problem.path == ("state_dir",) for problem in problems)
    names = [problem.path[-1] for problem in problems if problem.path]
    return any(isinstance(name, str) and suggestion(name, ["state_dir"]) for name in names)


def _problems(reader: TableReader) -> list[Problem]:
    """Give all that is wrong with what was read, in the order of the file."""
    problems = [
        *reader.problems,
        *_check_sources(reader),
        *_check_formats(reader),
        *_check_endpoint(reader),
        *_check_credentials(reader),
        *_check_http(reader),
    ]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


def _check_sources(reader: TableReader) -> list[Problem]:
    document, problems = reader.document, []
    seen: dict[str, KeyPath] = {}
    for path, value in reader.taken.items():
        match path:
            case ("source", int(), "name"):
                if value in seen:
                    first = document.locator.find(seen[value]).line
                    said = f"source '{document.written(path)}' is already defined at line {first}"
                    problems.append(document.problem(path, said))
                seen.setdefault(value, path)
            case ("source", int(), "paths"):
                for number, pattern in enumerate(value):
                    if not os.path.isabs(pattern):
                        shown = document.written((*path, number))
                        said = f"path {shown!r} must be absolute, such as /var/log/app/*.log"
                        problems.append(document.problem(path, said))
    return problems


def _check_formats(reader: TableReader) -> list[Problem]:
    """Find settings of a source that exclude each other."""
    document, problems = reader.document, []
    sources = document.values.get("source")
    for number, source in enumerate(sources if isinstance(sources, list) else ()):
        if not isinstance(source, dict):
            continue
        path: KeyPath = ("source", number)
        given = source.get("multiline")
        wide = str(reader.taken.get((*path, "encoding"), "")).startswith(("utf-16", "utf-32"))
        container = source.get("format") in ("docker", "cri")
        if isinstance(given, dict):
            if ("start" in given) == ("preset" in given):
                said = "'multiline' needs either 'start', a pattern, or 'preset', a language"
                problems.append(document.problem((*path, "multiline"), said))
            if container or wide:
                what = f'format = "{source.get("format")}"' if container else f"encoding {source.get('encoding')!r}"
                problems.append(
                    document.problem((*path, "multiline"), f"'multiline' does not go with {what}; leave one out")
                )
        if container and wide:
            said = "containers write UTF-8; leave 'encoding' out"
            problems.append(document.problem((*path, "encoding"), said))
    return problems


def _check_endpoint(reader: TableReader) -> list[Problem]:
    path = ("cloudmonitor", "endpoint")
    endpoint = reader.taken.get(path)
    if not endpoint or not endpoint.startswith("http://") or plain_http_is_fine(endpoint):
        return []
    written = reader.document.written(path)
    shown = urlsplit(endpoint).hostname if literal(written) == written else repr(written)
    said = (
        f"plain http to {shown} would show the events to the network; use https:// "
        "(plain http is for loopback and VPC hosts)"
    )
    return [reader.document.problem(path, said)]


def _check_credentials(reader: TableReader) -> list[Problem]:
    document, base = reader.document, ("cloudmonitor", "credentials")
    given = document.written(base)
    if not isinstance(given, dict):
        return []
    problems: list[Problem] = []
    secret = next((name for name in ("access_key_secret", "access_key_secret_file") if name in given), None)
    if "access_key_secret" in given and "access_key_secret_file" in given:
        said = "give access_key_secret or access_key_secret_file, not both"
        problems.append(document.problem((*base, "access_key_secret_file"), said))
    if "access_key_id" in given and not secret:
        said = "access_key_id needs access_key_secret or access_key_secret_file beside it"
        problems.append(document.problem((*base, "access_key_id"), said))
    if secret and "access_key_id" not in given:
        problems.append(document.problem((*base, secret), "the secret needs access_key_id beside it"))
    if (*base, "access_key_secret") in reader.taken and literal(given["access_key_secret"]):
        problems += _warn_of_readers(reader, (*base, "access_key_secret"), Path(document.file), "this file holds")
    file = reader.taken.get((*base, "access_key_secret_file"))
    if file:
        path = Path(document.file).parent / Path(file).expanduser()
        shown = given["access_key_secret_file"]
        problems += _warn_of_readers(reader, (*base, "access_key_secret_file"), path, f"'{shown}' holds")
    return problems


def _check_http(reader: TableReader) -> list[Problem]:
    """Judge who may ask: where others than this machine can, a token of the user's own is needed (spec, section 7)."""
    listen, token_file = reader.taken.get(("http", "listen")), reader.taken.get(("http", "token_file"))
    if not listen:
        return []
    if token_file:
        path = Path(reader.document.file).parent / Path(token_file).expanduser()
        return _warn_of_readers(reader, ("http", "token_file"), path, f"'{token_file}' holds")
    host, _ = split_address(listen)
    if is_loopback(host):
        return []
    said = (
        f"[http] listens on {host}, where others can ask: give token_file, a file with a token of your own, or "
        "listen on 127.0.0.1"
    )
    return [reader.document.problem(("http", "listen"), said)]


def _warn_of_readers(reader: TableReader, path: KeyPath, file: Path, holds: str) -> list[Problem]:
    """Warn of a file with a secret that others may read (spec, section 3: warned about, not refused)."""
    try:
        mode = file.stat().st_mode & 0o777
    except OSError:
        return []  # nobody can read it; who needs the secret says why (cloudmonitor.credentials)
    if not mode & 0o077:
        return []
    said = f"{holds} a secret and others may read it (mode {mode:04o}); chmod 600 it"
    return [reader.document.problem(path, said, warning=True)]


def plain_http_is_fine(endpoint: str) -> bool:
    """Tell whether an endpoint is one that plain http does not show to a network: loopback, or a VPC host (spec, 3)."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost" or _VPC_HOST.fullmatch(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address in ipaddress.ip_network("100.64.0.0/10")
