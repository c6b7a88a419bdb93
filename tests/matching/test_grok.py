"""`%{GROK}` names in patterns: what they stand for, and what is said of those that are wrong (spec, section 4)."""

from __future__ import annotations

from pathlib import Path

import pytest
import regex

from shipper.matching.grok import MAX_LENGTH, expand
from shipper.matching.grok_library import LIBRARY
from tests.matching.writing import errors, load

HOSTILE = [
    "a" * 3000 + "!", "1" * 3000 + "!", ":" * 3000, "a." * 2000, "/" * 3000 + " ", '"' + "\\" * 3001, "1:" * 2000,
    "a-" * 2000, " " * 3000 + "x", "2026-11-23 " * 300, "1.2.3." * 500, "::" * 1500, "[a" * 1500,
]  # fmt: skip


def matches(name: str, text: str) -> bool:
    return regex.fullmatch(expand(f"%{{{name}}}", {}), text) is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("IP", "10.0.0.1"),
        ("IP", "::1"),
        ("IP", "fe80::1%eth0"),
        ("IP", "2001:db8:0:0:0:0:2:1"),
        ("IP", "::ffff:10.0.0.1"),
        ("HOSTNAME", "a-b.example.com"),
        ("IPORHOST", "web-1"),
        ("HOSTPORT", "web-1:8080"),
        ("MAC", "00:1a:2B:3c:4d:5e"),
        ("TIMESTAMP_ISO8601", "2026-11-23T10:00:00.123+08:00"),
        ("TIMESTAMP_ISO8601", "2026-11-23 10:00:00,5"),
        ("HTTPDATE", "10/Oct/2000:13:55:36 -0700"),
        ("SYSLOGTIMESTAMP", "Nov  3 10:00:00"),
        ("DATESTAMP", "11/23/2026 10:00:00"),
        ("SYSLOGBASE", "Nov  3 10:00:00 web-1 sshd[12]:"),
        ("PROG", "postfix/smtpd"),
        ("COMMONAPACHELOG", '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326'),
        ("COMBINEDAPACHELOG", '127.0.0.1 - - [10/Oct/2000:13:55:36 +0800] "-" 400 - "-" "curl/8 \\"x\\""'),
        ("URI", "https://user:pw@example.com:8080/a/b?c=d"),
        ("URIPATHPARAM", "/api/v1?x=1"),
        ("PATH", "/var/log/app.log"),
        ("PATH", r"C:\logs\app.log"),
        ("UUID", "123e4567-e89b-12d3-a456-426614174000"),
        ("LOGLEVEL", "WARN"),
        ("NUMBER", "-1.5"),
        ("NUMBER", ".5"),
        ("INT", "+7"),
        ("POSINT", "10"),
        ("BASE16NUM", "0xdeadBEEF"),
        ("WORD", "naïve"),
        ("QUOTEDSTRING", r'"a \"b\" c"'),
        ("EMAILADDRESS", "a.b+c@example.org"),
        ("USER", "www-data"),
        ("DATA", "any thing"),
        ("JAVASTACKTRACEPART", "\tat com.example.Foo.bar(Foo.java:12)"),
        ("JAVASTACKTRACEPART", "  at A.<init>(Unknown Source)"),
    ],
)
def test_what_people_know_by_these_names(name: str, text: str) -> None:
    """The usual names stand for the usual things."""
    assert matches(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("IP", "256.1.1.1"),
        ("IPV4", "1.2.3.4.5"),
        ("IP", "1:2:3"),
        ("IPV6", "1::2::3"),
        ("MONTHDAY", "32"),
        ("YEAR", "12345"),
        ("UUID", "123e4567"),
        ("POSINT", "0"),
        ("LOGLEVEL", "INFORMAL"),
        ("HOUR", "24"),
        ("MINUTE", "60"),
        ("USER", "a b"),
        ("MONTH", "Nov."),
        ("INT", "1.5"),
    ],
)
def test_what_they_do_not_stand_for(name: str, text: str) -> None:
    """And nothing else."""
    assert not matches(name, text)


@pytest.mark.parametrize("name", LIBRARY)
def test_no_name_takes_long_on_any_line(name: str) -> None:
    """A line that somebody else chose costs no more than others (hazard 8.1)."""
    pattern = regex.compile(f"^{expand(f'%{{{name}}}', {})}$")
    for line in HOSTILE:
        pattern.search(line, timeout=1)


