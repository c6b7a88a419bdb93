"""Where keys are found, and what is said when there are none."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest

from shipper.cloudmonitor.credential_chain import find_credentials
from shipper.cloudmonitor.credentials import Credentials
from shipper.config.model import CredentialsTable, Secret
from shipper.errors import CredentialsError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret"}


class Host:
    """A home directory and an environment to find credentials in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"HOME": str(home)}

    def find(self, table: CredentialsTable | None = None, /, **environment: str) -> Credentials:
        variables = self.environment | environment
        return find_credentials(table or CredentialsTable(), self.home.joinpath, variables, ask=False)()

    def write_cli(self, current: str, *profiles: dict[str, str]) -> None:
        (self.home / ".aliyun").mkdir()
        (self.home / ".aliyun" / "config.json").write_text(json.dumps({"current": current, "profiles": profiles}))

    def write_ini(self, text: str) -> None:
        (self.home / ".alibabacloud").mkdir()
        (self.home / ".alibabacloud" / "credentials.ini").write_text(text)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_keys_of_the_configuration_come_first(host: Host) -> None:
    """Keys in shipper.toml win over the environment, and no foreign token is mixed in."""
    table = CredentialsTable(access_key_id="id", access_key_secret=Secret("secret"))
    assert host.find(table, **KEYS, ALIBABA_CLOUD_SECURITY_TOKEN="t") == Credentials("id", "secret")


def test_secret_file_is_trimmed(host: Host) -> None:
    """A secret file may end in a newline; the path is relative to the configuration."""
    (host.home / "secret").write_text(" file-secret \n")
    table = CredentialsTable(access_key_id="id", access_key_secret_file="secret")
    assert host.find(table) == Credentials("id", "file-secret")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "secret cannot be read: No such file"),
        (b"", "secret is empty"),
        (b" \n", "secret is empty"),
        (b"\xff\xfe", "is not text"),
        (b"two words", "holds a blank"),
    ],
)
def test_a_secret_file_that_cannot_be_used(host: Host, content: bytes | None, said: str) -> None:
    """A named secret file that is missing, empty or no secret is an error, not a reason to look elsewhere."""
    if content is not None:
        (host.home / "secret").write_bytes(content)
    table = CredentialsTable(access_key_id="id", access_key_secret_file="secret")
    with pytest.raises(CredentialsError, match=said):
        host.find(table, **KEYS)


