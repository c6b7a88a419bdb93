"""Generated patterns over the syntax of `regex`, and text that is likely to match them or to fool a scanner."""

from __future__ import annotations

import regex
from hypothesis import strategies as st

# long s, Kelvin, dotted and dotless i, sharp s, ligatures, combining marks, n with apostrophe, Greek, CJK
LETTERS = [
    "ſ", "\u212a", "İ", "ı", "ß", "ẞ", "ﬀ", "ﬁ", "ﬆ", "ŉ", "ǰ", "e\u0301", "i\u0307", "Σ", "ς", "σ", "é", "É", "中",
    "失败", "😀",
]  # fmt: skip
WORDS = [
    "error", "ERROR", "Kelvin", "sis", "SS", "fi", "st", "disk full", "i", "k", "s", "a", "b", "0", " ", ": ", "-",
    "E01",
]  # fmt: skip
ODD = ["\r", "\t", "\0", "\ufffd", "\ufeff", "\\", "é\u0323"]

atoms = st.sampled_from([*WORDS, *LETTERS])
literal = st.builds(lambda parts: regex.escape("".join(parts)), st.lists(atoms, min_size=1, max_size=3))
classes = st.sampled_from(
    [
        ".", r"\d", r"\w", r"\s", r"\S", r"\W", r"\b", r"\B", r"\m", r"\M", "^", "$", r"\A", r"\Z", r"\K", r"\X", r"\R",
        "[a-k]", "[^a]", "[Ee]", "[Kk]rr", "[sS]", "[[:alpha:]]", r"\p{Lu}", r"\p{Han}", r"[\d-]", "[ſs]", "[é]",
        "[İi]", r"\N{LATIN SMALL LETTER K}", r"\x65", r"\u0130", r"[^\n]", "[]a]", r"\h", r"\G", "(*FAIL)", "(*PRUNE)",
        "(*SKIP)",
    ]
)  # fmt: skip
quantifiers = st.sampled_from(
    ["?", "*", "+", "{2}", "{0}", "{0,1}", "{1,3}", "{,2}", "??", "+?", "++", "*+", "?+", "{1}"]
)
flags = st.sampled_from(["i", "V1", "V1i", "fi", "x", "s", "m", "a", "ai", "w", "b", "e", "p", "r", "ir", "u", "V0i"])


def compose(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Give patterns made of smaller ones."""
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map("".join),
        two.map("|".join),
        st.builds("({})".format, inner),
        st.builds("(?:{})".format, inner),
        st.builds("(?:{}|{}|{})".format, inner, inner, inner),
        st.builds("(?:{}){}".format, inner, quantifiers),
        st.builds("(?>{})".format, inner),
        st.builds("(?|({})|({}))".format, inner, inner),
        st.builds("(?={})".format, inner),
        st.builds("(?!{})".format, inner),
        st.builds("(?<={})".format, inner),
        st.builds("(?<!{})".format, inner),
        st.builds("(?:{}){{e<=1}}".format, inner),
        st.builds("(?:{}){{i<=1,s<=1}}{}".format, inner, inner),
        st.builds("({}).*\\1".format, inner),
        st.builds("(?<n>{})(?(n){}|{})".format, inner, inner, inner),
        st.builds("(?(?={}){}|{})".format, inner, inner, inner),
        st.builds("(?(DEFINE)(?<d>{})){}(?&d)".format, inner, inner),
        st.builds("(?i:{}){}".format, inner, inner),
        st.builds("{}(?-i:{})".format, inner, inner),
        st.builds("(?#{}){}".format, st.sampled_from(["error", "x"]), inner),
    )


def is_pattern(text: str) -> bool:
    """Tell whether `regex` takes it."""
    try:
        regex.compile(text, cache_pattern=False)
    except (regex.error, ValueError, IndexError, KeyError, RecursionError, OverflowError):
        return False
    return True


bodies = st.recursive(st.one_of(literal, classes), compose, max_leaves=6)
patterns = st.one_of(
    bodies,
    st.builds("(?{}){}".format, flags, bodies),
    # recursion into more than this may ask for all memory there is
    st.builds("{}(?:a(?R)?b){}".format, literal, literal),
).filter(is_pattern)

pieces = st.one_of(atoms, st.sampled_from(ODD), st.text(max_size=3), atoms.map(str.upper), atoms.map(str.lower))
texts = st.lists(pieces, max_size=8).map("".join)
raw_lines = st.one_of(
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=12),
    st.builds(
        lambda a, b, c: a.encode("utf-8", "replace") + b + c.encode("utf-8", "replace"),
        texts,
        st.binary(max_size=3),
        texts,
    ),
)
