"""Profiles in the files of the official tools: `~/.aliyun/config.json` and `~/.alibabacloud/credentials.ini`.

Source: API reference, sections 10.1 and 10.2. A profile of a kind that is not known is an error, never passed over for
another identity.
"""

from __future__ import annotations

import configparser
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.cloudmonitor.credential_servers import (
    LIFE,
    Role,
    Servers,
    assume_role,
    assume_role_with_oidc,
    instance_role,
    of_uri,
)
from shipper.cloudmonitor.credentials import Lasting, Temporary, credentials_of
from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shipper.cloudmonitor.credentials import Source

DEFAULT_SESSION = "shipper"
_LIBRARY_MODES = frozenset({"CloudSSO", "OAuth", "External", "RsaKeyPair"})
_DEEPEST_CHAIN = 5
# the INI file's names of the command line's modes, and of their keys
_INI_MODES = {
    "access_key": "AK",
    "sts": "StsToken",
    "ecs_ram_role": "EcsRamRole",
    "ram_role_arn": "RamRoleArn",
    "oidc_role_arn": "OIDC",
    "rsa_key_pair": "RsaKeyPair",
}
_INI_KEYS = {
    "role_name": "ram_role_name",
    "role_arn": "ram_role_arn",
    "role_session_name": "ram_session_name",
    "oidc_token_file_path": "oidc_token_file",
    "security_token": "sts_token",
}


