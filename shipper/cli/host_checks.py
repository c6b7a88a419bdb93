"""What a configuration meets on this host: logs, credentials, the state directory. Warnings: all may change later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.cloudmonitor.connecting import exposed
from shipper.cloudmonitor.credential_chain import find_credentials
from shipper.cloudmonitor.endpoints import find_endpoint
from shipper.config.load import read_document
from shipper.errors import ConfigurationError, CredentialsError, Problem
from shipper.tailing import access
from shipper.tailing.discovery import discover
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shipper.config.model import Config, SourceTable
    from shipper.config.reader import Document
    from shipper.matching.rulebook import Rulebook

TOLD_FILES = 5


def host_problems(config: Config, rulebook: Rulebook) -> list[Problem]:
    """Look at what the configuration names, as the user that runs this.

    Args:
        config: read from a file.
        rulebook: its rules, empty when they are broken.
    """
    if config.file is None:
        return []
    document = read_document(config.file)
    found = [*_endpoint_problems(config, document), *_secret_problems(config, document)]
    found += _state_problems(config, document)
    if not config.source:
        found.append(document.problem(("source",), "there is no [[source]]: no log is read", warning=True))
    for number, source in enumerate(config.source):
        where = ("source", number, "paths")
        for said in _source_warnings(source, rulebook):
            found.append(document.problem(where, f"source '{source.name}': {said}", warning=True))
    return found


def _endpoint_problems(config: Config, document: Document) -> Iterator[Problem]:
    try:
        find_endpoint(config.cloudmonitor, document.file)
    except ConfigurationError as error:
        key = "region" if config.cloudmonitor.network == "public" else "network"
        for problem in error.problems:
            yield document.problem(("cloudmonitor", key), problem.message)


def _secret_problems(config: Config, document: Document) -> Iterator[Problem]:
    table = config.cloudmonitor.credentials
    where: tuple[str | int, ...] = ("cloudmonitor", "credentials")
    try:
        source = find_credentials(table, config.resolve, ask=False)
    except CredentialsError as error:
        yield document.problem(where, str(error), warning=True)
        return
    if table.access_key_secret_file is not None:
        where = (*where, "access_key_secret_file")
    for said in exposed(source.files):
        yield document.problem(where, said, warning=True)


def _state_problems(config: Config, document: Document) -> Iterator[Problem]:
    directory = config.state_path
    existing: Path = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        yield document.problem(("state_dir",), f"'state_dir': {existing} is no directory", warning=True)
    elif not os.access(existing, os.W_OK | os.X_OK):
        said = f"'state_dir': this user may not write {existing}; the agent needs to write {directory}"
        yield document.problem(("state_dir",), said, warning=True)


def _source_warnings(source: SourceTable, rulebook: Rulebook) -> Iterator[str]:
    if rulebook.rules and not any(rule.applies_to(source.name) for rule in rulebook.rules):
        yield "no rule applies to it, so it makes no event"
    seen = discover(source.paths, source.exclude)
    refused = {path: skip.reason for path, skip in seen.skipped.items()}
    for path in seen.files:
        try:
            LogFile.open(path).close()
        except UnreadableError as error:
            refused[path] = f"cannot be read by this user: {access.open_reason(error, path, HOST_FILES)}"
    for path, reason in list(refused.items())[:TOLD_FILES]:
        yield f"{path} is not read: {reason}"
    if len(refused) > TOLD_FILES:
        yield f"{len(refused) - TOLD_FILES} more files are not read"
    for pattern in source.paths:
        if not refused and not any(found.glob == pattern for found in seen.files.values()):
            yield f"{pattern} matches no file now; one that appears later will be read"
