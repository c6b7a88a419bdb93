"""The page as one document: markup, style and script of `assets`, put together once; it loads nothing else.

It shows log lines, so it is careful: a Content-Security-Policy that allows exactly this script and this style, and text
is only ever inserted as text.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files

SCRIPTS = ("words.js", "parts.js", "chart.js", "views.js", "workshop.js", "main.js")


@functools.cache
def page() -> tuple[bytes, dict[str, str]]:
    """Give the document for who has shown the token, and the headers that belong to it."""
    return _document("page.html", "page.css", SCRIPTS)


@functools.cache
def door() -> tuple[bytes, dict[str, str]]:
    """Give the document for who has not: it asks for the token, and knows the one of this tab."""
    return _document("door.html", "page.css", ("words.js", "door.js"))


def _document(markup: str, style: str, scripts: tuple[str, ...]) -> tuple[bytes, dict[str, str]]:
    css, script = _read(style), '"use strict";\n' + "".join(map(_read, scripts))
    whole = _read(markup).replace("/*STYLE*/", css).replace("/*SCRIPT*/", script)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(css)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    return whole.encode(), {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }


def _read(name: str) -> str:
    return (files("shipper.web") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
