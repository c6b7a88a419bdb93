"""Asks the servers that lend keys: the instance's metadata, STS, and a URI (API reference, sections 10.1 and 10.3)."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import requests
from urllib3.exceptions import HTTPError

from shipper.cloudmonitor import rpc_signing
from shipper.cloudmonitor.credentials import Lease, credentials_of
from shipper.cloudmonitor.route import proxy_for
from shipper.cloudmonitor.rpc_auth import RpcSignature
from shipper.cloudmonitor.transport_errors import transport_error
from shipper.cloudmonitor.verdict import read_answer
from shipper.errors import CredentialsError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from requests.auth import AuthBase

    from shipper.cloudmonitor.credentials import Credentials

METADATA_TIMEOUT = 1.0
TIMEOUT = 10.0
LIFE = 3600
"""Seconds that are asked for; roles allow 900 at least."""
_TOKEN_LIFE = "21600"  # noqa: S105  seconds
_STS_VERSION = "2015-04-01"
_LONGEST_ANSWER = 64 * 1024
_AGENT = "cloudmonitor-shipper"
_ROLES = "/latest/meta-data/ram/security-credentials/"


class NoRoleError(CredentialsError):
    """The instance has no role, or this host is no instance."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are.

    Attributes:
        metadata: base URL of the instance's metadata.
        sts: base URL of STS; None: that of the region that is named.
    """

    metadata: str = "http://100.100.100.200"
    sts: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A role that is taken at STS.

    Attributes:
        arn: its name.
        session: shown in the account's records.
        sts: base URL of STS.
        life: seconds.
        policy: narrows what the role may; empty for all of it.
    """

    arn: str
    session: str
    sts: str
    life: int = LIFE
    policy: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """What every way to take it says."""
        found = {"RoleArn": self.arn, "RoleSessionName": self.session, "DurationSeconds": str(self.life)}
        return found | ({"Policy": self.policy} if self.policy else {})


def instance_role(servers: Servers, name: str, *, allow_v1: bool) -> Lease:
    """Get the keys of the instance's role.

    Args:
        servers: where the metadata is.
        name: the role's; empty asks for it.
        allow_v1: whether a metadata service without tokens may be asked.

    Raises:
        NoRoleError: nobody answers there, or the instance has no role.
        CredentialsError: the keys cannot be had now.
    """
    base, where = servers.metadata, "the instance's metadata"
    try:
        headers = _metadata_token(base)
        if not headers and not allow_v1:
            raise CredentialsError(f"{where} gives no token, and ALIBABA_CLOUD_IMDSV1_DISABLED is set")
        if not name:
            status, body = _ask("GET", base + _ROLES, headers=headers, timeout=METADATA_TIMEOUT)
            name = body.decode("utf-8", "replace").strip()
            if status == requests.codes.not_found or not name:
                raise NoRoleError(f"{where} names no RAM role of this instance")
            if status != requests.codes.ok:
                raise CredentialsError(f"{where} does not tell its role: HTTP {status}")
        status, body = _ask("GET", base + _ROLES + name, headers=headers, timeout=METADATA_TIMEOUT)
    except TransportError as error:
        raise NoRoleError(f"{where}: {error}") from None
    return _lease(f"{where}, role {name!r}", status, body, lambda found: found)


def _metadata_token(base: str) -> dict[str, str]:
    """Give the header that a hardened metadata service wants; none where it gives no token, or its answer is lost."""
    lasting = {"X-aliyun-ecs-metadata-token-ttl-seconds": _TOKEN_LIFE}
    try:
        status, body = _ask("PUT", f"{base}/latest/api/token", headers=lasting, timeout=METADATA_TIMEOUT)
    except TransportError:
        # the answer may not pass a container's network
        return {}
    return {"X-aliyun-ecs-metadata-token": body.decode("latin-1").strip()} if status == requests.codes.ok else {}


def of_uri(uri: str) -> Lease:
    """Get keys from a URI (`ALIBABA_CLOUD_CREDENTIALS_URI`).

    Raises:
        CredentialsError: they cannot be had now.
    """
    status, body = _asked("GET", uri, "the credentials URI")
    return _lease("the credentials URI", status, body, lambda found: found)


def assume_role_with_oidc(role: Role, provider: str, token_file: Path) -> Lease:
    """Take a role with the token of an OIDC provider, as pods do (RRSA). The file is read each time: it is renewed.

    Raises:
        CredentialsError: the keys cannot be had now.
    """
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CredentialsError(f"the OIDC token file {token_file} cannot be read: {said}") from None
    query = {
        "Action": "AssumeRoleWithOIDC",
        "Format": "JSON",
        "Version": _STS_VERSION,
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SignatureNonce": uuid.uuid4().hex,
    }
    form = role.parameters | {"OIDCProviderArn": provider, "OIDCToken": token}
    status, body = _asked(
        "POST",
        f"{role.sts}/?{rpc_signing.form(query)}",
        "STS",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        data=rpc_signing.form(form).encode(),
    )
    return _lease("STS, AssumeRoleWithOIDC", status, body, lambda found: found["Credentials"])


def assume_role(role: Role, source: Callable[[], Credentials]) -> Lease:
    """Take a role with the keys of somebody who may.

    Raises:
        CredentialsError: the keys cannot be had now.
    """
    signed = RpcSignature(source(), "AssumeRole", _STS_VERSION, time.time(), _AGENT)
    status, body = _asked("POST", f"{role.sts}/?{rpc_signing.form(role.parameters)}", "STS", auth=signed)
    return _lease("STS, AssumeRole", status, body, lambda found: found["Credentials"])


def _asked(method: str, url: str, where: str, **more: Any) -> tuple[int, bytes]:
    try:
        return _ask(method, url, timeout=TIMEOUT, proxy=proxy_for(url, None), **more)
    except TransportError as error:
        raise CredentialsError(f"{where}: {error}") from None
    except ValueError:
        # it may hold a secret
        raise CredentialsError(f"{where}: it is no URL that can be asked") from None


def _ask(
    method: str,
    url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    data: bytes = b"",
    auth: AuthBase | None = None,
    proxy: str | None = None,
) -> tuple[int, bytes]:
    """Send one request; gives status and body. Raises `TransportError`, or `ValueError` for what is no URL."""
    with requests.Session() as session:
        session.trust_env = False
        if proxy:
            session.proxies = {"http": proxy, "https": proxy}
        try:
            with session.request(
                method, url, headers=headers, data=data, auth=auth, timeout=timeout, allow_redirects=False, stream=True
            ) as response:
                return response.status_code, response.raw.read(_LONGEST_ANSWER, decode_content=True)
        except (OSError, HTTPError) as error:
            if isinstance(error, ValueError):
                # requests says so of a URL that is none
                raise
            raise transport_error(error, url, proxy, timeout) from None


def _lease(where: str, status: int, body: bytes, choose: Callable[[Any], Any]) -> Lease:
    """Read an answer that lends keys."""
    try:
        found = choose(orjson.loads(body))
        if status != requests.codes.ok or found.get("Code", "Success") != "Success":
            raise KeyError
        keys = [found[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")]
        expires = datetime.fromisoformat(found["Expiration"]) if found.get("Expiration") else None
        if not all(isinstance(key, str) for key in keys):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        answer = read_answer(status, {}, body)
        said = f"{answer.code}: {answer.message}" if answer.code else "what came holds no keys"
        raise CredentialsError(f"{where} lends no keys: HTTP {status}, {said}") from None
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Lease(credentials_of(where, *keys), expires.timestamp() if expires else None)
