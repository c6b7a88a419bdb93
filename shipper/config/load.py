"""Reads `shipper.toml` from disk and judges what one key alone cannot: duplicates, secrets, endpoints."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipper.config.model import Config
from shipper.config.reader import Document, TableReader, parse_document
from shipper.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = Path("/etc/shipper/shipper.toml")


def default_file(environment: Mapping[str, str] | None = None) -> Path:
    """Give the file that is read when none is named: `$SHIPPER_CONFIG`, then `/etc/shipper/shipper.toml`."""
    named = (os.environ if environment is None else environment).get("SHIPPER_CONFIG")
    return Path(named) if named else DEFAULT_FILE


def read_document(file: Path) -> Document:
    """Read and parse one TOML file.

    Raises:
        ConfigurationError: it is missing, unreadable, not UTF-8, or not TOML; always with the file's name.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError([Problem(str(file), "is not UTF-8 text, as TOML must be", line)]) from None
    except OSError as error:
        advice = {
            FileNotFoundError: "does not exist",
            PermissionError: "cannot be read: permission denied",
            IsADirectoryError: "is a directory, a file is expected",
        }.get(type(error), f"cannot be read: {error.strerror}")
        raise ConfigurationError([Problem(str(file), advice)]) from None
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
    try:
        document = read_document(file)
    except ConfigurationError as error:
        if "does not exist" in str(error):
            raise ConfigurationError(
                [Problem(str(file), "does not exist; name the configuration with -c FILE or $SHIPPER_CONFIG")]
            ) from None
        raise
    reader = TableReader(document, os.environ if environment is None else environment)
    config = reader.read(Config, document.values)
    problems = list(reader.problems)
    if config is not None:
        problems += _cross_check(config, document)
    errors = [problem for problem in problems if not problem.warning]
    if errors or config is None:
        raise ConfigurationError(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
    return dataclasses.replace(config, file=file.absolute()), tuple(problems)


def _cross_check(config: Config, document: Document) -> list[Problem]:
    problems = _check_cloudmonitor(config, document)
    seen: dict[str, int] = {}
    for number, source in enumerate(config.source):
        here = ("source", number)
        if source.name in seen:
            first = document.locator.find(("source", seen[source.name], "name")).line
            said = f"source '{source.name}' is already defined at line {first}"
            problems.append(document.problem((*here, "name"), said))
        seen.setdefault(source.name, number)
        for pattern in source.paths:
            if not os.path.isabs(pattern):
                said = f"path {pattern!r} must be absolute, such as /var/log/app/*.log"
                problems.append(document.problem((*here, "paths"), said))
    return problems


def _check_cloudmonitor(config: Config, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    cloud, keys = config.cloudmonitor, config.cloudmonitor.credentials

    def report(key: str, message: str, *, warning: bool = False) -> None:
        path = ("cloudmonitor", key) if key == "endpoint" else ("cloudmonitor", "credentials", key)
        problems.append(document.problem(path, message, warning=warning))

    if keys.access_key_secret and keys.access_key_secret_file:
        report("access_key_secret_file", "give access_key_secret or access_key_secret_file, not both")
    has_secret = keys.access_key_secret or keys.access_key_secret_file
    if keys.access_key_id and not has_secret:
        report("access_key_id", "access_key_id needs access_key_secret or access_key_secret_file beside it")
    if has_secret and not keys.access_key_id:
        report("access_key_secret", "the secret needs access_key_id beside it")
    if cloud.endpoint and cloud.endpoint.startswith("http://") and not plain_http_is_fine(cloud.endpoint):
        host = urlsplit(cloud.endpoint).hostname
        report(
            "endpoint",
            f"plain http to {host} would show the events to the network; use https:// "
            "(plain http is for loopback and VPC hosts)",
        )
    if keys.access_key_secret:
        mode = Path(document.file).stat().st_mode & 0o777
        if mode & 0o077:
            report(
                "access_key_secret",
                f"this file holds a secret and others may read it (mode {mode:04o}); chmod 600 it",
                warning=True,
            )
    return problems


def plain_http_is_fine(endpoint: str) -> bool:
    """Tell whether an endpoint is one that plain http does not show to a network: loopback, or a VPC host (spec, 3)."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost" or (host.startswith("metrichub-") and not host.startswith("metrichub-cms-")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address in ipaddress.ip_network("100.64.0.0/10")
