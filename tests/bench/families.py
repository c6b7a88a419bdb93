"""Families of rules as people write them, and the lines that they match; no two rules match the same line.

A rule is told from the others of its family by a token of two words, so that no literal is rare by construction: its
words are in other rules and in the noise too. Each rule is also given as a portable pattern (POSIX, and ripgrep's
engine), equal on these lines, for programs that know neither look-ahead nor backreferences nor possessive quantifiers.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

MOST_RULES: Final = 1000
_SPREAD: Final = 7919
_WORDS: Final = (  # noqa: SIM905  forty words, not forty lines
    "cart order payment stock login search profile invoice shipping refund coupon catalog review wallet ledger "
    "pricing session gateway basket returns supplier depot courier loyalty voucher billing quota tenant account "
    "identity consent audit export import report insight feed media notice survey"
).split()
_ROLES: Final = (  # noqa: SIM905  likewise
    "primary replica cache queue worker broker index shard proxy router loader writer reader poller mirror "
    "archive journal planner runner scanner builder checker resolver adapter bridge relay monitor sampler signer "
    "verifier merger splitter sweeper compactor allocator balancer dispatcher collector tracker watcher"
).split()
_SIGNS: Final = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥天地玄黄宇宙洪荒日月盈昃列张寒来暑往"


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write a rule; TOKEN stands for what is the rule's own, ORDER and MS for numbers of a line.

    Attributes:
        match: the pattern as rules have it.
        portable: a POSIX pattern that is equal on the lines made here.
        line: what the pattern matches, without the time before and the serial behind it.
        fold: whether it holds for upper and lower case; `match` says so itself.
    """

    match: str
    portable: str
    line: str
    fold: bool = False


_MIXED: Final = (
    Family(
        r"timeout after (?<ms>\d++) ms calling (?<pool>[a-z]++(?:/\d++)?) of TOKEN\b",
        r"timeout after [0-9]+ ms calling [a-z]+(/[0-9]+)? of TOKEN\b",
        "ERROR [http-nio-8080-exec-12] com.example.Client - timeout after MS ms calling pool/7 of TOKEN, giving up",
    ),
    Family(
        r"(?i)payment declined by TOKEN\b",
        r"payment declined by TOKEN\b",
        "WARN  [pay-worker-3] com.example.Payments - Payment DECLINED by TOKEN for order ORDER",
        fold=True,
    ),
    Family(
        r"ERROR (?=.*\bTOKEN\b).*?order (?<order>\d+) failed",
        r"ERROR .*order [0-9]+ failed .*\bTOKEN\b",
        "ERROR [worker-4] com.example.Orders - order ORDER failed after MS ms in TOKEN",
    ),
    Family(
        r"(?<kind>\w+Exception): (?!retrying)(?<why>[^;]+); component TOKEN\b",
        r"Exception: [^;]+; component TOKEN\b",
        "ERROR [main] com.example.Boot - java.net.SocketException: broken pipe after MS ms; component TOKEN stopped",
    ),
    Family(
        r"session (?<session>[0-9a-f]{8}) superseded \1 on TOKEN\b",
        r"session [0-9a-f]{8} superseded [0-9a-f]{8} on TOKEN\b",
        "INFO  [auth-2] com.example.Sessions - session 0badc0de superseded 0badc0de on TOKEN in MS ms",
    ),
    Family(
        r"订单 (?<order>\d+) 支付失败.*机房TOKEN号",
        r"订单 [0-9]+ 支付失败.*机房TOKEN号",
        "订单 ORDER 支付失败，用时 MS 毫秒，机房TOKEN号，请联系客服",
    ),
    Family(
        r'"(?:GET|POST|PUT) /api/v\d/(?<route>TOKEN/\S*) HTTP/\d\.\d" 5\d\d ',
        r'"(GET|POST|PUT) /api/v[0-9]/TOKEN/[^ ]* HTTP/[0-9]\.[0-9]" 5[0-9][0-9] ',
        '10.0.4.17 - - "GET /api/v2/TOKEN/items?id=ORDER HTTP/1.1" 502 157 "-" "Mozilla/5.0 (X11; Linux x86_64)"',
    ),
    Family(
        r'"level":"(?:error|fatal)".*"component":"TOKEN"',
        r'"level":"(error|fatal)".*"component":"TOKEN"',
        '{"level":"error","logger":"app","message":"giving up","ms":MS,"component":"TOKEN","order":ORDER}',
    ),
    Family(
        r"kernel: .*[Oo]ut of memory: Killed process (?<pid>\d+) \(TOKEN\)",
        r"kernel: .*[Oo]ut of memory: Killed process [0-9]+ \(TOKEN\)",
        "web3 kernel: [123456.MS] Out of memory: Killed process ORDER (TOKEN) total-vm:8123456kB, anon-rss:4012345kB",
    ),
    Family(
        r"(?:connection refused|no route to host|host unreachable) .*upstream TOKEN\b",
        r"(connection refused|no route to host|host unreachable) .*upstream TOKEN\b",
        "web1 haproxy[811]: no route to host after MS ms while connecting to upstream TOKEN, order ORDER",
    ),
)
_CHINESE: Final = 5
_TICKET: Final = "audit: ticket TOKEN was closed by order ORDER after MS ms"
_SHAPES: Final = {
    "mixed": "",
    "no literal": r"\b[A-Z]{%d}\d{%d}[a-z]{%d}\b",
    "literal in every line": r"\+08:00 .*\b[A-Z]{%d}\d{%d}[a-z]{%d}\b",
}
KINDS: Final = tuple(_SHAPES)


