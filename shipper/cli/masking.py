"""Takes secrets out of what is given away: known by the names of keys, by what the schema has no key for, and by looks.

What was masked in one place is taken out of every other, so a secret that a message repeats does not leave either. A
configuration whose keys are misspelt, or which is no TOML at all, is what people ask for help with: nothing here relies
on its being right.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from shipper.config.model import Config
from shipper.config.reader import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shipper.config.kinds import Kind

MASK = "***"
_SECRETIVE = re.compile(
    # misspelt too
    r"secr|pass?w|passphrase|pwd|toke?n|cred|auth(?!or)|cookie|signature|(?:acc?ess?|api|private)[_-]?key",
    re.IGNORECASE,
)
_ADDRESSES = frozenset({"endpoint", "proxy"})
# what such a value always looks like, though its kind takes any text
_SHAPES = {"region": re.compile(r"[a-z]{2,}(?:-[a-z0-9]{1,12}){0,5}"), "ip": re.compile(r"[0-9A-Fa-f.:]+")}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}")
_PATH = re.compile(r"(?:/|~/|\.{1,2}/|\$\{\w+(?::-[^}]*)?\}/).*", re.DOTALL)
_WORDS = r"[A-Z]?[a-z]{1,14}(?:[-_./ ][A-Z]?[a-z]{1,14}){0,4}"
_HARMLESS = re.compile(rf"{_WORDS}|[0-9][0-9.]{{0,11}} ?[A-Za-z]{{0,7}}|[0-9.:\[\]]*")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"]*)")
_GIVEN = re.compile(r"""(?:^|[{,])[ \t]*["']?([\w.-]+)["']?[ \t]*=[ \t]*("[^"\n]*|'[^'\n]*|[^\s,}#]+)""", re.MULTILINE)
_RUN = re.compile(r"[A-Za-z0-9]{16,}|LTAI[A-Za-z0-9]{8,}")
_SHORTEST = 4
_LONG = 8


class Masking:
    """Masks a configuration, remembers what it masked, and takes that out of texts and values."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Prepare; what masked values take from `environment` is secret too."""
        self._environment = environment
        self._secrets: set[str] = set()

    def configuration(self, values: Mapping[str, Any]) -> object:
        """Give a configuration as it was written, masked, whatever is wrong with it."""
        return self._table(Config, values)

    def note_document(self, values: object, name: str = "") -> None:
        """Remember what stands under secretive names in a document of another schema."""
        if isinstance(values, dict):
            for inner, each in values.items():
                self.note_document(each, inner)
        elif isinstance(values, list):
            for each in values:
                self.note_document(each, name)
        elif isinstance(values, str) and _is_secretive(name):
            self._note(values)

    def note_text(self, text: str) -> None:
        """Remember what is given under secretive names in a text that was to be TOML."""
        for name, value in _GIVEN.findall(text):
            if _is_secretive(name):
                self._note(value.strip("\"'"))

    def without(self, text: str) -> str:
        """Give a text without anything that was masked so far."""
        forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        if not forms:
            return text
        return re.sub("|".join(map(_found_as, forms)), MASK, text)

    def without_urls(self, text: str) -> str:
        """Give a text without anything that was masked so far, and with its URLs cut."""
        return _cut_urls(self.without(text))

    def value(self, value: object) -> object:
        """Give a value, as JSON has them, without anything that was masked so far, and with its URLs cut."""
        if isinstance(value, dict):
            return {self.without_urls(str(name)): self.value(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each) for each in value]
        return self.without_urls(value) if isinstance(value, str) else value

    def _table(self, cls: type, values: object, name: str = "") -> object:
        if not isinstance(values, dict):
            return self._hidden(values, is_sure=_is_secretive(name))
        items = {item.name: item.metadata for item in dataclasses.fields(cls) if item.metadata}
        return {self._name(name): self._entry(items.get(name), name, each) for name, each in values.items()}

    def _entry(self, metadata: Mapping[str, Any] | None, name: str, value: object) -> object:
        if metadata is None:
            return self._hidden(value, is_sure=_is_secretive(name))
        if "table" in metadata:
            return self._table(metadata["table"], value, name)
        if "tables" in metadata:
            tables = value if isinstance(value, list) else [value]
            return [self._table(metadata["tables"], each) for each in tables]
        if isinstance(value, dict):
            # constants for templates, under names that are the user's own; or a mistake
            return self._hidden(value)
        return self._known(name, metadata["kind"], value)

    def _known(self, name: str, kind: Kind, value: object) -> object:
        """Give the value of a key that the schema has: masked where it is a secret, or seems to be one in its place."""
        if isinstance(value, list):
            fits = _fits(kind, value)
            return [
                self._shown(name, each, fits=fits) if isinstance(each, str) else self._hidden(each) for each in value
            ]
        if isinstance(value, str):
            return self._shown(name, value, fits=_fits(kind, value))
        return self._hidden(value, is_sure=True) if _is_secret(name) else value

    def _shown(self, name: str, text: str, *, fits: bool) -> object:
        if _VARIABLE.fullmatch(text) and literal(text) == "":
            # which variable it is taken from helps, and says nothing
            if _is_secret(name):
                self._note(text)
            return text
        if _is_secret(name) or _looks_secret(text):
            return self._hidden(text, is_sure=True)
        if _is_secretive(name) and not _PATH.fullmatch(text):
            return self._hidden(text)
        if name in _SHAPES:
            fits = bool(_SHAPES[name].fullmatch(text))
        if name in _ADDRESSES or _URL.search(text):
            shown = _cut_address(text) if name in _ADDRESSES else _cut_urls(text)
            if shown != text:
                self._note(text)
                self._note_address(text)
                return shown if fits or "://" in text else MASK
        if not fits and not (_is_harmless(text) or _is_harmless(_VARIABLE.sub("", text))):
            return self._hidden(text, is_sure=True)
        return text

    def _hidden(self, value: object, *, is_sure: bool = False) -> object:
        """Mask all of a value; tables keep the names in them.

        Args:
            value: what is masked.
            is_sure: whether it is a secret. Else it is one only if it does not look like a word, number or path: the
                name of a source under a misspelt key is not to vanish from everything.
        """
        if isinstance(value, dict):
            return {
                self._name(name): self._hidden(each, is_sure=is_sure or _is_secretive(name))
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._hidden(each, is_sure=is_sure) for each in value]
        if isinstance(value, str):
            if "://" in value:
                self._note_address(value)
            if is_sure or not (_is_harmless(value) or (_PATH.fullmatch(value) and not _looks_secret(value))):
                self._note(value)
        elif is_sure and not isinstance(value, bool):
            self._note(str(value))
        return MASK

    def _name(self, name: str) -> str:
        """Give the name of a key; a secret may stand in its place."""
        if not _looks_secret(name):
            return name
        self._note(name)
        return MASK

    def _note_address(self, text: str) -> None:
        """Remember what is cut off a URL, or off the like without its scheme."""
        user, _, rest = text.partition("://")[2].rpartition("@") if "://" in text else text.rpartition("@")
        self._note_if_odd(user)
        self._note(user.partition(":")[2])
        for part in re.split(r"[/?#&;=]", rest)[1:]:
            self._note_if_odd(part)

    def _note_if_odd(self, text: str) -> None:
        if not _is_harmless(text):
            self._note(text)

    def _note(self, text: str) -> None:
        """Remember a secret: the text, what it says besides its variables, and what these hold."""
        held = [self._environment.get(name, "") for name in _VARIABLE.findall(text)]
        besides = literal(text)
        whole = () if not besides else (text, besides, *text.splitlines())
        for each in (*whole, *held):
            if len(each.strip()) >= _SHORTEST and each.strip() != MASK:
                self._secrets.add(each.strip())


def _is_secretive(name: str) -> bool:
    return bool(_SECRETIVE.search(name))


def _is_secret(name: str) -> bool:
    return _is_secretive(name) and not name.endswith("_file")


def _fits(kind: Kind, value: object) -> bool:
    try:
        kind.parse(value)
    except ValueError:
        return False
    return True


def _is_harmless(text: str) -> bool:
    """Tell whether a text is a few words, a quantity or an address, none of which is a key or a good password."""
    return bool(_HARMLESS.fullmatch(text))


def _looks_secret(text: str) -> bool:
    """Tell whether a text has a run of letters and digits as keys are, which names and paths hardly have."""
    for run in _RUN.findall(text):
        if run.startswith("LTAI"):
            return True
        digits = sum(map(str.isdigit, run))
        if digits > 1 and any(map(str.islower, run)) and any(map(str.isupper, run)):
            return True
    return False


def _cut_urls(text: str) -> str:
    return _URL.sub(lambda found: found[1] + _cut(found[2]), text)


def _cut_address(text: str) -> str:
    """Cut a URL, also one without its scheme, to its host."""
    scheme, mark, rest = text.partition("://") if "://" in text else ("", "", text)
    host, slash, path = _cut(rest).partition("/")
    return f"{scheme}{mark}{host}{slash}{MASK if path else ''}"


def _cut(rest: str) -> str:
    """Cut what stands before the host of a URL and in its query; a password may hold any character."""
    user, _, rest = rest.rpartition("@")
    found = re.search(r"[?#]", rest)
    shown = rest if found is None else f"{rest[: found.end()]}{MASK}"
    return f"{MASK}@{shown}" if user else shown


def _forms(secret: str) -> Iterator[str]:
    """Give the ways in which a text writes a secret: as it is, quoted by Python or JSON, or in a URL."""
    yield secret
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="")
    if len(plain := unquote(secret)) >= _SHORTEST:
        yield plain


def _found_as(form: str) -> str:
    """Give the pattern of a form; a short one is no part of a longer word."""
    if len(form) >= _LONG:
        return re.escape(form)
    before = r"(?<![A-Za-z0-9])" if form[0].isalnum() else ""
    behind = r"(?![A-Za-z0-9])" if form[-1].isalnum() else ""
    return f"{before}{re.escape(form)}{behind}"
