"""Finds the keys: those of `shipper.toml`, or the standard Alibaba Cloud chain (API reference, section 10).

This version reads keys that stand in a file or in the environment; the chain's places for roles (OIDC, ECS, a URI)
are named in errors as not supported, never passed over for another identity.
"""

from __future__ import annotations

import configparser
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.config.model import CredentialsTable

ID_VARIABLE = "ALIBABA_CLOUD_ACCESS_KEY_ID"
SECRET_VARIABLE = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 - the name of a variable
TOKEN_VARIABLE = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105 - the name of a variable
_UNSUPPORTED_VARIABLES = (
    "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_ECS_METADATA",
    "ALIBABA_CLOUD_CREDENTIALS_URI",
)
_HOW_TO_GIVE = (
    f"set {ID_VARIABLE} and {SECRET_VARIABLE} in the environment, or write access_key_id and access_key_secret "
    "(or access_key_secret_file) under [cloudmonitor.credentials] in shipper.toml"
)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Keys of an account, a RAM user, or (with a token) of a role. Shows nothing of them by itself.

    Attributes:
        access_key_id: names the key.
        access_key_secret: signs.
        security_token: the STS token that belongs to a temporary key; empty for a lasting one.

    Raises:
        ValueError: one of them is empty or holds what no key holds (blanks, line ends, characters beyond ASCII).
    """

    access_key_id: str
    access_key_secret: str
    security_token: str = ""

    def __post_init__(self) -> None:
        for name in ("access_key_id", "access_key_secret", "security_token"):
            value = getattr(self, name)
            if not value and name != "security_token":
                raise ValueError(f"{name} is empty")
            if not all("!" <= character <= "~" for character in value):
                raise ValueError(f"{name} holds a blank or a character that no key has; was it pasted whole?")

    def __repr__(self) -> str:
        return "Credentials(***)"


def find_credentials(
    table: CredentialsTable, resolve: Callable[[str], Path], environment: Mapping[str, str] | None = None
) -> Credentials:
    """Find the credentials that apply.

    In this order: keys of the table; the environment; the profile of `~/.aliyun/config.json`; the section of
    `~/.alibabacloud/credentials.ini`. The home is `$HOME` of `environment`, if set.

    Args:
        table: `[cloudmonitor.credentials]`. An id without a secret (or the reverse) is completed from the
            environment.
        resolve: makes a path of the table absolute, such as `Config.resolve`.
        environment: the variables; None takes the process's.

    Raises:
        CredentialsError: none apply, or those named cannot be read; says what was looked at and what to do.
    """
    environment = os.environ if environment is None else environment
    looked_at: list[str] = []
    found = (
        _of_table(table, resolve, environment)
        or _of_environment(environment, looked_at)
        or _of_cli_profile(environment, looked_at)
        or _of_ini_file(environment, looked_at)
    )
    if found:
        return found
    looked_at += [
        f"{name} is set, which this version does not support yet"
        for name in _UNSUPPORTED_VARIABLES
        if environment.get(name)
    ]
    raise CredentialsError(f"no credentials found: {'; '.join(looked_at)}. To give them, {_HOW_TO_GIVE}")


def _made(where: str, key_id: str, secret: str, token: str = "") -> Credentials:
    """Make credentials of texts that may carry the blanks of a paste (API reference, section 15, number 8)."""
    try:
        return Credentials(key_id.strip(), secret.strip(), token.strip())
    except ValueError as error:
        raise CredentialsError(f"{where}: {error}") from None


def _of_table(
    table: CredentialsTable, resolve: Callable[[str], Path], environment: Mapping[str, str]
) -> Credentials | None:
    key_id = table.access_key_id
    secret = table.access_key_secret.reveal() if table.access_key_secret else None
    if table.access_key_secret_file:
        secret = _read_secret(resolve(table.access_key_secret_file))
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
    return _made("the credentials given", key_id, secret, token)


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


def _of_environment(environment: Mapping[str, str], looked_at: list[str]) -> Credentials | None:
    key_id, secret = environment.get(ID_VARIABLE, "").strip(), environment.get(SECRET_VARIABLE, "").strip()
    if key_id and secret:
        return _made("the environment", key_id, secret, environment.get(TOKEN_VARIABLE, ""))
    missing = [name for name, value in ((ID_VARIABLE, key_id), (SECRET_VARIABLE, secret)) if not value]
    looked_at.append(f"the environment has no {' and no '.join(missing)}")
    return None


def _of_cli_profile(environment: Mapping[str, str], looked_at: list[str]) -> Credentials | None:
    file = _home(environment) / ".aliyun" / "config.json"
    if environment.get("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() == "true":
        looked_at.append(f"{file} is switched off by ALIBABA_CLOUD_CLI_PROFILE_DISABLED")
        return None
    text = _read_place(file, looked_at)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        looked_at.append(f"{file} is not valid JSON")
        return None
    content = content if isinstance(content, dict) else {}
    name = environment.get("ALIBABA_CLOUD_PROFILE") or str(content.get("current") or "default")
    listed = content.get("profiles")
    profiles = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    profile = next((each for each in profiles if each.get("name") == name), None)
    if profile is None:
        looked_at.append(f"{file} has no profile '{name}'")
        return None
    mode = str(profile.get("mode") or "")
    if mode not in {"AK", "StsToken"}:
        raise CredentialsError(
            f"profile '{name}' of {file} has mode '{mode}', which this version does not support yet (only AK and "
            f"StsToken); {_HOW_TO_GIVE}, or pass over that file with ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true"
        )
    key_id, secret = str(profile.get("access_key_id") or ""), str(profile.get("access_key_secret") or "")
    token = str(profile.get("sts_token") or "") if mode == "StsToken" else ""
    if mode == "StsToken" and not token:
        raise CredentialsError(f"profile '{name}' of {file} has mode 'StsToken' but no sts_token")
    return _made(f"profile '{name}' of {file}", key_id, secret, token)


def _of_ini_file(environment: Mapping[str, str], looked_at: list[str]) -> Credentials | None:
    named = environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE")
    file = Path(named) if named else _home(environment) / ".alibabacloud" / "credentials.ini"
    text = _read_place(file, looked_at)
    if text is None:
        return None
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",), strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        looked_at.append(f"{file} is not a valid INI file")
        return None
    name = environment.get("ALIBABA_CLOUD_PROFILE") or "default"
    if not parser.has_section(name):
        looked_at.append(f"{file} has no section [{name}]")
        return None
    section = parser[name]
    kind = section.get("type", "")
    if kind != "access_key":
        raise CredentialsError(
            f"section [{name}] of {file} has type '{kind}', which this version does not support yet (only access_key); "
            f"{_HOW_TO_GIVE}"
        )
    return _made(f"section [{name}] of {file}", section.get("access_key_id", ""), section.get("access_key_secret", ""))


def _read_place(file: Path, looked_at: list[str]) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        looked_at.append(f"{file} does not exist")
    except OSError as error:
        looked_at.append(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        looked_at.append(f"{file} is not UTF-8 text")
    return None


def _home(environment: Mapping[str, str]) -> Path:
    named = environment.get("HOME")
    if named:
        return Path(named)
    try:
        return Path.home()
    except RuntimeError:  # an account without a home, such as a system service's
        return Path("/")
