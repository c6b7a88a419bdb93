"""Modes of the command line's profiles that only the official library knows: the optional extra `credentials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.cloudmonitor.credentials import Lease, Temporary, credentials_of
from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from shipper.cloudmonitor.credentials import Source


def of_library(where: str, mode: str) -> Source:
    """Give the source that asks the library, which reads the same file and profile.

    Args:
        where: the profile, for people.
        mode: its mode.

    Raises:
        CredentialsError: the library is not installed.
    """
    try:
        from alibabacloud_credentials.client import Client
    except ImportError:
        raise CredentialsError(
            f"{where} has mode '{mode}', for which the official library is needed: "
            "pip install 'cloudmonitor-shipper[credentials]'"
        ) from None

    def fetch() -> Lease:
        try:
            # all three from one call, so that they belong together (API reference, section 10.4)
            found = Client().get_credential()
            keys = found.get_access_key_id(), found.get_access_key_secret(), found.get_security_token()
        except Exception as error:  # noqa: BLE001  whatever a mode's way to keys may raise
            raise CredentialsError(f"{where}: the library gives no keys: {type(error).__name__}") from None
        return Lease(credentials_of(where, *(key or "" for key in keys)), None)

    return Temporary(where, fetch)
