"""The signed client: one request, one answer (API reference, sections 2, 3 and 16). Retrying is its caller's.

A body is built once; every attempt signs exactly its bytes with a fresh `Date`. No redirect is followed, nothing is
retried below, and only what a proxy needs is taken from the environment.
"""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import formatdate
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, Self

from requests.auth import AuthBase

from shipper.cloudmonitor import batching
from shipper.cloudmonitor.advice import advise
from shipper.cloudmonitor.channel import Channel
from shipper.cloudmonitor.credentials import Credentials
from shipper.cloudmonitor.custom_event import CustomEvent
from shipper.cloudmonitor.endpoints import find_endpoint
from shipper.cloudmonitor.signing import content_md5, sign_string, signature
from shipper.cloudmonitor.verdict import Answer, Verdict, judge
from shipper.errors import ConfigurationError, Problem, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import requests

    from shipper.config.model import Config

PATH = "/event/custom/upload"
USER_AGENT = f"cloudmonitor-shipper/{version('cloudmonitor-shipper')}"
_LONGEST_ANSWER = 64 * 1024  # an answer of the service has some hundred bytes; the rest of a longer one is not read
_FALLBACK_IP = "127.0.0.1"  # what the official demo sends (API reference, section 2)

__all__ = ["Client", "CustomEvent", "require_accepted"]