@dataclass(frozen=True, slots=True)
class Host:
    """What credentials are looked for with.

    Attributes:
        environment: the variables.
        servers: that lend keys.
        looked_at: what was looked at and held none, for the error.
    """

    environment: Mapping[str, str]
    servers: Servers
    looked_at: list[str]

    @property
    def home(self) -> Path:
        """The home directory: `$HOME`, if set."""
        if named := self.environment.get("HOME"):
            return Path(named)
        try:
            return Path.home()
        except RuntimeError:  # an account without a home, such as a system service's
            return Path("/")

    @property
    def allows_metadata_v1(self) -> bool:
        """Whether a metadata service without tokens may be asked."""
        return not self.is_set("ALIBABA_CLOUD_IMDSV1_DISABLED", "ALIBABA_CLOUD_IMDSV1_DISABLE")

    def is_set(self, *names: str) -> bool:
        """Tell whether one of these variables says true."""
        return any(self.environment.get(name, "").lower() in {"true", "1", "yes"} for name in names)

    def sts(self, region: str = "") -> str:
        """Give the base URL of STS (section 10.1, step 2)."""
        if self.servers.sts:
            return self.servers.sts
        region = self.environment.get("ALIBABA_CLOUD_STS_REGION") or region
        vpc = "-vpc" if self.is_set("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED") else ""
        return f"https://sts{vpc}.{region}.aliyuncs.com" if region else "https://sts.aliyuncs.com"

    def read(self, file: Path) -> str | None:
        """Read a file; None when it cannot be, which is noted."""
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.looked_at.append(f"{file} does not exist")
        except OSError as error:
            self.looked_at.append(f"{file} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self.looked_at.append(f"{file} is not UTF-8 text")
        return None


def of_cli_profile(host: Host) -> Source | None:
    """Look into the command line's file."""
    file = host.home / ".aliyun" / "config.json"
    if host.is_set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED"):
        host.looked_at.append(f"{file} is switched off by ALIBABA_CLOUD_CLI_PROFILE_DISABLED")
        return None
    text = host.read(file)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        host.looked_at.append(f"{file} is not valid JSON")
        return None
    content = content if isinstance(content, dict) else {}
    name = host.environment.get("ALIBABA_CLOUD_PROFILE") or str(content.get("current") or "default")
    listed = content.get("profiles")
    profiles = {
        str(each.get("name")): {str(key): _text(value) for key, value in each.items()}
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    }
    if name not in profiles:
        host.looked_at.append(f"{file} has no profile '{name}'")
        return None
    return _Profiles(host, file, profiles).source(name)


def of_ini_file(host: Host) -> Source | None:
    """Look into the libraries' file."""
    named = host.environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE")
    file = Path(named) if named else host.home / ".alibabacloud" / "credentials.ini"
    text = host.read(file)
    if text is None:
        return None
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",), strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        host.looked_at.append(f"{file} is not a valid INI file")
        return None
    name = host.environment.get("ALIBABA_CLOUD_PROFILE") or "default"
    if not parser.has_section(name):
        host.looked_at.append(f"{file} has no section [{name}]")
        return None
    section = {_INI_KEYS.get(key, key): value for key, value in parser[name].items()}
    kind = section.get("type", "")
    return _Profiles(host, file, {name: section | {"mode": _INI_MODES.get(kind, kind)}}).source(name)


class _Profiles:
    """Those of one file, with the keys of the command line's."""

    def __init__(self, host: Host, file: Path, profiles: Mapping[str, Mapping[str, str]]) -> None:
        self._host = host
        self._file = file
        self._profiles = profiles
        is_json = file.suffix == ".json"
        self._pass_over = ", or pass over that file with ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true" if is_json else ""

    def source(self, name: str, depth: int = 0) -> Source:
        """Give the source that a profile describes."""
        profile, where, files = self._profiles[name], f"profile '{name}' of {self._file}", (self._file,)

        def need(key: str) -> str:
            if not profile.get(key):
                raise CredentialsError(f"{where} has mode '{mode}' but no {key}")
            return profile[key]

        mode = profile.get("mode") or "AK"
        servers = self._host.servers
        match mode:
            case "AK" | "StsToken":
                token = need("sts_token") if mode == "StsToken" else ""
                keys = profile.get("access_key_id", ""), profile.get("access_key_secret", "")
                return Lasting(where, credentials_of(where, *keys, token), files)
            case "EcsRamRole":
                allow_v1 = self._host.allows_metadata_v1
                role_name = profile.get("ram_role_name", "")
                return Temporary(where, lambda: instance_role(servers, role_name, allow_v1=allow_v1))
            case "CredentialsURI":
                uri = need("credentials_uri")
                return Temporary(where, lambda: of_uri(uri), files)
            case "OIDC":
                role, provider = self._role(profile, need), need("oidc_provider_arn")
                token_file = Path(need("oidc_token_file"))
                return Temporary(where, lambda: assume_role_with_oidc(role, provider, token_file))
            case "RamRoleArn":
                role = self._role(profile, need)
                keys = need("access_key_id"), need("access_key_secret")
                lasting = Lasting(where, credentials_of(where, *keys, profile.get("sts_token", "")))
                return Temporary(where, lambda: assume_role(role, lasting), files)
            case "ChainableRamRoleArn":
                role, first = self._role(profile, need), need("source_profile")
                if first not in self._profiles or depth >= _DEEPEST_CHAIN:
                    said = "leads in a circle" if first in self._profiles else "is not in it"
                    raise CredentialsError(f"{where}: its source_profile '{first}' {said}")
                source = self.source(first, depth + 1)
                return Temporary(where, lambda: assume_role(role, source), files)
        if mode in _LIBRARY_MODES:
            from shipper.cloudmonitor.credential_library import of_library

            return of_library(where, mode)
        raise CredentialsError(f"{where} has mode '{mode}', which is not known; mend it{self._pass_over}")

    def _role(self, profile: Mapping[str, str], need: Callable[[str], str]) -> Role:
        life = profile.get("expired_seconds", "")
        return Role(
            need("ram_role_arn"),
            profile.get("ram_session_name") or DEFAULT_SESSION,
            self._host.sts(profile.get("sts_region", "")),
            int(life) if life.isascii() and life.isdigit() and int(life) else LIFE,
            profile.get("policy", ""),
        )


def _text(value: object) -> str:
    """Give a value of the JSON file as text; what is no text and no number is as good as nothing."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
