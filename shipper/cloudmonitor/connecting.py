"""Makes the client that a configuration asks for."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from shipper.cloudmonitor.client import Client
from shipper.cloudmonitor.credential_chain import find_credentials
from shipper.cloudmonitor.openapi import OpenApiClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shipper.config.model import Config


def connect(config: Config) -> Client:
    """Make the client of `transport`.

    Raises:
        ConfigurationError: the region is unknown, or a setting of the connection is wrong.
        CredentialsError: no credentials apply at all.
    """
    kind = OpenApiClient if config.cloudmonitor.transport == "openapi" else Client
    source = find_credentials(config.cloudmonitor.credentials, config.resolve, os.environ)
    return kind.configured(config, source)


def exposed(files: Iterable[Path]) -> Iterator[str]:
    """Say which files with a secret others may read; one that cannot be looked at is not among them."""
    for file in files:
        with suppress(OSError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & 0o077:
                yield f"others may read {file} (mode {mode:04o}), which holds the secret; chmod 600 it"