def test_half_a_key_is_completed_from_the_environment(host: Host) -> None:
    """An id without a secret takes the environment's secret and token; without one, that is said."""
    table = CredentialsTable(access_key_id="id")
    found = host.find(table, ALIBABA_CLOUD_ACCESS_KEY_SECRET="s", ALIBABA_CLOUD_SECURITY_TOKEN="t")
    assert found == Credentials("id", "s", "t")
    with pytest.raises(CredentialsError, match="no secret: set ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        host.find(table)
    with pytest.raises(CredentialsError, match="no access_key_id"):
        host.find(CredentialsTable(access_key_secret=Secret("s")))


def test_environment(host: Host) -> None:
    """The standard variables are read, blanks around them trimmed, a token taken along."""
    assert host.find(**KEYS) == Credentials("env-id", "env-secret")
    padded = {name: f" {value} " for name, value in KEYS.items()}
    assert host.find(**padded, ALIBABA_CLOUD_SECURITY_TOKEN=" t ") == Credentials("env-id", "env-secret", "t")


def test_cli_profile(host: Host) -> None:
    """The current profile of the aliyun command line is used; another can be chosen; all can be switched off."""
    host.write_cli(
        "work",
        {"name": "default", "mode": "AK", "access_key_id": "d", "access_key_secret": "ds", "sts_token": "stale"},
        {"name": "work", "mode": "StsToken", "access_key_id": "w", "access_key_secret": "ws", "sts_token": "wt"},
    )
    assert host.find() == Credentials("w", "ws", "wt")
    assert host.find(ALIBABA_CLOUD_PROFILE="default") == Credentials("d", "ds")
    with pytest.raises(CredentialsError, match="switched off by ALIBABA_CLOUD_CLI_PROFILE_DISABLED"):
        host.find(ALIBABA_CLOUD_CLI_PROFILE_DISABLED="true")


def test_a_profile_of_an_unknown_mode_is_not_passed_over(host: Host) -> None:
    """A profile that cannot be used is said plainly, rather than acting under another identity."""
    host.write_cli("default", {"name": "default", "mode": "BearerToken"}, {"name": "sso", "mode": "CloudSSO"})
    host.write_ini("[default]\ntype = access_key\naccess_key_id = i\naccess_key_secret = s\n")
    with pytest.raises(CredentialsError, match=r"mode 'BearerToken', which is not known.*PROFILE_DISABLED"):
        host.find()
    assert host.find(ALIBABA_CLOUD_CLI_PROFILE_DISABLED="true") == Credentials("i", "s")
    if importlib.util.find_spec("alibabacloud_credentials") is None:
        with pytest.raises(CredentialsError, match=r"pip install 'cloudmonitor-shipper\[credentials\]'"):
            host.find(ALIBABA_CLOUD_PROFILE="sso")


def test_ini_file(host: Host) -> None:
    """The INI file's section is used, its comments cut; the file and the section can be chosen."""
    host.write_ini("[default]\ntype = access_key # plain\naccess_key_id = i\naccess_key_secret = s%s # mine\n")
    assert host.find() == Credentials("i", "s%s")
    other = host.home / "other.ini"
    other.write_text("[p]\ntype=access_key\naccess_key_id=o\naccess_key_secret=os\n[q]\ntype=magic\n")
    assert host.find(ALIBABA_CLOUD_CREDENTIALS_FILE=str(other), ALIBABA_CLOUD_PROFILE="p") == Credentials("o", "os")
    with pytest.raises(CredentialsError, match=r"mode 'magic', which is not known; mend it$"):
        host.find(ALIBABA_CLOUD_CREDENTIALS_FILE=str(other), ALIBABA_CLOUD_PROFILE="q")


def test_none_at_all(host: Host) -> None:
    """Without any credentials the error lists where was looked, and how to give them."""
    with pytest.raises(CredentialsError) as caught:
        host.find(ALIBABA_CLOUD_ACCESS_KEY_ID="only-the-id", ALIBABA_CLOUD_ROLE_ARN="acs:ram::1:role/r")
    said = str(caught.value)
    assert caught.value.exit_code == 2
    assert "no ALIBABA_CLOUD_ACCESS_KEY_SECRET" in said
    assert "config.json does not exist" in said
    assert "credentials.ini does not exist" in said
    assert (
        "for OIDC the environment has no ALIBABA_CLOUD_OIDC_PROVIDER_ARN and no ALIBABA_CLOUD_OIDC_TOKEN_FILE" in said
    )
    assert "the instance's metadata was not asked" in said
    assert "[cloudmonitor.credentials]" in said


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"profiles": 3}', '{"profiles": [1]}', "[" * 100_000])
def test_a_broken_cli_file_is_named(host: Host, content: str) -> None:
    """A file of the command line that makes no sense is one entry of the list, never a traceback."""
    (host.home / ".aliyun").mkdir()
    (host.home / ".aliyun" / "config.json").write_text(content)
    host.write_ini("no section")
    with pytest.raises(CredentialsError, match=r"config\.json (is not valid JSON|has no profile).*not a valid INI"):
        host.find()


def test_nothing_shows_a_secret() -> None:
    """Neither repr nor str nor an error of credentials shows any part of them."""
    made = Credentials("AKID", "SECRET", "TOKEN")
    assert repr(made) == str(made) == f"{made}" == "Credentials(***)"
    with pytest.raises(ValueError, match="access_key_secret holds a blank") as caught:
        Credentials("AKID", "SEC RET")
    assert "SEC" not in str(caught.value)