class Client:
    """Sends events to one endpoint, over a connection that is kept alive.

    May be used by several threads; `close` it, or use it as a context manager.

    Attributes:
        limits: what one request may hold.
        credentials: gives those of each request.
    """

    limits: ClassVar[batching.Limits] = batching.UPLOAD

    def __init__(
        self,
        endpoint: str,
        access_key_id: str = "",
        access_key_secret: str = "",
        *,
        security_token: str = "",
        credentials: Callable[[], Credentials] | None = None,
        group_id: int = 0,
        timeout: float = 10.0,
        ip: str | None = None,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            endpoint: base URL, such as `https://metrichub-cms-cn-hangzhou.aliyuncs.com` (see `endpoint()`).
            access_key_id: names the key.
            access_key_secret: signs.
            security_token: the STS token of a temporary key.
            credentials: gives the credentials for each request instead, so that they can be renewed.
            group_id: application group of events that name none; 0 for no group.
            timeout: seconds for one request, from connecting to the end of the answer.
            ip: value of `x-cms-ip`; None finds this host's address on the way to the endpoint.
            proxy: URL of a proxy; None takes `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment. A
                loopback endpoint is never reached through a proxy.
            ca_file: PEM file with the certificates to trust; None trusts the usual ones.
            clock: gives the epoch time in seconds that requests are dated with.

        Raises:
            ValueError: an argument cannot be used; says which and why.
        """
        if credentials is not None and (access_key_id or access_key_secret or security_token):
            raise ValueError("give keys or a source of credentials, not both")
        if credentials is None:
            fixed = Credentials(access_key_id, access_key_secret, security_token)
            self.credentials: Callable[[], Credentials] = lambda: fixed
        else:
            self.credentials = credentials
        self.group_id = group_id
        self._channel = Channel(endpoint, timeout=timeout, ip=ip, proxy=proxy, ca_file=ca_file, clock=clock)

    @classmethod
    def configured(
        cls, config: Config, credentials: Callable[[], Credentials], *, clock: Callable[[], float] = time.time
    ) -> Client:
        """Make the client that `[cloudmonitor]` of a configuration describes.

        Raises:
            ConfigurationError: the region has no known endpoint, or a value cannot be used.
        """
        table = config.cloudmonitor
        where = str(config.file) if config.file else "the configuration"
        try:
            return cls(
                find_endpoint(table, where),
                credentials=credentials,
                group_id=table.group_id,
                timeout=table.timeout,
                ip=table.ip,
                proxy=table.proxy,
                ca_file=config.resolve(table.ca_file) if table.ca_file else None,
                clock=clock,
            )
        except ValueError as error:
            raise ConfigurationError([Problem(where, f"[cloudmonitor]: {error}")]) from None

    @property
    def endpoint(self) -> str:
        """Base URL of the service."""
        return self._channel.endpoint

    @property
    def proxy(self) -> str | None:
        """URL of the proxy that requests go through; None for none."""
        return self._channel.proxy

    @property
    def trusted(self) -> str | None:
        """File with the certificates that are trusted; None for the usual ones."""
        return self._channel.trusted

    @property
    def clock_offset(self) -> float:
        """Seconds that the service's clock is ahead of this host's, where requests are dated with it; else 0."""
        return self._channel.clock.offset

    def put_events(self, events: Sequence[CustomEvent]) -> Answer:
        """Report events in one request.

        Returns:
            The service's answer, which accepted them.

        Raises:
            ValueError: there are none, or more than one request takes (`limits`); nothing was sent.
            RefusedError: the service answered and did not accept; has its code, message and request id.
            TransportError: no answer came. The service may still have the events.
            CredentialsError: the source of credentials has none.
        """
        payloads = [self.encode(event, batching.encode_whole) for event in events]
        self.limits.require(payloads)
        return require_accepted(self.deliver(payloads))

    def put_event(
        self, name: str, content: str, *, group_id: int | None = None, time: datetime | str | None = None
    ) -> Answer:
        """Report one event; arguments as of `CustomEvent`, the rest as `put_events`."""
        return self.put_events([CustomEvent(name, content, group_id, time)])

    def encode(
        self,
        event: CustomEvent,
        form: Callable[[str, str, int, str], bytes] = batching.encode_bounded,
    ) -> bytes:
        """Give an event as it travels, with this client's group and the present time where it has none."""
        group_id = self.group_id if event.group_id is None else event.group_id
        now = datetime.fromtimestamp(self._channel.clock.host()).astimezone()
        return form(event.name, event.content, group_id, event.time_text(now))

    def deliver(self, payloads: Sequence[bytes]) -> Answer:
        """Report encoded events (see `batching.encode`) in one request, signed now, once.

        Returns:
            Whatever answer came; `verdict.judge` tells what it means.

        Raises:
            TransportError: no answer came, in time or at all; the message has no secrets.
            CredentialsError: the source of credentials has none.
        """
        return self.send(batching.body(payloads))

    def send(self, body: bytes) -> Answer:
        """Post one body (see `batching.body`); the rest as `deliver`."""
        signed = _Signature(self.credentials(), self._channel.ip, self._channel.clock())
        return self._channel.post(PATH, body, signed)

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Files that hold a secret of the credentials."""
        return tuple(getattr(self.credentials, "files", ()))

    def renew_credentials(self) -> bool:
        """Have the next request use new credentials, for these were refused; False when there can be no others."""
        renew: Callable[[], bool] = getattr(self.credentials, "renew", bool)
        return renew()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.endpoint!r})"


def require_accepted(answer: Answer) -> Answer:
    """Give an answer back that accepted the events; raise any other as `RefusedError`."""
    if judge(answer) is Verdict.ACCEPTED:
        return answer
    said = answer.message or answer.excerpt or "no words came with it"
    if not answer.code:
        said = f"HTTP {answer.status}, not an answer of the service: {said}"
    advice = advise(answer)
    action = advice.action if advice else ""
    raise RefusedError(answer.code or str(answer.status), said, answer.request_id, action)


class _Signature(AuthBase):
    """Adds every header of section 2 and signs; called by requests with the request as it will be sent."""

    def __init__(self, credentials: Credentials, ip: str, now: float) -> None:
        self._credentials = credentials
        self._ip = ip
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = request.headers
        sent = request.body or b""
        headers["Content-MD5"] = content_md5(sent if isinstance(sent, bytes) else sent.encode())
        headers["Content-Type"] = "application/json"
        headers["Date"] = formatdate(self._now, usegmt=True)
        headers["User-Agent"] = USER_AGENT
        headers["x-cms-api-version"] = "1.0"
        headers["x-cms-ip"] = self._ip
        headers["x-cms-signature"] = "hmac-sha1"
        if self._credentials.security_token:
            headers["x-cms-caller-type"] = "token"
            headers["x-cms-security-token"] = self._credentials.security_token
        text = sign_string(request.method or "", request.path_url, headers)
        signed = signature(self._credentials.access_key_secret, text)
        headers["Authorization"] = f"{self._credentials.access_key_id}:{signed}"
        return request
