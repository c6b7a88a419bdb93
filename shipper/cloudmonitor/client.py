"""The signed client: one request, one answer (API reference, sections 2, 3 and 16). Retrying is its caller's.

A body is built once; every attempt signs exactly its bytes with a fresh `Date`. No redirect is followed, nothing is
retried below, and only what a proxy needs is taken from the environment.
"""

from __future__ import annotations

import os
import time
from datetime import datetime
from email.utils import formatdate
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from shipper.cloudmonitor import batching
from shipper.cloudmonitor.credentials import Credentials
from shipper.cloudmonitor.custom_event import CustomEvent
from shipper.cloudmonitor.endpoints import find_endpoint
from shipper.cloudmonitor.route import local_address, proxy_for
from shipper.cloudmonitor.signing import content_md5, sign_string, signature
from shipper.cloudmonitor.transport_errors import transport_error
from shipper.cloudmonitor.verdict import Answer, Verdict, judge, read_answer
from shipper.config.kinds import parse_endpoint
from shipper.errors import ConfigurationError, Problem, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shipper.config.model import Config

PATH = "/event/custom/upload"
_USER_AGENT = f"cloudmonitor-shipper/{version('cloudmonitor-shipper')}"
_LONGEST_ANSWER = 64 * 1024  # an answer of the service has some hundred bytes; the rest of a longer one is not read
_FALLBACK_IP = "127.0.0.1"  # what the official demo sends (API reference, section 2)

__all__ = ["Client", "CustomEvent", "require_accepted"]


class Client:
    """Sends events to one endpoint, over a connection that is kept alive.

    May be used by several threads; `close` it, or use it as a context manager.
    """

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
        try:
            self._url = parse_endpoint(endpoint) + PATH
        except ValueError as error:
            raise ValueError(f"endpoint {error}") from None
        if credentials is not None and (access_key_id or access_key_secret or security_token):
            raise ValueError("give keys or a source of credentials, not both")
        if ip is not None and not (ip and ip.isascii() and ip.isprintable() and ip == ip.strip()):
            raise ValueError(f"ip must be printable ASCII, not {ip!r}")
        if ca_file is not None and not Path(ca_file).is_file():
            raise ValueError(f"ca_file {ca_file} does not exist or is no file")
        if credentials is None:
            fixed = Credentials(access_key_id, access_key_secret, security_token)
            self._credentials: Callable[[], Credentials] = lambda: fixed
        else:
            self._credentials = credentials
        self.group_id = group_id
        self._timeout = timeout
        self._ip = ip
        self._given_ip = ip
        self._clock = clock
        self._proxy = proxy_for(self._url, proxy)
        self._session = requests.Session()
        # our own choice of proxy above; and with this, no .netrc ever
        self._session.trust_env = False
        self._session.cookies = _NoCookies()
        self._session.headers.clear()
        if self._proxy:
            self._session.proxies = {"http": self._proxy, "https": self._proxy}
        trusted = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._session.verify = str(trusted) if trusted else True

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
        return self._url.removesuffix(PATH)

    def put_events(self, events: Sequence[CustomEvent]) -> Answer:
        """Report events in one request.

        Returns:
            The service's answer, which accepted them.

        Raises:
            ValueError: there are none, over 100, or they need over 500,000 bytes; nothing was sent.
            RefusedError: the service answered and did not accept; has its code, message and request id.
            TransportError: no answer came. The service may still have the events.
            CredentialsError: the source of credentials has none.
        """
        if not 0 < len(events) <= batching.MAX_EVENTS:
            raise ValueError(f"one request takes 1 to {batching.MAX_EVENTS} events, not {len(events)}")
        body = batching.body([self.encode(event, batching.encode_whole) for event in events])
        if len(body) > batching.MAX_BYTES:
            raise ValueError(f"one request takes {batching.MAX_BYTES:,} bytes, these events need {len(body):,}")
        return require_accepted(self.send(body))

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
        now = datetime.fromtimestamp(self._clock()).astimezone()
        return form(event.name, event.content, group_id, event.time_text(now))

    def send(self, body: bytes) -> Answer:
        """Post one body (see `batching.body`), signed now, once.

        Returns:
            Whatever answer came; `verdict.judge` tells what it means.

        Raises:
            TransportError: no answer came, in time or at all; the message has no secrets.
            CredentialsError: the source of credentials has none.
        """
        credentials = self._credentials()
        deadline = time.monotonic() + self._timeout
        if self._ip is None:
            self._ip = local_address(self._proxy or self._url)
        try:
            with self._session.post(
                self._url,
                data=body,
                auth=_Signature(credentials, self._ip or _FALLBACK_IP, self._clock()),
                allow_redirects=False,
                timeout=Timeout(total=self._timeout),  # type: ignore[arg-type] # requests passes it on
                stream=True,
            ) as response:
                return read_answer(response.status_code, response.headers, _read_body(response, deadline))
        except (OSError, HTTPError) as error:
            self._ip = self._given_ip  # the network may have changed
            raise transport_error(error, self._url, self._proxy, self._timeout) from None

    def close(self) -> None:
        """Close the connection."""
        # urllib3 closes a pool when nothing refers to it any more; the frames of an earlier failure may, for long
        for adapter in self._session.adapters.values():
            pools = adapter.poolmanager.pools  # type: ignore[attr-defined] # of HTTPAdapter, the only kind there is
            for key in pools.keys():  # noqa: SIM118  a container, not a mapping to loop over
                pools[key].close()
        self._session.close()

    def __enter__(self) -> Client:
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
    raise RefusedError(answer.code or str(answer.status), said, answer.request_id)


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
        headers["User-Agent"] = _USER_AGENT
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


class _NoCookies(RequestsCookieJar):
    """Keeps nothing: what a proxy or a gateway wants to remember is not part of the protocol."""

    def set_cookie(self, *_: object, **__: object) -> None:
        """Forget it."""


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """Read an answer, up to a size and a time: neither an endless nor a dripping one holds the sender."""
    found = b""
    while len(found) < _LONGEST_ANSWER:
        part = response.raw.read1(_LONGEST_ANSWER - len(found), decode_content=True)
        if not part:
            break
        found += part
        if time.monotonic() > deadline:
            raise TimeoutError
    return found