def test_a_name_may_be_a_capture(tmp_path: Path) -> None:
    """`%{NAME:capture}`; the rest of the pattern is as it was written."""
    rules = load(tmp_path, "[[rule]]\nid = 'a'\nevent = 'E'\nmatch = 'from %{IP:client} port %{POSINT:port}$'\n").rules

    found = rules[0].match.search("login from 10.0.0.1 port 22")
    assert found.groupdict() == {"client": "10.0.0.1", "port": "22"}


def test_names_of_the_file_come_first_and_may_use_others(tmp_path: Path) -> None:
    """`[grok]` adds names; one of the library that is named there means what is written there; for `ignore`, too."""
    text = (
        "[grok]\nORDER = 'order %{POSINT:order}'\nUSER = '[a-z]+'\nBY = 'by %{USER:who}'\n"
        "[[rule]]\nid = 'a'\nevent = 'E'\nmatch = '%{ORDER} %{BY}'\nignore = ['%{ORDER} by root']\n"
    )
    (rule,) = load(tmp_path, text).rules

    assert rule.match.search("order 12 by ann").groupdict() == {"order": "12", "who": "ann"}
    assert rule.match.search("order 12 by A1") is None
    assert rule.ignore[0].search("order 7 by root") is not None


@pytest.mark.parametrize(
    ("pattern", "text"), [("100%{2}", "100%%"), (r"\%{WORD}", "%{WORD}"), ("a%{1,2}b", "a%b"), (r"\\%{WORD}", r"\word")]
)
def test_what_is_no_name_is_left_alone(pattern: str, text: str) -> None:
    """A number of per cent signs, and what is escaped."""
    assert regex.fullmatch(expand(pattern, {}), text) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("match = '%{WROD}'", "5:1: error: rule 'a': 'match' uses %{WROD}, which is not known; did you mean %{WORD}?"),
        ("match = '%{xyzzyq}'", "5:1: error: rule 'a': 'match' uses %{xyzzyq}, which is not known; add it to [grok]"),
        ("match = '%{A}'", "5:1: error: rule 'a': 'match' uses %{A}, which leads to itself: A → B → A"),
        (
            "match = '%{a-b}'",
            (
                "5:1: error: rule 'a': 'match' has %{a-b}, which is no name; write %{NAME} or %{NAME:capture}, or "
                r"\%{ for the characters"
            ),
        ),
        (
            "match = '%{INT:a b}'",
            (
                "5:1: error: rule 'a': 'match' has %{INT:a b}: a capture is named with letters, digits and _, such as "
                "%{INT:client_ip}; everything is text, so there are no types"
            ),
        ),
        (
            "match = 'x'\nignore = ['y', '%{WROD}']",
            "6:1: error: rule 'a': 'ignore' uses %{WROD}, which is not known; did you mean %{WORD}?",
        ),
    ],
)
def test_what_is_wrong_with_a_name_is_said(tmp_path: Path, text: str, said: str) -> None:
    """With file, line and rule, and what to do; never a traceback."""
    rules = f"[grok]\nA = '%{{B}}'\nB = 'x%{{A}}'\n[[rule]]\n{text}\nid = 'a'\nevent = 'E'\n"

    assert f"rules.toml:{said.replace(' error:', '')}" in errors(tmp_path, rules)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grok = 3", "1:1: [grok] is a table of names and patterns, such as ORDER = 'order \\d+'"),
        ("[grok]\nA = 3", "2:1: 'A' must be a pattern in quotes, not 3"),
        ("[grok]\n'a-b' = 'x'", "2:1: 'a-b' is no name: letters, digits and _, a letter first"),
    ],
)
def test_what_is_wrong_with_the_names_of_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    """Likewise."""
    assert f"rules.toml:{said}" in errors(tmp_path, f"{text}\n[[rule]]\nid = 'a'\nmatch = 'x'\nevent = 'E'\n")


def test_names_that_grow_without_bound_are_refused() -> None:
    """Each of a few short names may double the length."""
    own = {"A0": "x" * 1000} | {f"A{n}": f"%{{A{n - 1}}}%{{A{n - 1}}}" for n in range(1, 30)}

    with pytest.raises(ValueError, match=f"over {MAX_LENGTH:,} characters"):
        expand("%{A29}", own)
