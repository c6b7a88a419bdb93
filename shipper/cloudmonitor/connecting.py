"""Makes the client that a configuration asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shipper.cloudmonitor.client import Client
from shipper.cloudmonitor.credentials import find_credentials
from shipper.cloudmonitor.openapi import OpenApiClient

if TYPE_CHECKING:
    from shipper.config.model import Config


def connect(config: Config) -> Client:
    """Make the client of `transport`.

    Raises:
        ConfigurationError: the region is unknown, or a setting of the connection is wrong.
        CredentialsError: no credentials apply at all.
    """
    kind = OpenApiClient if config.cloudmonitor.transport == "openapi" else Client
    credentials = find_credentials(config.cloudmonitor.credentials, config.resolve, os.environ)
    return kind.configured(config, lambda: credentials)