@dataclass(frozen=True, slots=True)
class BenchRule:
    """One rule of a benchmark.

    Attributes:
        name: its id, and its event's name.
        match: the pattern.
        portable: see `Family`.
        fold: see `Family`.
    """

    name: str
    match: str
    portable: str
    fold: bool
    _line: str

    def line(self, chance: random.Random) -> str:
        """Give a line that this rule matches, and no other."""
        return self._line.replace("ORDER", str(chance.randrange(10**9))).replace("MS", str(chance.randrange(10**4)))


def rules(count: int, kind: str = "mixed") -> list[BenchRule]:
    """Give the first rules of a kind, at most `MOST_RULES`."""
    return [_rule(number, kind) for number in range(count)]


def decoys(chance: random.Random, count: int) -> list[str]:
    """Give lines that look like matching ones and that no rule matches."""
    return [_rule(chance.randrange(MOST_RULES, len(_WORDS) * len(_ROLES)), "mixed").line(chance) for _ in range(count)]


def rule_file(chosen: list[BenchRule]) -> str:
    """Give the rules as a rule file."""
    return "\n".join(
        f'[[rule]]\nid = "{rule.name}"\nmatch = \'{rule.match}\'\nevent = "{rule.name}"\n' for rule in chosen
    )


def _rule(number: int, kind: str) -> BenchRule:
    name = f"rule-{number:04}"
    if kind != "mixed":
        counts = (2 + number % 10, 2 + number // 10 % 10, 2 + number // 100)
        token = "Q" * counts[0] + "7" * counts[1] + "x" * counts[2]
        pattern = _SHAPES[kind] % counts
        return BenchRule(name, pattern, pattern.replace(r"\d", "[0-9]"), False, _TICKET.replace("TOKEN", token))
    place = number * _SPREAD % (len(_WORDS) * len(_ROLES))
    first, second = place % len(_WORDS), place // len(_WORDS)
    family = _MIXED[number % len(_MIXED)]
    chinese = number % len(_MIXED) == _CHINESE
    token = _SIGNS[first] + _SIGNS[second] if chinese else f"{_WORDS[first]}-{_ROLES[second]}"
    shown = token.title() if family.fold else token
    return BenchRule(
        name,
        family.match.replace("TOKEN", re.sub(r"([.\\])", r"\\\1", token)),
        family.portable.replace("TOKEN", token),
        family.fold,
        family.line.replace("TOKEN", shown),
    )
