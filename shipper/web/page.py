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
    script = _script(SCRIPTS)
    return _document("page.html", script, _hash(script), "require-trusted-types-for 'script'; trusted-types 'none'")


@functools.cache
def door() -> tuple[bytes, dict[str, str]]:
    """Give the document for who has not: it asks for the token, or knows the one of this tab, and becomes the page."""
    script = _script(("words.js", "door.js"), ends=True)
    hashes = f"{_hash(script)} {_hash(_script(SCRIPTS))}"
    return _document("door.html", script, hashes, "require-trusted-types-for 'script'; trusted-types door")


def _script(names: tuple[str, ...], *, ends: bool = False) -> str:
    """Put a script together; of one that `ends` nothing is left to those that come after it."""
    text = "".join(map(_read, names))
    return '"use strict";\n' + (f"{{\n{text}}}\n" if ends else text)


def _document(markup: str, script: str, scripts: str, types: str) -> tuple[bytes, dict[str, str]]:
    css = _read("page.css")
    whole = _read(markup).replace("/*STYLE*/", css).replace("/*SCRIPT*/", script)
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {_hash(css)}; connect-src 'self'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; {types}"
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
