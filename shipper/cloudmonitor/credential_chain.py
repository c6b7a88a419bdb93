"""Finds the credentials that apply: those of `shipper.toml`, or the standard chain (API reference, section 10.1)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.cloudmonitor.credential_profiles import DEFAULT_SESSION, Host, of_cli_profile, of_ini_file
from shipper.cloudmonitor.credential_servers import (
    NoRoleError,
    Role,
    Servers,
    assume_role_with_oidc,
    instance_role,
    of_uri,
)
from shipper.cloudmonitor.credentials import Lasting, Temporary, credentials_of
from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.cloudmonitor.credentials import Lease, Source
    from shipper.config.model import CredentialsTable

ID_VARIABLE = "ALIBABA_CLOUD_ACCESS_KEY_ID"
SECRET_VARIABLE = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105  the name of a variable
TOKEN_VARIABLE = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105  the name of a variable
_OIDC_VARIABLES = ("ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")
_HOW_TO_GIVE = (
    f"set {ID_VARIABLE} and {SECRET_VARIABLE} in the environment, or write access_key_id and access_key_secret "
    "(or access_key_secret_file) under [cloudmonitor.credentials] in shipper.toml"
)
_METADATA = "ALIBABA_CLOUD_ECS_METADATA"
_URI = "ALIBABA_CLOUD_CREDENTIALS_URI"


def find_credentials(
    table: CredentialsTable,
    resolve: Callable[[str], Path],
    environment: Mapping[str, str] | None = None,
    *,
    servers: Servers = Servers(),  # noqa: B008  frozen
    ask: bool = True,
) -> Source:
    """Find the credentials that apply.

    In this order: keys of the table; keys in the environment; OIDC (RRSA) when its three variables are set; the profile
    of `~/.aliyun/config.json`; the section of `~/.alibabacloud/credentials.ini`; the instance's RAM role; the URI.

    Args:
        table: `[cloudmonitor.credentials]`. An id without a secret (or the reverse) is completed from the
            environment.
        resolve: makes a path of the table absolute, such as `Config.resolve`.
        environment: the variables; None takes the process's.
        servers: that lend keys.
        ask: whether an instance's metadata, which nothing names, may be asked for a role.

    Returns:
        The source; one that asks a server may fail when it is called, and be called again.

    Raises:
        CredentialsError: none apply, or those named cannot be read; says what was looked at and what to do.
    """
    host = Host(os.environ if environment is None else environment, servers, [])
    found = (
        _of_table(table, resolve, host.environment)
        or _of_environment(host)
        or _of_oidc(host)
        or of_cli_profile(host)
        or of_ini_file(host)
        or _of_instance(host, ask=ask)
        or _of_uri(host)
    )
    if found:
        return found
    raise CredentialsError(f"no credentials found: {'; '.join(host.looked_at)}. To give them, {_HOW_TO_GIVE}")


def _of_table(table: CredentialsTable, resolve: Callable[[str], Path], environment: Mapping[str, str]) -> Source | None:
    key_id = table.access_key_id
    secret = table.access_key_secret.reveal() if table.access_key_secret else None
    files: tuple[Path, ...] = ()
    if table.access_key_secret_file:
        files = (resolve(table.access_key_secret_file),)
        secret = _read_secret(files[0])
    if not key_id and not secret:
        return None
    token = "" if secret else environment.get(TOKEN_VARIABLE, "")
    key_id = key_id or environment.get(ID_VARIABLE)
    secret = secret or environment.get(SECRET_VARIABLE)
    if not key_id:
        raise CredentialsError(f"a secret is given but no access_key_id beside it; give it, or set {ID_VARIABLE}")
    if not secret:
        raise CredentialsError(
            "an access_key_id is given but no secret: set "
            f"{SECRET_VARIABLE}, or give access_key_secret_file (the file's only content is the secret)"
        )
    where = "the credentials given"
    return Lasting(where, credentials_of(where, key_id, secret, token), files)


def _read_secret(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CredentialsError(f"access_key_secret_file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"access_key_secret_file {file} is not text") from None
    if not secret:
        raise CredentialsError(f"access_key_secret_file {file} is empty; its only content is the secret")
    return secret


def _of_environment(host: Host) -> Source | None:
    key_id, secret = (host.environment.get(name, "").strip() for name in (ID_VARIABLE, SECRET_VARIABLE))
    if key_id and secret:
        where = "the environment"
        return Lasting(where, credentials_of(where, key_id, secret, host.environment.get(TOKEN_VARIABLE, "")))
    missing = [name for name, value in ((ID_VARIABLE, key_id), (SECRET_VARIABLE, secret)) if not value]
    host.looked_at.append(f"the environment has no {' and no '.join(missing)}")
    return None


def _of_oidc(host: Host) -> Source | None:
    arn, provider, token_file = (host.environment.get(name, "").strip() for name in _OIDC_VARIABLES)
    if not (arn and provider and token_file):
        if arn or provider or token_file:
            missing = [name for name in _OIDC_VARIABLES if not host.environment.get(name, "").strip()]
            host.looked_at.append(f"for OIDC the environment has no {' and no '.join(missing)}")
        return None
    session = host.environment.get("ALIBABA_CLOUD_ROLE_SESSION_NAME") or DEFAULT_SESSION
    role = Role(arn, session, host.sts())
    return Temporary("OIDC of the environment", lambda: assume_role_with_oidc(role, provider, Path(token_file)))


def _of_instance(host: Host, *, ask: bool) -> Source | None:
    if host.is_set("ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        host.looked_at.append("the instance's role is switched off by ALIBABA_CLOUD_ECS_METADATA_DISABLED")
        return None
    name, allow_v1 = host.environment.get(_METADATA, "").strip(), host.allows_metadata_v1
    where = "the instance's RAM role"

    def fetch() -> Lease:
        return instance_role(host.servers, name, allow_v1=allow_v1)

    if name:
        # it is there because somebody says so, also while the metadata does not answer
        return Temporary(where, fetch)
    if not ask:
        host.looked_at.append("the instance's metadata was not asked for a RAM role")
        return None
    try:
        return Temporary(where, fetch, lease=fetch())
    except NoRoleError as error:
        host.looked_at.append(str(error))
        return None
    except CredentialsError:
        # there is a role, and its keys cannot be had now
        return Temporary(where, fetch)


def _of_uri(host: Host) -> Source | None:
    uri = host.environment.get(_URI, "").strip()
    return Temporary(f"the URI of {_URI}", lambda: of_uri(uri)) if uri else None
