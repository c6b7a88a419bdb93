"""Who may ask for what over HTTP (spec, section 7). Pure, but for the token's file."""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from shipper.config.kinds import is_loopback, split_address
from shipper.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shipper.config.model import Config

TOKEN_FILE = "http.token"  # noqa: S105  its name
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 1024
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:]+)(?::[0-9]{1,5})?")
_OPEN = frozenset({"/healthz", "/readyz"})


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server.

    Attributes:
        names: what `Host` may say, without the port, in lower case.
        is_loopback: whether only this machine can ask at all.
        token: what has to be shown for everything else.
    """

    names: frozenset[str]
    is_loopback: bool
    token: str

    def refusal(
        self, path: str, headers: Mapping[str, str], *, changes: bool = False, shown: str = ""
    ) -> tuple[int, str] | None:
        """Tell why a request is refused, as HTTP status and a sentence for people; None when it is not.

        Args:
            path: what is asked for, without its query.
            headers: of the request, by name in lower case.
            changes: whether something may be changed by it, so that it has to come from this page itself.
            shown: the token, where it is not in the headers.
        """
        host = headers.get("host", "")
        named = _HOST.fullmatch(host)
        if named is None or named[1].lower() not in self.names:
            # somebody's name that leads here: a page of theirs could read what is for this machine (DNS rebinding)
            return 403, "this name is not one of mine; add it to `hosts` in [http]"
        if path in _OPEN or (path == "/metrics" and self.is_loopback):
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            shown = given.strip()
        if not hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self.token.encode()):
            return 401, "this needs the token, as `Authorization: Bearer TOKEN`"
        if changes and not _is_same_origin(headers):
            return 403, "changes are taken from this page alone, not from others (Origin)"
        return None


def _is_same_origin(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser says that a page of this very server asks; who says nothing is not believed."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    scheme, _, rest = headers.get("origin", "").partition("://")
    # a proxy before it may speak TLS
    return scheme in {"http", "https"} and rest.lower() == headers.get("host", "").lower()


def access_of(config: Config) -> Access:
    """Give the rules of a configuration, whose token is made if there is none yet.

    Raises:
        StateError: the token cannot be read or made.
    """
    host, _ = split_address(config.http.listen or "")
    shown = f"[{host}]" if ":" in host else host
    names = {shown, "localhost", *(config.http.hosts or ())}
    return Access(frozenset(name.lower() for name in names), is_loopback(host), _token(config))


def link(config: Config) -> str:
    """Give the address of the page of a running agent, with its token.

    Raises:
        StateError: the token cannot be read.
    """
    host, port = split_address(config.http.listen or "")
    if not host or (host != "localhost" and ipaddress.ip_address(host).is_unspecified):
        host = (config.http.hosts or ("localhost",))[0]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/?token={quote(_read_token(_token_file(config)), safe='')}"


def _token_file(config: Config) -> Path:
    given = config.http.token_file
    return config.state_path / TOKEN_FILE if given is None else config.resolve(given)


def _token(config: Config) -> str:
    path = _token_file(config)
    if config.http.token_file is None and not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise StateError(f"the token of [http] cannot be made: {path}: {error.strerror}") from None
    return _read_token(path)


def _read_token(path: Path) -> str:
    try:
        with path.open() as file:
            token = file.read(_LONGEST_TOKEN).strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise StateError(f"the token of [http] in {path} cannot be used: {said}") from None
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise StateError(f"{path} holds no token: write one word of letters and digits into it")
    return token


def _make(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (secrets.token_urlsafe(_TOKEN_BYTES) + "\n").encode())
    finally:
        os.close(descriptor)
