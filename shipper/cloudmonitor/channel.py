"""The way to one endpoint: posts bytes over a connection that is kept alive, and reads the answer.

No redirect is followed, nothing is retried, no cookie is kept; only what a proxy needs is taken from the environment.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from requests.cookies import RequestsCookieJar
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from shipper.cloudmonitor.route import local_address, proxy_for
from shipper.cloudmonitor.server_clock import ServerClock
from shipper.cloudmonitor.transport_errors import transport_error
from shipper.cloudmonitor.verdict import Answer, read_answer
from shipper.config.kinds import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.auth import AuthBase

_LONGEST_ANSWER = 64 * 1024  # an answer of the service has some hundred bytes; the rest of a longer one is not read
_FALLBACK_IP = "127.0.0.1"  # what the official demo sends (API reference, section 2)


class Channel:
    """May be used by several threads.

    Attributes:
        endpoint: base URL of the service.
        clock: tells the service's time.
        proxy: URL of the proxy that requests go through; None for none.
        trusted: file with the certificates that are trusted; None for the usual ones.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        timeout: float,
        ip: str | None,
        proxy: str | None,
        ca_file: str | Path | None,
        clock: Callable[[], float],
    ) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ValueError: an argument cannot be used; says which and why.
        """
        try:
            self.endpoint = parse_endpoint(endpoint)
        except ValueError as error:
            raise ValueError(f"endpoint {error}") from None
        if ip is not None and not (ip and ip.isascii() and ip.isprintable() and ip == ip.strip()):
            raise ValueError(f"ip must be printable ASCII, not {ip!r}")
        if ca_file is not None and not Path(ca_file).is_file():
            raise ValueError(f"ca_file {ca_file} does not exist or is no file")
        self.clock = ServerClock(clock)
        self._timeout = timeout
        self._ip = ip
        self._given_ip = ip
        self.proxy = proxy_for(self.endpoint, proxy)
        self._session = requests.Session()
        # our own choice of proxy above; and with this, no .netrc ever
        self._session.trust_env = False
        self._session.cookies = _NoCookies()
        self._session.headers.clear()
        if self.proxy:
            self._session.proxies = {"http": self.proxy, "https": self.proxy}
        trusted = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self.trusted = str(trusted) if trusted else None
        self._session.verify = self.trusted or True

    @property
    def ip(self) -> str:
        """This host's address on the way to the service."""
        if self._ip is None:
            self._ip = local_address(self.proxy or self.endpoint)
        return self._ip or _FALLBACK_IP

    def post(self, target: str, body: bytes, auth: AuthBase) -> Answer:
        """Post one body, once.

        Args:
            target: path and query.
            body: the bytes.
            auth: adds all headers to the request as it will be sent.

        Raises:
            TransportError: no answer came, in time or at all; the message has no secrets.
        """
        deadline = time.monotonic() + self._timeout
        try:
            with self._session.post(
                self.endpoint + target,
                data=body,
                auth=auth,
                allow_redirects=False,
                timeout=Timeout(total=self._timeout),  # type: ignore[arg-type] # requests passes it on
                stream=True,
            ) as response:
                answer = read_answer(response.status_code, response.headers, _read_body(response, deadline))
        except (OSError, HTTPError) as error:
            self._ip = self._given_ip  # the network may have changed
            raise transport_error(error, self.endpoint, self.proxy, self._timeout) from None
        self.clock.note(answer)
        return answer

    def close(self) -> None:
        """Close the connection."""
        # urllib3 closes a pool when nothing refers to it any more; the frames of an earlier failure may, for long
        for adapter in self._session.adapters.values():
            pools = adapter.poolmanager.pools  # type: ignore[attr-defined] # of HTTPAdapter, the only kind there is
            for key in pools.keys():  # noqa: SIM118  a container, not a mapping to loop over
                pools[key].close()
        self._session.close()


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
