"""Keys that are lent for a time: OIDC, roles, the instance's metadata, a URI; from servers on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.cloudmonitor.credential_chain import find_credentials
from shipper.cloudmonitor.credential_servers import Servers
from shipper.cloudmonitor.credentials import Credentials, Lease, Source, Temporary
from shipper.config.model import CredentialsTable
from shipper.errors import CredentialsError
from tests.cloudmonitor.lending import LendingServer

OIDC = {"ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/r", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc/p"}


@pytest.fixture
def lending() -> Iterator[LendingServer]:
    server = LendingServer()
    yield server
    server.stop()


class Host:
    """A home directory, an environment, and servers that lend."""

    def __init__(self, home: Path, lending: LendingServer) -> None:
        self.home = home
        self.lending = lending

    def find(self, **environment: str) -> Source:
        servers = Servers(metadata=self.lending.url, sts=self.lending.url)
        return find_credentials(
            CredentialsTable(), self.home.joinpath, {"HOME": str(self.home)} | environment, servers=servers
        )

    def write(self, path: str, content: str) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def profile(self, *profiles: dict[str, object]) -> None:
        self.write(".aliyun/config.json", json.dumps({"current": profiles[0]["name"], "profiles": profiles}))


@pytest.fixture
def host(tmp_path: Path, lending: LendingServer) -> Host:
    return Host(tmp_path, lending)


def lent(number: int) -> Credentials:
    return Credentials(f"STS.{number}", f"secret-{number}", f"token-{number}")


def test_oidc_of_the_environment(host: Host) -> None:
    """As a pod has it (RRSA): the token's file is read anew each time, and comes before any file of the home."""
    host.profile({"name": "default", "mode": "AK", "access_key_id": "i", "access_key_secret": "s"})
    file = host.write("token", "oidc-token\n")
    source = host.find(**OIDC, ALIBABA_CLOUD_OIDC_TOKEN_FILE=str(file), ALIBABA_CLOUD_ROLE_SESSION_NAME="web-1")

    assert source() == source() == lent(1)
    (form,) = host.lending.forms
    assert (form["RoleArn"], form["OIDCProviderArn"]) == tuple(OIDC.values())
    assert (form["RoleSessionName"], form["DurationSeconds"], form["Version"]) == ("web-1", "3600", "2015-04-01")


def test_what_sts_says_is_told_without_what_it_echoes(host: Host) -> None:
    """A token that has expired is trouble for now; the next call tries again."""
    file = host.write("token", "old")
    source = host.find(**OIDC, ALIBABA_CLOUD_OIDC_TOKEN_FILE=str(file))
    with pytest.raises(CredentialsError, match=r"HTTP 400, AuthenticationFail\.OIDCToken\.Expired: This JWT") as caught:
        source()
    assert "SECRET" not in str(caught.value)
    file.unlink()
    with pytest.raises(CredentialsError, match="token cannot be read: No such file"):
        source()
    file.write_text("oidc-token")
    assert source() == lent(1)


