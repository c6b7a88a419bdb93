"""How literals look in the bytes of an encoding, so that a scanner can look for them before anything is decoded. Pure.

Every line whose text holds a literal holds one of its spellings; a line that holds one may still lack the literal.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from regex import _regex as kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipper.matching.literals import Literal

_WHOLE = {"utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"}
"""Encodings in which every character has one spelling, and neighbours in the text are neighbours in the bytes."""

_WIDE = {
    "gbk", "gb2312", "gb18030", "big5", "big5hkscs", "cp950", "shift_jis", "cp932", "shift_jis_2004", "shift_jisx0213",
    "euc_jp", "euc_jis_2004", "euc_jisx0213", "euc_kr", "cp949", "johab",
}  # fmt: skip
"""Encodings of one or more bytes in which ASCII stands for itself but for what `_strays` finds."""

FOLDING = frozenset(
    # dotless and dotted i, long s, Kelvin; what folds to several letters; and what this release of `regex` says does
    "\u0131\u0130\u017f\u212a"
    "\xdf\u0149\u01f0\u0390\u03b0\u0587\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
).union(getattr(kernel, "get_expand_on_folding", tuple)())
"""What `(?i)` takes for an ASCII letter, or for several letters, though it is neither."""


class Spelling:
    """One encoding.

    Attributes:
        folding: spellings of `FOLDING`: a line that holds one may match any caseless literal.
        escape: what begins another spelling of any character; empty where there is none.
    """

    escape = b""

    def __init__(self, encoding: str, *, whole: bool, strays: frozenset[str], folding: frozenset[bytes]) -> None:
        """Use `spelling_of`."""
        self.folding = folding
        self._encoding = encoding
        self._whole = whole
        self._strays = strays

    def spell(self, literal: Literal) -> bytes:
        """Give the bytes of a literal, or of its longest part that has one spelling; empty when there is none."""
        if self._whole:
            return literal.text.encode(self._encoding)
        parts = "".join(c if c.isascii() and c not in self._strays else "\n" for c in literal.text).split("\n")
        return max(parts, key=len).encode("ascii")


class EscapedSpelling:
    """One encoding inside a JSON string (RFC 8259, section 7); attributes as of `Spelling`.

    Quotes, backslashes and control characters have a backslash before them, a slash may; what is between them in a
    literal is spelled as ever, or in parts as `escape` and four digits.
    """

    escape = rb"\u"

    def __init__(self, plain: Spelling) -> None:
        """Spell as `plain` does."""
        self.folding = plain.folding
        self._plain = plain

    def spell(self, literal: Literal) -> bytes:
        """Give the longest part of a literal's bytes without escapes; empty when there is none."""
        return max(_ESCAPED.split(self._plain.spell(literal)), key=len)


AnySpelling = Spelling | EscapedSpelling

_ESCAPED = re.compile(rb'[\x00-\x1f"\\/\x7f]')


@lru_cache(maxsize=64)
def spelling_of(encoding: str, *, escaped: bool = False) -> AnySpelling | None:
    """Give the spelling of a Python codec; None for one in which bytes do not tell what the text holds.

    Args:
        encoding: its name.
        escaped: whether the text lies in JSON strings.
    """
    if escaped:
        plain = spelling_of(encoding)
        return EscapedSpelling(plain) if isinstance(plain, Spelling) else None
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        return None
    if name in _WHOLE:
        return Spelling(name, whole=True, strays=frozenset(), folding=frozenset(c.encode(name) for c in FOLDING))
    bytewise = {bytes((n,)): _decoded(bytes((n,)), name) for n in range(256)}
    if name in _WIDE:
        pairs = {bytes((a, b)): _decoded(bytes((a, b)), name) for a in range(128, 256) for b in range(256)}
    elif name == "ascii" or (name.startswith(("iso8859", "cp", "koi8", "mac-", "tis-620")) and _is_charmap(bytewise)):
        pairs = {}
    else:
        return None
    units = bytewise | pairs
    return Spelling(name, whole=False, strays=_strays(units), folding=_folding(name, units.items()))


def _decoded(data: bytes, encoding: str) -> str:
    return data.decode(encoding, "replace")


def _is_charmap(units: dict[bytes, str]) -> bool:
    return all(len(text) == 1 for text in units.values())


def _strays(units: dict[bytes, str]) -> frozenset[str]:
    """Give the ASCII characters that some bytes mean which are not their own."""
    strays = {c for data, text in units.items() for c in text if c.isascii() and ord(c) not in data}
    return frozenset(strays | {chr(n) for n in range(128) if units[bytes((n,))] != chr(n)})


def _folding(encoding: str, units: Iterable[tuple[bytes, str]]) -> frozenset[bytes]:
    found = {data for data, text in units if not FOLDING.isdisjoint(text)}
    for character in FOLDING:
        try:
            found.add(character.encode(encoding))
        except UnicodeEncodeError:
            continue
    return frozenset(found)