@pytest.mark.parametrize("hardened", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_the_instance_s_role(host: Host, *, hardened: bool, named: bool) -> None:
    """With the metadata's token; the role is asked for when nobody names it."""
    host.lending.hardened = hardened
    source = host.find(**({"ALIBABA_CLOUD_ECS_METADATA": "shipper-role"} if named else {}))

    assert source() == lent(1)
    assert host.lending.asked[0] == "PUT /latest/api/token"
    assert ("GET /latest/meta-data/ram/security-credentials/" in host.lending.asked) is not named


def test_metadata_without_tokens(host: Host) -> None:
    """Is asked all the same, unless that is forbidden."""
    host.lending.takes_put = False
    assert host.find()() == lent(1)
    source = host.find(ALIBABA_CLOUD_IMDSV1_DISABLED="true")
    with pytest.raises(CredentialsError, match="gives no token, and ALIBABA_CLOUD_IMDSV1_DISABLED is set"):
        source()


def test_a_host_without_a_role_has_no_credentials(host: Host) -> None:
    """Nor one that is no instance, nor one where the role is switched off; the URI comes after it."""
    host.lending.role = ""
    with pytest.raises(CredentialsError, match="metadata names no RAM role of this instance") as caught:
        host.find()
    assert caught.value.exit_code == 2
    assert host.find(ALIBABA_CLOUD_CREDENTIALS_URI=f"{host.lending.url}/uri")() == lent(1)
    with pytest.raises(CredentialsError, match="switched off by ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        host.find(ALIBABA_CLOUD_ECS_METADATA_DISABLED="true")
    host.lending.stop()
    with pytest.raises(CredentialsError, match=r"no answer from 127\.0\.0\.1.*connection refused"):
        host.find()


def test_a_named_role_that_does_not_answer_is_trouble_for_now(host: Host) -> None:
    """The agent starts, and tries again."""
    host.lending.failing = 503
    source = host.find(ALIBABA_CLOUD_ECS_METADATA="shipper-role")
    with pytest.raises(CredentialsError, match="role 'shipper-role' lends no keys: HTTP 503"):
        source()
    host.lending.failing = 0
    assert source() == lent(1)


@pytest.mark.parametrize("uri", ["http://[", "ftp://x/", "127.0.0.1", "http://user:PASSWORD@127.0.0.1:1/"])
def test_a_uri_that_cannot_be_asked(host: Host, uri: str) -> None:
    """One sentence, without what it may hold."""
    host.lending.role = ""
    source = host.find(ALIBABA_CLOUD_CREDENTIALS_URI=uri)
    with pytest.raises(CredentialsError, match=r"the credentials URI: (it is no URL|no answer from)") as caught:
        source()
    assert "PASSWORD" not in str(caught.value)


ROLE = {"ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "s", "expired_seconds": 1800}


def test_profiles_of_the_command_line(host: Host) -> None:
    """Each mode of the official tool that lends keys (API reference, section 10.2)."""
    keys = {"access_key_id": "ram-id", "access_key_secret": "ram-secret"}
    token = str(host.write("token", "oidc-token"))
    host.profile(
        {"name": "ecs", "mode": "EcsRamRole", "ram_role_name": "shipper-role"},
        {"name": "uri", "mode": "CredentialsURI", "credentials_uri": f"{host.lending.url}/uri"},
        {"name": "arn", "mode": "RamRoleArn", **keys, **ROLE},
        {"name": "plain", "mode": "AK", **keys},
        {"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "plain", **ROLE},
        {"name": "oidc", "mode": "OIDC", "oidc_provider_arn": "p", "oidc_token_file": token, **ROLE},
    )
    for number, name in enumerate(("ecs", "uri", "arn", "chain", "oidc"), 1):
        assert host.find(ALIBABA_CLOUD_PROFILE=name)() == lent(number), name
    assert [form["DurationSeconds"] for form in host.lending.forms] == ["1800"] * 3
    assert [form["RoleSessionName"] for form in host.lending.forms] == ["s"] * 3


def test_sections_of_the_ini_file(host: Host) -> None:
    """The libraries' file says the same with other words."""
    host.write(
        ".alibabacloud/credentials.ini",
        "[ecs]\ntype = ecs_ram_role\nrole_name = shipper-role\n"
        "[arn]\ntype = ram_role_arn\naccess_key_id = ram-id\naccess_key_secret = ram-secret\n"
        "role_arn = acs:ram::1:role/r\nrole_session_name = s\npolicy = {}\n"
        "[oidc]\ntype = oidc_role_arn\nrole_arn = a\noidc_provider_arn = p\noidc_token_file_path = token\n",
    )
    assert host.find(ALIBABA_CLOUD_PROFILE="ecs")() == lent(1)
    assert host.find(ALIBABA_CLOUD_PROFILE="arn")() == lent(2)
    assert host.lending.forms[0]["Policy"] == "{}"
    with pytest.raises(CredentialsError, match="token file token cannot be read"):
        host.find(ALIBABA_CLOUD_PROFILE="oidc")()


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"mode": "RamRoleArn", "access_key_id": "i", "access_key_secret": "s"}, "but no ram_role_arn"),
        ({"mode": "RamRoleArn", **ROLE}, "but no access_key_id"),
        ({"mode": "OIDC", **ROLE}, "but no oidc_provider_arn"),
        ({"mode": "CredentialsURI"}, "but no credentials_uri"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "nobody", **ROLE}, "'nobody' is not in it"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "p", **ROLE}, "'p' leads in a circle"),
        ({"mode": "AK", "access_key_id": None, "access_key_secret": ["x"]}, "access_key_id is empty"),
    ],
)
def test_a_profile_that_says_too_little(host: Host, profile: dict[str, object], said: str) -> None:
    """At once, by name."""
    host.profile({"name": "p", **profile})
    with pytest.raises(CredentialsError, match=said):
        host.find()


class Clock:
    """Time by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Lender:
    """Lends numbered keys for an hour, unless it fails."""

    def __init__(self, clock: Clock, life: float | None = 3600) -> None:
        self.clock = clock
        self.life = life
        self.failing = False
        self.asked = 0

    def __call__(self) -> Lease:
        self.asked += 1
        if self.failing:
            raise CredentialsError("not now")
        return Lease(lent(self.asked), None if self.life is None else self.clock.now + self.life)


def test_keys_are_renewed_before_they_expire(clock: Clock) -> None:
    """A quarter of an hour before; what is left of them serves while new ones cannot be had, tried once a minute."""
    lender = Lender(clock)
    source = Temporary("test", lender, clock=clock)
    assert source() == lent(1)
    clock.now += 2690
    assert source() == lent(1)
    clock.now += 20
    lender.failing = True
    assert [source() for _ in range(5)] == [lent(1)] * 5
    assert lender.asked == 2
    clock.now += 61
    assert source() == lent(1)
    assert lender.asked == 3
    clock.now += 900
    with pytest.raises(CredentialsError, match="not now"):
        source()
    lender.failing = False
    assert source() == lent(5)


def test_refused_keys_are_renewed_once(clock: Clock) -> None:
    """At once; and not again within a minute, for then it is not the keys."""
    lender = Lender(clock)
    source = Temporary("test", lender, clock=clock)
    source()
    assert not source.renew()
    clock.now += 61
    assert source.renew()
    assert source() == lent(2)
    assert not source.renew()
    assert source() == lent(2)


@pytest.mark.parametrize("life", [None, -100, 10])
def test_strange_lives(clock: Clock, life: float | None) -> None:
    """Keys that seem to have ended already, as on a host with a wrong clock, are used, and renewed once a minute."""
    lender = Lender(clock, life)
    source = Temporary("test", lender, clock=clock)
    assert [source() for _ in range(3)] == [lent(1)] * 3
    clock.now -= 10_000
    assert source() in {lent(1), lent(2)}
    clock.now += 11_000
    assert source() in {lent(2), lent(3)}
